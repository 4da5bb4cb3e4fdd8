package usecase_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
)

// registered is a namespace of the owner as it is right after its provisioning.
func registered(owner id.Org) namespace.State {
	b := namespace.Standard{}.For("any", owner, 0)
	return namespace.State{
		Status: namespace.Registered, Owner: owner.String(), Tagged: true, Description: b.Description, Retention: b.Retention,
		Attributes: namespace.Attributes(),
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (*world, services, id.Org, authz.Actor) {
		t.Helper()
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.temporal.namespace = registered(o)
		return w, newServices(w), o, holder(o, authz.Admin)
	}

	t.Run("Should change nothing of a namespace that is as it must be", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, by := setup(t)
		got, err := s.namespaces.Reconcile(t.Context(), by, o)
		is.NoErr(err)
		is.Equal(got.Name, w.namespaceOf(o))
		is.Equal(len(got.Drift), 0)
		is.Equal(w.called(), []string{"Reads.Org", "State " + w.namespaceOf(o)})
		is.Equal(len(w.trail()), 0)
	})

	t.Run("Should repair once what a setting has changed, with the request on record before", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, by := setup(t)
		_, err := s.orgs.Update(t.Context(), by, o, orgs.UpdateInput{Settings: &org.Settings{WorkflowRetentionDays: 30}})
		is.NoErr(err)
		seen, err := s.namespaces.Get(t.Context(), holder(o, authz.Viewer), o)
		is.NoErr(err)
		is.Equal(seen.Drift, []namespace.Difference{{Field: "retention", Want: "30 days", Have: "3 days", Repairable: true}})
		w.forget()
		for range 2 {
			got, err := s.namespaces.Reconcile(t.Context(), by, o)
			is.NoErr(err)
			is.Equal(len(got.Drift), 0)
			is.Equal(got.State.Retention, 30*24*time.Hour)
		}
		trail := w.trail()
		is.Equal(len(trail), 2) // the setting, and one repair
		is.Equal(trail[1].Action, audit.NamespaceReconcileRequested.String())
		is.Equal(trail[1].ResourceID, w.namespaceOf(o))
		is.Equal(trail[1].Actor, whoIs(by))
		called := w.called()
		is.True(slices.Index(called, "Audit.Append") < slices.Index(called, "Reconcile "+w.namespaceOf(o)))
	})

	t.Run("Should repair nothing that nobody can account for", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, port := range []string{"Reads.Org", "WriteTx", "Audit.Append", "Commit"} {
			w, s, o, by := setup(t)
			w.temporal.namespace.Retention = time.Hour
			w.breaks(port, fault.ErrUnavailable)
			_, err := s.namespaces.Reconcile(t.Context(), by, o)
			is.True(errors.Is(err, fault.ErrUnavailable))
			is.Equal(w.temporal.namespace.Retention, time.Hour)
		}
	})

	t.Run("Should leave, and not show, what is another's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, by := setup(t)
		w.temporal.namespace = registered(id.New[id.OrgKind]())
		w.temporal.namespace.Retention = time.Hour
		got, err := s.namespaces.Reconcile(t.Context(), by, o)
		is.NoErr(err)
		is.Equal(got.State, namespace.State{Status: namespace.Foreign})
		is.Equal(len(got.Drift), 1)
		is.True(got.Drift[0].Repair != "")
		is.Equal(w.temporal.namespace.Retention, time.Hour)
		is.Equal(len(w.trail()), 0)
	})

	t.Run("Should repair neither what is not ready, nor what goes, nor Bulkhead's own", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, _, _ := setup(t)
		w.addSystem()
		operator := holder(id.SystemOrg, authz.Operator)
		for _, state := range []org.State{org.Provisioning, org.Failed, org.Deleting, org.Deleted} {
			_, err := s.namespaces.Reconcile(t.Context(), operator, w.addOrg("org-"+state.String(), state))
			is.True(errors.Is(err, org.ErrState))
		}
		_, err := s.namespaces.Reconcile(t.Context(), operator, id.SystemOrg)
		is.True(errors.Is(err, org.ErrReserved))
		_, err = s.namespaces.Get(t.Context(), operator, id.SystemOrg)
		is.True(errors.Is(err, org.ErrReserved))
		o := w.addOrg("paused", org.Suspended)
		w.temporal.namespace = registered(o)
		_, err = s.namespaces.Reconcile(t.Context(), operator, o)
		is.NoErr(err)
	})

	t.Run("Should let only an operator keep executions for more than 90 days", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, s, o, by := setup(t)
		long := orgs.UpdateInput{Settings: &org.Settings{WorkflowRetentionDays: 365}}
		_, err := s.orgs.Update(t.Context(), by, o, long)
		is.Equal(fault.From(err).Fields[0].Pointer, "/settings/workflow_retention_days")
		_, err = s.orgs.Update(t.Context(), holder(id.SystemOrg, authz.Operator), o, long)
		is.NoErr(err)
		long.Settings.DeletionGraceDays = 30 // all settings are replaced: what an operator has set may stay
		_, err = s.orgs.Update(t.Context(), by, o, long)
		is.NoErr(err)
	})
}
