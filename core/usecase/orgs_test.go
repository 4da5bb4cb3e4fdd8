package usecase_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/usecase/bootstrap"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/core/user"
)

func TestOrgsCreate(t *testing.T) {
	t.Parallel()
	ada := orgs.FirstAdmin{Email: "ada@example.com", Name: "Ada"}
	in := orgs.CreateInput{Slug: "acme", Name: "Acme", Admin: ada}

	t.Run("Should leave organization, admin, operation, trail and message together", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		by := operator()
		c, err := newServices(w).orgs.Create(t.Context(), by, in)
		is.NoErr(err)
		is.Equal(c.Org.State(), org.Provisioning)
		o := c.Org.ID()
		is.Equal(w.orgOf(o), c.Org)
		is.Equal(len(c.Admins), 1)
		admin := c.Admins[0]
		is.Equal(w.userOf(o, admin.ID()), admin)
		is.Equal(admin.Role(), authz.Admin)
		is.Equal(admin.Snapshot().OrgID, o)
		is.Equal(w.operationOf(o, c.Operation.Snapshot().ID), c.Operation)
		trail := w.trail()
		is.Equal(len(trail), 2)
		is.Equal(trail[0].Action, audit.OrganizationCreated.String())
		is.Equal(trail[1].Action, audit.UserCreated.String())
		for _, l := range trail {
			is.Equal(l.Org, o)
			is.Equal(l.Actor, whoIs(by))
		}
		messages, err := w.unseen.outbox.Claim(t.Context(), w.clock.Now(), 10, time.Minute)
		is.NoErr(err)
		is.Equal(len(messages), 1)
		is.Equal(messages[0].Kind, outbox.ProvisionOrganization)
		is.Equal(messages[0].OrgID, o)
		var p outbox.ProvisionPayload
		is.NoErr(json.Unmarshal(messages[0].Payload, &p))
		is.Equal(p, outbox.ProvisionPayload{Organization: c.Org.ID(), Operation: c.Operation.Snapshot().ID})
	})

	for _, port := range []string{"WriteTx", "Orgs.Insert", "Users.Insert", "Operations.Insert", "Audit.Append", "Outbox.Append", "Commit"} {
		t.Run("Should leave nothing when it fails at "+port, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			w.breaks(port, fault.ErrUnavailable)
			before := w.contents()
			_, err := newServices(w).orgs.Create(t.Context(), operator(), in)
			is.True(errors.Is(err, fault.ErrUnavailable))
			is.Equal(w.contents(), before)
		})
	}

	t.Run("Should leave nothing when the slug is taken, and say so", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.addOrg("acme", org.Suspended)
		before := w.contents()
		_, err := newServices(w).orgs.Create(t.Context(), operator(), in)
		is.True(errors.Is(err, org.ErrSlugTaken))
		is.Equal(w.contents(), before)
	})

	t.Run("Should say where a rule is broken, before a transaction", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		for pointer, bad := range map[string]orgs.CreateInput{
			"/slug":                         {Slug: "A", Admin: ada},
			"/name":                         {Slug: "acme", Name: " x", Admin: ada},
			"/id":                           {ID: id.SystemOrg, Slug: "acme", Admin: ada},
			"/metadata":                     {Slug: "acme", Admin: ada, Metadata: org.Metadata{"A": ""}},
			"/settings/deletion_grace_days": {Slug: "acme", Admin: ada, Settings: org.Settings{DeletionGraceDays: 91}},
			"/admin":                        {Slug: "acme"},
			"/admin/name":                   {Slug: "acme", Admin: orgs.FirstAdmin{Email: "a@x", Name: "\x00"}},
			"/admins/1/email":               {Slug: "acme", Admins: []orgs.FirstAdmin{ada, {Email: "x"}}},
			"/admins/0/email":               {Slug: "acme", Admin: ada, Admins: []orgs.FirstAdmin{{Email: "ADA@example.com"}}},
			"/admins/0/name":                {Slug: "acme", Admins: []orgs.FirstAdmin{{Email: "a@x", Name: " "}}},
			"/admins":                       {Slug: "acme", Admin: ada, Admins: some(orgs.MaxAdmins)},
		} {
			_, err := newServices(w).orgs.Create(t.Context(), operator(), bad)
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer, pointer)
		}
		is.Equal(len(w.called()), 0)
	})
}

// some returns different admins.
func some(n int) []orgs.FirstAdmin {
	admins := make([]orgs.FirstAdmin, n)
	for i := range admins {
		admins[i].Email = fmt.Sprintf("admin-%d@example.com", i)
	}
	return admins
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
		is.Equal(len(w.called()), 0)
	})

	t.Run("Should answer a tenant the same for foreign, absent and malformed, without a query", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.addSystem()
		own, foreign := w.addOrg("own", org.Active), w.addOrg("foreign", org.Active)
		for _, ref := range []string{foreign.String(), "foreign", id.SystemOrg.String(), "system", "absent", "", "a\x00b", own.UUID().String(), "OWN"} {
			got, err := newServices(w).orgs.Resolve(t.Context(), holder(own, authz.Admin), ref)
			is.Equal(err, error(fault.ErrNotFound))
			is.True(got.IsZero())
		}
		is.Equal(len(w.called()), 0)
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
		is.Equal(w.called(), []string{"Platform.Org", "Platform.OrgBySlug", "Platform.Org", "Platform.OrgBySlug"})
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
		found := w.system()
		is.Equal(len(found.users), 1)
		is.Equal(len(found.keys), 2)
		trail := w.trail()
		is.Equal(len(trail), 3) // the operator and both keys
		for _, l := range trail {
			is.Equal(l.Org, id.SystemOrg)
			is.Equal(l.Actor, whoIs(authz.Bootstrap))
		}
		is.Equal(found.users[0].Snapshot().Email, "root@example.com")
		is.Equal(found.users[0].Role(), authz.Operator)
		hashes := map[any]authz.Set{}
		for _, k := range found.keys {
			hashes[k.Snapshot().Hash] = k.Snapshot().Scopes
		}
		is.Equal(hashes[peppers(t).Hash(first.OperatorKey)], authz.Set(0))
		is.Equal(hashes[peppers(t).Hash(first.WorkerKey)], authz.SetOf(authz.AssignmentsRead, authz.TokensWrite))

		before := w.contents()
		second, err := s.bootstrap.Run(t.Context(), "")
		is.NoErr(err)
		is.Equal(second, bootstrap.Result{}) // and no secret
		is.Equal(w.contents(), before)
	})

	t.Run("Should leave nothing when a step fails", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, port := range []string{"WriteTx", "Orgs.Insert", "Users.Insert", "APIKeys.Insert", "Audit.Append", "Commit"} {
			w := newWorld(t)
			w.breaks(port, fault.ErrUnavailable)
			before := w.contents()
			got, err := newServices(w).bootstrap.Run(t.Context(), "")
			is.True(errors.Is(err, fault.ErrUnavailable))
			is.Equal(got, bootstrap.Result{})
			is.Equal(w.contents(), before)
		}
	})

	t.Run("Should refuse a bad address, and a broken random source", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		_, err := newServices(w).bootstrap.Run(t.Context(), "x")
		is.True(errors.Is(err, fault.ErrInvalid))
		_, err = bootstrap.New(w.store, w.clock, peppers(t), iotest.ErrReader(io.ErrUnexpectedEOF)).Run(t.Context(), "")
		is.True(errors.Is(err, io.ErrUnexpectedEOF))
		is.Equal(len(w.called()), 0)
	})

	t.Run("Should give a new key to the first active operator, on whichever page", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.addSystem()
		w.addUser(id.SystemOrg, authz.Operator, user.Suspended)
		w.addUser(id.SystemOrg, authz.Admin, user.Active)
		want := w.addUser(id.SystemOrg, authz.Operator, user.Active)
		w.addUser(id.SystemOrg, authz.Operator, user.Active)
		got, err := s.bootstrap.NewOperatorKey(t.Context())
		is.NoErr(err)
		is.True(!got.Created)
		found := w.system()
		is.Equal(len(found.keys), 1)
		is.Equal(found.keys[0].Snapshot().UserID, want)
		is.Equal(found.keys[0].Snapshot().Hash, peppers(t).Hash(got.OperatorKey))
		is.Equal(len(w.trail()), 1)
	})

	t.Run("Should say when there is no operator", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.addSystem()
		w.addUser(id.SystemOrg, authz.Operator, user.Removed)
		w.addUser(id.SystemOrg, authz.Admin, user.Active)
		_, err := newServices(w).bootstrap.NewOperatorKey(t.Context())
		is.True(errors.Is(err, bootstrap.ErrNoOperator))
		is.Equal(w.rows("api_keys"), 0)

		w.breaks("Reads.Users", fault.ErrUnavailable)
		_, err = newServices(w).bootstrap.NewOperatorKey(t.Context())
		is.True(errors.Is(err, fault.ErrUnavailable))
	})
}

// found is who may act for the system organization.
type found struct {
	users []user.User
	keys  []apikey.Key
}

func (w *world) system() found {
	w.t.Helper()
	reads, all := w.unseen.store.Reads(id.SystemOrg), page.Request{Limit: page.MaxLimit}
	users, err := reads.Users(w.t.Context(), user.Filter{}, all)
	must(w.t, err)
	keys, err := reads.APIKeys(w.t.Context(), apikey.Filter{}, all)
	must(w.t, err)
	return found{users.Items, keys.Items}
}
