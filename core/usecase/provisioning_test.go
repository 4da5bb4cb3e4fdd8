package usecase_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
)

func TestProvisioning(t *testing.T) {
	t.Parallel()

	type step struct {
		name string
		done operation.Step
		call func(s services, t *testing.T, p outbox.ProvisionPayload) error
	}
	steps := []step{
		{"Ensure", operation.NamespaceRegistered, func(s services, t *testing.T, p outbox.ProvisionPayload) error {
			return s.provisioning.EnsureNamespace(t.Context(), p, 3)
		}},
		{"EnsureSearchAttributes", operation.SearchAttributesAdded, func(s services, t *testing.T, p outbox.ProvisionPayload) error {
			return s.provisioning.EnsureSearchAttributes(t.Context(), p, 3)
		}},
		{"Probe", operation.NamespaceUsable, func(s services, t *testing.T, p outbox.ProvisionPayload) error {
			return s.provisioning.Probe(t.Context(), p, 3)
		}},
	}
	activate := func(s services, t *testing.T, p outbox.ProvisionPayload) error {
		return s.provisioning.Activate(t.Context(), p, 1)
	}
	setup := func(t *testing.T) (*world, services, outbox.ProvisionPayload, string) {
		t.Helper()
		w := newWorld(t)
		p := w.addProvisioning("acme")
		return w, newServices(w), p, w.namespaceOf(p.Organization)
	}

	t.Run("Should lead to an active organization, each step twice over", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, p, namespace := setup(t)
		for _, st := range steps {
			for range 2 {
				is.NoErr(st.call(s, t, p))
				is.Equal(w.progress(p).Step, st.done)
				is.Equal(w.progress(p).State, operation.Running)
			}
		}
		is.Equal(w.temporal.blueprints[0].Namespace, namespace)
		is.Equal(w.temporal.blueprints[0].Owner, p.Organization)
		is.Equal(w.temporal.blueprints[0].Retention.Hours(), 72.0)
		for range 2 {
			is.NoErr(activate(s, t, p))
			is.Equal(w.stateOf(p.Organization), org.Active)
			is.Equal(w.progress(p).State, operation.Succeeded)
			is.Equal(w.progress(p).Step, operation.OrganizationActivated)
			trail := w.trail()
			is.Equal(len(trail), 1) // one activation
			is.Equal(trail[0].Action, audit.OrganizationActivated.String())
			is.Equal(trail[0].Org, p.Organization)
			is.Equal(trail[0].Actor, whoIs(authz.Provisioner))
		}
		forgotten := func() int {
			n := 0
			for _, c := range w.called() {
				if c == "ForgetProbe "+namespace {
					n++
				}
			}
			return n
		}
		is.Equal(forgotten(), 2)
		before, calls := w.contents(), len(w.called())
		for _, st := range steps {
			is.NoErr(st.call(s, t, p)) // late repetitions do nothing
		}
		is.Equal(w.contents(), before)
		is.Equal(w.called()[calls:], []string{"Reads.Org", "Reads.Org", "Reads.Org"}) // only the three reads of the state
	})

	t.Run("Should be done although the probe can not be removed", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, p, namespace := setup(t)
		w.breaks("ForgetProbe "+namespace, fault.ErrUnavailable)
		is.NoErr(activate(s, t, p))
		is.Equal(w.stateOf(p.Organization), org.Active)
	})

	for _, st := range steps {
		t.Run("Should record why the step stumbled, for the public: "+st.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w, s, p, namespace := setup(t)
			cause := errors.New("dial tcp 10.1.2.3:7233: refused")
			w.breaks(st.name+" "+namespace, fault.ErrUnavailable.Because(cause))
			err := st.call(s, t, p)
			is.True(errors.Is(err, cause))
			got := w.progress(p)
			is.Equal(got.Attempts, 3)
			is.Equal(got.Failure, fault.ErrUnavailable.Public)
			is.Equal(got.FailureCode, "unavailable")
			is.Equal(got.State, operation.Running)

			w.breaks(st.name+" "+namespace, cause) // no fault at all
			is.True(errors.Is(st.call(s, t, p), cause))
			is.Equal(w.progress(p).Failure, fault.ErrInternal.Public)
			is.Equal(w.progress(p).FailureCode, "internal")

			w.mends(st.name + " " + namespace)
			is.NoErr(st.call(s, t, p))
			is.Equal(w.progress(p).Failure+w.progress(p).FailureCode, "")
			is.Equal(w.progress(p).Attempts, 0)
		})

		t.Run("Should not hide why it failed behind a record that failed too: "+st.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w, s, p, namespace := setup(t)
			w.breaks("Operations.Update", io.ErrUnexpectedEOF)
			is.True(errors.Is(st.call(s, t, p), io.ErrUnexpectedEOF)) // a success that is not on record is repeated
			w.breaks(st.name+" "+namespace, fault.ErrTimeout)
			is.Equal(st.call(s, t, p), error(fault.ErrTimeout))
		})

		t.Run("Should do nothing for an organization that is not being provisioned: "+st.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w, s, p, _ := setup(t)
			for _, state := range []org.State{org.Failed, org.Suspended, org.Deleting, org.Deleted} {
				w.setState(p.Organization, state)
				before := w.contents()
				w.forget()
				is.True(errors.Is(st.call(s, t, p), org.ErrState))
				is.Equal(w.called(), []string{"Reads.Org"})
				is.True(errors.Is(activate(s, t, p), org.ErrState))
				is.Equal(w.contents(), before)
			}
			w.setState(p.Organization, org.Provisioning)
			w.breaks("Reads.Org", fault.ErrUnavailable)
			is.True(errors.Is(st.call(s, t, p), fault.ErrUnavailable))
		})
	}

	t.Run("Should fail once, with its reason for the public", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, p, _ := setup(t)
		cause := fault.ErrUnavailable.Because(errors.New("password=hunter2"))
		for range 2 {
			is.NoErr(s.provisioning.Fail(t.Context(), p, cause))
			row := w.orgOf(p.Organization)
			is.Equal(row.State(), org.Failed)
			is.Equal(row.Snapshot().StateReason, fault.ErrUnavailable.Public)
			is.Equal(w.progress(p).State, operation.Failed)
			is.Equal(w.progress(p).Failure, fault.ErrUnavailable.Public)
			is.Equal(w.progress(p).FailureCode, "unavailable")
			trail := w.trail()
			is.Equal(len(trail), 1)
			is.Equal(trail[0].Action, audit.OrganizationProvisioningFailed.String())
			is.Equal(trail[0].Actor, whoIs(authz.Provisioner))
			is.Equal(trail[0].Outcome, audit.Errored.String())
			is.Equal(trail[0].Changes["reason"], audit.Created(fault.ErrUnavailable.Public))
		}
		is.True(!strings.Contains(strings.Join(w.contents(), ""), "hunter2"))
	})

	t.Run("Should not fail what is active", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, p, _ := setup(t)
		is.NoErr(activate(s, t, p))
		before := w.contents()
		is.NoErr(s.provisioning.Fail(t.Context(), p, fault.ErrTimeout))
		is.Equal(w.contents(), before)
	})

	t.Run("Should activate and fail with the trail or not at all", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, port := range []string{"Orgs.Update", "Operations.Update", "Audit.Append", "Commit"} {
			w, s, p, _ := setup(t)
			w.breaks(port, fault.ErrUnavailable)
			before := w.contents()
			is.True(errors.Is(activate(s, t, p), fault.ErrUnavailable))
			is.True(errors.Is(s.provisioning.Fail(t.Context(), p, fault.ErrTimeout), fault.ErrUnavailable))
			is.Equal(w.contents(), before)
		}
	})
}

// addProvisioning stores an organization that is being provisioned.
func (w *world) addProvisioning(slug string) outbox.ProvisionPayload {
	w.t.Helper()
	o := w.addOrg(slug, org.Provisioning)
	return outbox.ProvisionPayload{Organization: o, Operation: w.addOperation(o)}
}

func (w *world) progress(p outbox.ProvisionPayload) operation.Snapshot {
	w.t.Helper()
	op := w.operationOf(p.Organization, p.Operation)
	return op.Snapshot()
}
