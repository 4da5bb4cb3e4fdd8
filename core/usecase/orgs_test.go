package usecase_test

import (
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/usecase/bootstrap"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/core/user"
)

func TestOrgsCreate(t *testing.T) {
	t.Parallel()
	in := orgs.CreateInput{Slug: "acme", Name: "Acme", AdminEmail: "ada@example.com", AdminName: "Ada"}

	t.Run("Should leave organization, admin, operation, trail and message together", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		by := operator()
		c, err := newServices(w).orgs.Create(t.Context(), by, in)
		is.NoErr(err)
		is.Equal(c.Org.State(), org.Provisioning)
		is.Equal(w.orgs[c.Org.ID()], c.Org)
		is.Equal(w.users[c.Admin.ID()], c.Admin)
		is.Equal(c.Admin.Role(), authz.Admin)
		is.Equal(c.Admin.Snapshot().OrgID, c.Org.ID())
		is.Equal(w.ops[c.Operation.Snapshot().ID], c.Operation)
		is.Equal(len(w.trail), 2)
		is.Equal(w.trail[0].Action, audit.OrganizationCreated)
		is.Equal(w.trail[0].Actor, by)
		is.Equal(w.trail[1].Action, audit.UserCreated)
		is.Equal(len(w.messages), 1)
		var p outbox.ProvisionPayload
		is.NoErr(json.Unmarshal(w.messages[0].Payload, &p))
		is.Equal(p, outbox.ProvisionPayload{Organization: c.Org.ID(), Operation: c.Operation.Snapshot().ID})
	})

	for _, port := range []string{"WriteTx", "Orgs.Insert", "Users.Insert", "Operations.Insert", "Audit.Append", "Outbox.Append", "Commit"} {
		t.Run("Should leave nothing when it fails at "+port, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			w.fail[port] = fault.ErrUnavailable
			_, err := newServices(w).orgs.Create(t.Context(), operator(), in)
			is.True(errors.Is(err, fault.ErrUnavailable))
			is.Equal(len(w.orgs)+len(w.users)+len(w.ops)+len(w.trail)+len(w.messages), 0)
		})
	}

	t.Run("Should say where a rule is broken, before a transaction", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		for pointer, bad := range map[string]orgs.CreateInput{
			"/slug":        {Slug: "A", AdminEmail: "a@x"},
			"/name":        {Slug: "acme", Name: " x", AdminEmail: "a@x"},
			"/admin/email": {Slug: "acme", AdminEmail: "x"},
			"/admin/name":  {Slug: "acme", AdminEmail: "a@x", AdminName: "\x00"},
		} {
			_, err := newServices(w).orgs.Create(t.Context(), operator(), bad)
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer, pointer)
		}
		is.Equal(len(w.calls), 0)
	})
}

func TestOrgsResolve(t *testing.T) {
	t.Parallel()

	t.Run("Should know one's own organization without a query", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		own := id.New[id.OrgKind]()
		for _, r := range authz.Roles() {
			for _, ref := range []string{own.String(), "own"} {
				got, err := newServices(w).orgs.Resolve(t.Context(), holder(own, r), ref)
				is.NoErr(err)
				is.Equal(got, own)
			}
		}
		is.Equal(len(w.calls), 0)
	})

	t.Run("Should answer a tenant the same for foreign, absent and malformed, without a query", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		own, foreign := w.addOrg("own", org.Active), w.addOrg("foreign", org.Active)
		for _, ref := range []string{foreign.String(), "foreign", id.SystemOrg.String(), "system", "absent", "", "a\x00b", own.UUID().String(), "OWN"} {
			got, err := newServices(w).orgs.Resolve(t.Context(), holder(own, authz.Admin), ref)
			is.Equal(err, error(fault.ErrNotFound))
			is.True(got.IsZero())
		}
		is.Equal(len(w.calls), 0)
	})

	t.Run("Should find every organization for an operator, by id and by slug", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		acme := w.addOrg("acme", org.Suspended)
		s := newServices(w)
		for _, ref := range []string{acme.String(), "acme"} {
			got, err := s.orgs.Resolve(t.Context(), operator(), ref)
			is.NoErr(err)
			is.Equal(got, acme)
		}
		for _, ref := range []string{id.New[id.OrgKind]().String(), "absent"} {
			_, err := s.orgs.Resolve(t.Context(), operator(), ref)
			is.True(errors.Is(err, fault.ErrNotFound))
		}
		is.Equal(w.calls, []string{"Platform.Org", "Platform.OrgBySlug", "Platform.Org", "Platform.OrgBySlug"})
	})
}

func TestBootstrap(t *testing.T) {
	t.Parallel()

	t.Run("Should make the system organization once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		first, err := s.bootstrap.Run(t.Context(), "Root@example.com")
		is.NoErr(err)
		is.True(first.Created)
		is.Equal(w.stateOf(id.SystemOrg), org.Active)
		is.Equal(len(w.users), 1)
		is.Equal(len(w.keys), 2)
		is.Equal(len(w.trail), 3) // the operator and both keys
		for _, u := range w.users {
			is.Equal(u.Snapshot().Email, "root@example.com")
			is.Equal(u.Role(), authz.Operator)
		}
		hashes := map[any]authz.Set{}
		for _, k := range w.keys {
			hashes[k.Snapshot().Hash] = k.Snapshot().Scopes
		}
		is.Equal(hashes[peppers(t).Hash(first.OperatorKey)], authz.Set(0))
		is.Equal(hashes[peppers(t).Hash(first.WorkerKey)], authz.SetOf(authz.AssignmentsRead, authz.TokensWrite))

		before := w.clone()
		second, err := s.bootstrap.Run(t.Context(), "")
		is.NoErr(err)
		is.Equal(second, bootstrap.Result{}) // and no secret
		is.Equal(w.rows, before)
	})

	t.Run("Should leave nothing when a step fails", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, port := range []string{"WriteTx", "Orgs.Insert", "Users.Insert", "APIKeys.Insert", "Audit.Append", "Commit"} {
			w := newWorld(t)
			w.fail[port] = fault.ErrUnavailable
			got, err := newServices(w).bootstrap.Run(t.Context(), "")
			is.True(errors.Is(err, fault.ErrUnavailable))
			is.Equal(got, bootstrap.Result{})
			is.Equal(len(w.orgs)+len(w.users)+len(w.keys)+len(w.trail), 0)
		}
	})

	t.Run("Should refuse a bad address, and a broken random source", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		_, err := newServices(w).bootstrap.Run(t.Context(), "x")
		is.True(errors.Is(err, fault.ErrInvalid))
		_, err = bootstrap.New(w, w, peppers(t), iotest.ErrReader(io.ErrUnexpectedEOF)).Run(t.Context(), "")
		is.True(errors.Is(err, io.ErrUnexpectedEOF))
		is.Equal(len(w.calls), 0)
	})

	t.Run("Should give a new key to the first active operator, on whichever page", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.addUser(id.SystemOrg, authz.Operator, user.Suspended)
		w.addUser(id.SystemOrg, authz.Admin, user.Active)
		want := w.addUser(id.SystemOrg, authz.Operator, user.Active)
		w.addUser(id.SystemOrg, authz.Operator, user.Active)
		got, err := s.bootstrap.NewOperatorKey(t.Context())
		is.NoErr(err)
		is.True(!got.Created)
		is.Equal(len(w.keys), 1)
		for _, k := range w.keys {
			is.Equal(k.Snapshot().UserID, want)
			is.Equal(k.Snapshot().Hash, peppers(t).Hash(got.OperatorKey))
		}
		is.Equal(len(w.trail), 1)
	})

	t.Run("Should say when there is no operator", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.addUser(id.SystemOrg, authz.Operator, user.Removed)
		w.addUser(id.SystemOrg, authz.Admin, user.Active)
		_, err := newServices(w).bootstrap.NewOperatorKey(t.Context())
		is.True(errors.Is(err, bootstrap.ErrNoOperator))
		is.Equal(len(w.keys), 0)

		w.fail["Reads.Users"] = fault.ErrUnavailable
		_, err = newServices(w).bootstrap.NewOperatorKey(t.Context())
		is.True(errors.Is(err, fault.ErrUnavailable))
	})
}

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
		o := w.addOrg("acme", org.Provisioning)
		op := operation.New(id.New[id.OperationKind](), o, operation.ProvisionOrganization, w.now)
		w.ops[op.Snapshot().ID] = op
		row := w.orgs[o]
		return w, newServices(w), outbox.ProvisionPayload{Organization: o, Operation: op.Snapshot().ID}, row.Namespace()
	}

	t.Run("Should lead to an active organization, each step twice over", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, p, namespace := setup(t)
		for _, st := range steps {
			for range 2 {
				is.NoErr(st.call(s, t, p))
				is.Equal(w.operation(p.Operation).Step, st.done)
				is.Equal(w.operation(p.Operation).State, operation.Running)
			}
		}
		is.Equal(w.blueprints[0].Namespace, namespace)
		is.Equal(w.blueprints[0].Owner, p.Organization)
		is.Equal(w.blueprints[0].Retention.Hours(), 72.0)
		for range 2 {
			is.NoErr(activate(s, t, p))
			is.Equal(w.stateOf(p.Organization), org.Active)
			is.Equal(w.operation(p.Operation).State, operation.Succeeded)
			is.Equal(w.operation(p.Operation).Step, operation.OrganizationActivated)
			is.Equal(len(w.trail), 1) // one activation
			is.Equal(w.trail[0].Action, audit.OrganizationActivated)
			is.Equal(w.trail[0].Actor, authz.Provisioner)
		}
		before, calls := w.clone(), len(w.calls)
		for _, st := range steps {
			is.NoErr(st.call(s, t, p)) // late repetitions do nothing
		}
		is.Equal(w.rows, before)
		is.Equal(len(w.calls), calls+3) // only the three reads of the state
	})

	for _, st := range steps {
		t.Run("Should record why the step stumbled, for the public: "+st.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w, s, p, namespace := setup(t)
			cause := errors.New("dial tcp 10.1.2.3:7233: refused")
			w.fail[st.name+" "+namespace] = fault.ErrUnavailable.Because(cause)
			err := st.call(s, t, p)
			is.True(errors.Is(err, cause))
			got := w.operation(p.Operation)
			is.Equal(got.Attempts, 3)
			is.Equal(got.Failure, fault.ErrUnavailable.Public)
			is.Equal(got.State, operation.Running)

			w.fail[st.name+" "+namespace] = cause // no fault at all
			is.True(errors.Is(st.call(s, t, p), cause))
			is.Equal(w.operation(p.Operation).Failure, fault.ErrInternal.Public)

			delete(w.fail, st.name+" "+namespace)
			is.NoErr(st.call(s, t, p))
			is.Equal(w.operation(p.Operation).Failure, "")
			is.Equal(w.operation(p.Operation).Attempts, 0)
		})

		t.Run("Should not hide why it failed behind a record that failed too: "+st.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w, s, p, namespace := setup(t)
			w.fail["Operations.Update"] = io.ErrUnexpectedEOF
			is.True(errors.Is(st.call(s, t, p), io.ErrUnexpectedEOF)) // a success that is not on record is repeated
			w.fail[st.name+" "+namespace] = fault.ErrTimeout
			is.Equal(st.call(s, t, p), error(fault.ErrTimeout))
		})

		t.Run("Should do nothing for an organization that is not being provisioned: "+st.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			for _, state := range []org.State{org.Failed, org.Suspended, org.Deleting, org.Deleted} {
				w, s, p, _ := setup(t)
				w.set(p.Organization, state)
				is.True(errors.Is(st.call(s, t, p), org.ErrState))
				is.Equal(w.calls, []string{"Reads.Org"})
				is.True(errors.Is(activate(s, t, p), org.ErrState))
				is.Equal(w.stateOf(p.Organization), state)
			}
			w, s, p, _ := setup(t)
			w.fail["Reads.Org"] = fault.ErrUnavailable
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
			row := w.orgs[p.Organization]
			is.Equal(row.State(), org.Failed)
			is.Equal(row.Snapshot().StateReason, fault.ErrUnavailable.Public)
			is.Equal(w.operation(p.Operation).State, operation.Failed)
			is.Equal(w.operation(p.Operation).Failure, fault.ErrUnavailable.Public)
			is.Equal(len(w.trail), 1)
			is.Equal(w.trail[0].Action, audit.OrganizationProvisioningFailed)
			is.Equal(w.trail[0].Outcome, audit.Errored)
			is.Equal(w.trail[0].Changes["reason"], audit.Created(fault.ErrUnavailable.Public))
		}
	})

	t.Run("Should not fail what is active", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, p, _ := setup(t)
		is.NoErr(activate(s, t, p))
		before := w.clone()
		is.NoErr(s.provisioning.Fail(t.Context(), p, fault.ErrTimeout))
		is.Equal(w.rows, before)
	})

	t.Run("Should activate and fail with the trail or not at all", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, port := range []string{"Orgs.Update", "Operations.Update", "Audit.Append", "Commit"} {
			w, s, p, _ := setup(t)
			w.fail[port] = fault.ErrUnavailable
			before := w.clone()
			is.True(errors.Is(activate(s, t, p), fault.ErrUnavailable))
			is.True(errors.Is(s.provisioning.Fail(t.Context(), p, fault.ErrTimeout), fault.ErrUnavailable))
			is.Equal(w.rows, before)
		}
	})
}
