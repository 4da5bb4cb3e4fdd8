package usecase_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/ports"
)

// legacy is a namespace that is there, and nobody's.
const legacy = "orders.Production"

func adoption(slug string) orgs.CreateInput {
	return orgs.CreateInput{Slug: slug, Admin: orgs.FirstAdmin{Email: "ada@acme.example"}, AdoptNamespace: legacy}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	long := namespace.State{ID: "l", Status: namespace.Registered, Retention: 60 * day}
	setup := func(t *testing.T, s namespace.State) (*world, services) {
		t.Helper()
		w := newWorld(t)
		w.has(legacy, s)
		return w, newServices(w)
	}

	t.Run("Should give an organization the namespace that is there, and never register it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s := setup(t, long)
		made, err := s.orgs.Create(t.Context(), operator(), adoption("acme"))
		is.NoErr(err)
		o := w.orgOf(made.Org.ID())
		is.Equal(o.Namespace(), legacy)
		is.True(o.Snapshot().NamespaceAdopted)
		trail := w.trail()
		is.Equal(trail[0].Action, audit.OrganizationCreated.String())
		is.Equal(trail[0].Changes["namespace_adopted"], audit.Created(true))
		p := outbox.ProvisionPayload{Organization: o.ID(), Operation: made.Operation.Snapshot().ID}
		is.NoErr(s.provisioning.EnsureNamespace(t.Context(), p, 1))
		got := w.temporal.blueprints[len(w.temporal.blueprints)-1]
		is.Equal([]any{got.Namespace, got.Owner, got.Adopted, got.AtLeast}, []any{legacy, o.ID(), true, true})
	})

	t.Run("Should shorten no retention, unless that was decided", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s := setup(t, long)
		in := adoption("acme")
		made, err := s.orgs.Create(t.Context(), operator(), in)
		is.NoErr(err)
		o := made.Org.ID()
		adopted := registered(o)
		adopted.Retention = long.Retention
		w.temporal.states[legacy] = adopted
		w.setState(o, org.Active)
		by := holder(o, authz.Admin)
		v, err := s.namespaces.Get(t.Context(), by, o)
		is.NoErr(err)
		is.Equal(len(v.Drift), 0)
		_, err = s.orgs.Update(t.Context(), by, o, orgs.UpdateInput{Settings: &org.Settings{WorkflowRetentionDays: 7}})
		is.NoErr(err)
		v, err = s.namespaces.Reconcile(t.Context(), by, o)
		is.NoErr(err)
		is.Equal(v.State.Retention, 7*day)
	})

	t.Run("Should adopt again what carries the organization's own tag", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		in := adoption("acme")
		in.ID = id.New[id.OrgKind]()
		own := registered(in.ID)
		_, s := setup(t, own)
		_, err := s.orgs.Create(t.Context(), operator(), in)
		is.NoErr(err)
	})

	for name, c := range map[string]struct {
		state namespace.State
		want  error
	}{
		"is absent":              {namespace.State{Status: namespace.Absent}, ports.ErrNamespaceUnregistered},
		"is being deleted":       {namespace.State{Status: namespace.Deleted}, ports.ErrNamespaceUnregistered},
		"is deprecated":          {namespace.State{Status: namespace.Deprecated}, ports.ErrNamespaceUnregistered},
		"is another's":           {registered(id.New[id.OrgKind]()), ports.ErrNamespaceForeign},
		"is Bulkhead's, somehow": {namespace.State{Status: namespace.Registered, Tagged: true}, ports.ErrNamespaceForeign},
	} {
		t.Run("Should refuse at once what can not be adopted: it "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w, s := setup(t, c.state)
			_, err := s.orgs.Create(t.Context(), operator(), adoption("acme"))
			is.True(errors.Is(err, c.want))
			is.True(!slices.Contains(w.called(), "WriteTx"))
			is.True(!strings.Contains(fault.From(err).Public, "org_"))
		})
	}

	t.Run("Should refuse names that are the platform's, or mean something else in a token", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s := setup(t, long)
		for _, name := range []string{org.SystemNamespace, "temporal-system", "a:admin", "a b", "-a", "é", "a/b", strings.Repeat("a", 65)} {
			in := adoption("acme")
			in.AdoptNamespace = name
			_, err := s.orgs.Create(t.Context(), operator(), in)
			is.Equal(fault.From(err).Fields[0].Pointer, "/adopt_namespace")
		}
		is.Equal(len(w.called()), 0)
	})

	t.Run("Should give one namespace to one organization, also after that is gone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s := setup(t, long)
		first, err := s.orgs.Create(t.Context(), operator(), adoption("acme"))
		is.NoErr(err)
		for _, state := range []org.State{org.Provisioning, org.Deleted} {
			w.setState(first.Org.ID(), state)
			_, err = s.orgs.Create(t.Context(), operator(), adoption("globex"))
			is.True(errors.Is(err, org.ErrNamespaceTaken))
		}
		in := adoption("globex")
		in.ID = first.Org.ID()
		_, err = s.orgs.Create(t.Context(), operator(), in)
		is.True(errors.Is(err, org.ErrIDTaken))
	})

	t.Run("Should leave alone, schedules included, what was never adopted, when its organization is deleted", func(t *testing.T) {
		t.Parallel()
		for name, owner := range map[string]string{"nobody's": "", "another's": id.New[id.OrgKind]().String(), "its own": "own"} {
			is := is.New(t)
			w, s := setup(t, long)
			made, err := s.orgs.Create(t.Context(), operator(), adoption("acme"))
			is.NoErr(err)
			o := made.Org.ID()
			if owner == "own" {
				owner = o.String()
			}
			state := long
			state.Owner = owner
			w.temporal.states[legacy] = state
			w.changeOrg(o, func(s *org.Snapshot) { s.State = org.Failed })
			_, err = s.orgs.Delete(t.Context(), operator(), o, orgs.DeleteInput{Confirm: "acme", Now: true})
			is.NoErr(err)
			p := outbox.DeletionPayload{Organization: o}
			_, err = s.deletion.Plan(t.Context(), p)
			is.NoErr(err)
			w.forget()
			for _, step := range []func(context.Context, outbox.DeletionPayload, int) error{
				s.deletion.StopProvisioning, s.deletion.DeleteNamespace, s.deletion.AwaitReclaim, s.deletion.Purge, s.deletion.Finish,
			} {
				is.NoErr(step(t.Context(), p, 1))
			}
			is.Equal(w.stateOf(o), org.Deleted)
			touched := slices.ContainsFunc(w.called(), func(c string) bool {
				return strings.HasPrefix(c, "Delete ") || strings.HasPrefix(c, "Schedules.")
			})
			if touched != (name == "its own") {
				t.Errorf("a namespace that is %s is touched: %v", name, touched)
			}
		}
	})
}

func TestAdoptedBlueprint(t *testing.T) {
	t.Parallel()
	t.Run("Should keep the longer retention unless one was decided", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := namespace.Standard{}.For(legacy, id.New[id.OrgKind](), 0)
		is.Equal(b.Over(false).RetentionOver(90*day), 90*day)
		is.Equal(b.Over(false).RetentionOver(time.Hour), namespace.DefaultRetention)
		is.Equal(b.Over(true).RetentionOver(90*day), namespace.DefaultRetention)
		is.Equal(b.RetentionOver(90*day), namespace.DefaultRetention)
	})
}
