package usecase_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/usecase/deletion"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/ports"
)

// TestDeletionOfForeign deletes organizations whose namespace's name is that of a
// namespace which is not theirs.
func TestDeletionOfForeign(t *testing.T) {
	t.Parallel()
	foreign := map[string]namespace.State{
		"nobody's":                       {Status: namespace.Registered, Retention: time.Hour},
		"another's":                      registered(id.New[id.OrgKind]()),
		"another Bulkhead's":             {Status: namespace.Registered, Tagged: true},
		"another's, and being removed":   {Status: namespace.Deleted, Owner: id.New[id.OrgKind]().String(), Tagged: true},
		"nobody's, and to start no more": {Status: namespace.Deprecated},
	}
	// begin begins the deletion of an organization with a schedule in the namespace of its
	// name, and has its grace be over.
	begin := func(t *testing.T, o org.State, s namespace.State) (*world, *deletion.Service, outbox.DeletionPayload, id.Operation) {
		t.Helper()
		w := newWorld(t)
		p := outbox.DeletionPayload{Organization: w.addOrg("acme", o)}
		temporal := newPlanner(w.temporal)
		temporal.put("theirs", false, "")
		w.temporal.namespace = s
		d, err := newServices(w).orgs.Delete(t.Context(), operator(), p.Organization, orgs.DeleteInput{Confirm: "acme", Now: true})
		must(t, err)
		steps := deletion.New(w.store, w.temporal, temporal, w.temporal, w.clock)
		_, err = steps.Plan(t.Context(), p)
		must(t, err)
		w.forget()
		return w, steps, p, d.Operation.Snapshot().ID
	}
	untouched := func(t *testing.T, w *world) {
		t.Helper()
		for _, call := range w.called() {
			if strings.HasPrefix(call, "Schedules.") || strings.HasPrefix(call, "Delete ") || strings.HasPrefix(call, "Discard ") {
				t.Errorf("it is touched: %s", call)
			}
		}
	}

	for name, state := range foreign {
		t.Run("Should go without the namespace that never was its own, and say so: it is "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w, steps, p, op := begin(t, org.Failed, state)
			for range 2 {
				is.NoErr(steps.DeleteNamespace(t.Context(), p, 1))
				is.NoErr(steps.AwaitReclaim(t.Context(), p, 1))
			}
			under := w.operationOf(p.Organization, op)
			is.Equal(under.Snapshot().Step, operation.NamespaceNotDeleted)
			is.NoErr(steps.Purge(t.Context(), p, 1))
			is.NoErr(steps.Finish(t.Context(), p, 1))
			untouched(t, w)
			is.Equal(w.stateOf(p.Organization), org.Deleted)
			is.Equal(w.rows("outbox"), 0)
			ended := w.operationOf(p.Organization, op)
			is.Equal(ended.Snapshot().State, operation.Succeeded)
			is.Equal(ended.Snapshot().Note, "The namespace "+w.namespaceOf(p.Organization)+" was not deleted: it is not this organization's.")
			trail := w.trail()
			is.Equal(len(trail), 3) // the request, this once, and the end
			is.Equal(trail[1].Action, audit.NamespaceNotDeleted.String())
			is.Equal(trail[1].Actor, whoIs(authz.Remover))
			is.Equal(trail[1].ResourceID, w.namespaceOf(p.Organization))
			is.Equal(trail[2].Action, audit.OrganizationDeleted.String())
		})

		t.Run("Should stop for a person when the organization has worked in it, and it is not its own any more: it is "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			for _, adopted := range []bool{false, true} {
				w, steps, p, op := begin(t, org.Suspended, state)
				w.changeOrg(p.Organization, func(s *org.Snapshot) { s.NamespaceAdopted = adopted })
				is.True(errors.Is(steps.DeleteNamespace(t.Context(), p, 1), ports.ErrNamespaceForeign))
				is.True(errors.Is(steps.AwaitReclaim(t.Context(), p, 1), ports.ErrNamespaceForeign))
				untouched(t, w)
				stopped := w.operationOf(p.Organization, op)
				is.Equal(stopped.Snapshot().FailureCode, "namespace.foreign")
				is.Equal(stopped.Snapshot().Note, "")
				is.True(!slices.ContainsFunc(w.trail(), func(l line) bool { return l.Action == audit.NamespaceNotDeleted.String() }))
			}
		})
	}

	t.Run("Should stop when it has become another's since it was looked at, whoever looks last", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, state := range []org.State{org.Failed, org.Suspended} {
			w, steps, p, op := begin(t, state, namespace.State{})
			w.temporal.namespace = registered(p.Organization)
			w.breaks("Delete "+w.namespaceOf(p.Organization)+" of "+p.Organization.String(), ports.ErrNamespaceForeign)
			is.True(errors.Is(steps.DeleteNamespace(t.Context(), p, 1), ports.ErrNamespaceForeign))
			is.True(errors.Is(steps.AwaitReclaim(t.Context(), p, 1), ports.ErrNamespaceForeign))
			stopped := w.operationOf(p.Organization, op)
			is.Equal(stopped.Snapshot().FailureCode, "namespace.foreign")
		}
	})

	t.Run("Should say no more that it was not deleted when another attempt deletes it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, steps, p, op := begin(t, org.Failed, foreign["nobody's"])
		is.NoErr(steps.DeleteNamespace(t.Context(), p, 1))
		is.True(w.noteOf(p.Organization, op) != "")
		w.temporal.namespace = registered(p.Organization) // an operator has given it the tag
		is.NoErr(steps.DeleteNamespace(t.Context(), p, 2))
		is.Equal(w.noteOf(p.Organization, op), "")
		is.Equal(w.count("Delete "+w.namespaceOf(p.Organization)+" of "+p.Organization.String()), 1)
	})

	t.Run("Should look for no schedules in what Temporal is removing, and wait for it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, steps, p, _ := begin(t, org.Suspended, namespace.State{})
		leaving := registered(p.Organization)
		leaving.Status = namespace.Deleted
		w.temporal.namespace = leaving
		is.NoErr(steps.DeleteNamespace(t.Context(), p, 1))
		w.breaks("Gone "+w.namespaceOf(p.Organization)+" of "+p.Organization.String(), ports.ErrNamespaceReclaiming)
		is.True(errors.Is(steps.AwaitReclaim(t.Context(), p, 1), ports.ErrNamespaceReclaiming))
		is.True(!slices.ContainsFunc(w.called(), func(c string) bool { return strings.HasPrefix(c, "Schedules.") }))
	})
}

func (w *world) noteOf(o id.Org, op id.Operation) string {
	w.t.Helper()
	found := w.operationOf(o, op)
	return found.Snapshot().Note
}
