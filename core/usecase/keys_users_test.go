package usecase_test

import (
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/user"
)

func TestAPIKeysCreate(t *testing.T) {
	t.Parallel()
	managing := slices.DeleteFunc(permissions(), func(p authz.Permission) bool {
		return p != authz.APIKeysCreate && !authz.Manager.Permissions().Has(p)
	})

	t.Run("Should keep the hash and the trail, and the secret nowhere", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		owner := w.addUser(o, authz.Member, user.Active)
		by := holder(o, authz.Admin)
		key, secret, err := s.apikeys.Create(t.Context(), by, o, apikeys.CreateInput{
			UserID: owner, Name: "ci", Scopes: []string{"workflows:start"}, ExpiresAt: new(w.clock.Now().Add(time.Hour + 1)),
		})
		is.NoErr(err)
		got := key.Snapshot()
		is.Equal(got.Hash, peppers(t).Hash(secret))
		is.Equal(got.UserID, owner)
		is.Equal(got.ExpiresAt, w.clock.Now().Add(time.Hour)) // as exact as the database
		is.Equal(got.Scopes, authz.SetOf(authz.WorkflowsStart))
		is.Equal(w.keyOf(o, got.ID), key)
		is.Equal(w.rows("api_keys"), 1)

		trail := w.trail()
		is.Equal(len(trail), 1)
		e := trail[0]
		is.Equal(e.Action, audit.APIKeyCreated.String())
		is.Equal(e.Org, o)
		is.Equal(e.At, w.clock.Now())
		is.Equal(e.Actor, whoIs(by))
		is.Equal(e.ResourceID, got.ID.String())
		everything := strings.Join(w.contents(), "")
		is.True(strings.Contains(everything, secret.Reveal()[:12])) // the hint
		inside := secret.Reveal()[12:20]
		is.True(!strings.Contains(everything, inside))
		is.True(!strings.Contains(everything, hex.EncodeToString([]byte(inside)))) // as bytes are shown
	})

	for name, c := range map[string]struct {
		by     authz.Role
		narrow []authz.Permission
		owner  authz.Role // zero: the organization itself
		scopes []string
		want   error
	}{
		"an admin, for a member":                           {authz.Admin, nil, authz.Member, nil, nil},
		"an admin, for themselves":                         {authz.Admin, nil, authz.Admin, nil, nil},
		"a manager, for a viewer":                          {authz.Manager, nil, authz.Viewer, nil, fault.ErrForbidden},
		"a manager, for themselves":                        {authz.Manager, nil, authz.Manager, nil, fault.ErrForbidden},
		"an admin, for the organization":                   {authz.Admin, nil, authz.Role{}, []string{"users:read"}, nil},
		"an admin, for the organization, without scopes":   {authz.Admin, nil, authz.Role{}, nil, apikey.ErrScopesUnset},
		"a narrow key, for the same narrowness":            {authz.Admin, []authz.Permission{authz.APIKeysCreate}, authz.Admin, []string{"apikeys:create"}, nil},
		"a narrow key, for more":                           {authz.Admin, []authz.Permission{authz.APIKeysCreate}, authz.Admin, []string{"apikeys:create", "users:read"}, authz.ErrPowerExceeded},
		"a narrow key, for all of a viewer":                {authz.Admin, []authz.Permission{authz.APIKeysCreate}, authz.Viewer, nil, authz.ErrPowerExceeded},
		"a narrow key, for the organization":               {authz.Admin, []authz.Permission{authz.APIKeysCreate}, authz.Role{}, []string{"users:read"}, authz.ErrPowerExceeded},
		"an admin, for power over the platform":            {authz.Admin, nil, authz.Role{}, []string{"organizations:create"}, authz.ErrPowerExceeded},
		"an admin, for scopes that a viewer may get later": {authz.Admin, nil, authz.Viewer, []string{"organizations:list"}, authz.ErrPowerExceeded},
		"a key of a manager's power, for a manager":        {authz.Admin, managing, authz.Manager, nil, nil},
		"a key of a manager's power, for an admin":         {authz.Admin, managing, authz.Admin, nil, authz.ErrPowerExceeded},
		"a scope that is none":                             {authz.Admin, nil, authz.Role{}, []string{"users:read", "users:fly"}, apikey.ErrUnknownScope},
	} {
		t.Run("Should bound the key's power by its maker's: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w)
			o := w.addOrg("own", org.Active)
			in := apikeys.CreateInput{Name: "n", Scopes: c.scopes}
			if !c.owner.IsZero() {
				in.UserID = w.addUser(o, c.owner, user.Active)
			}
			_, secret, err := s.apikeys.Create(t.Context(), holder(o, c.by, c.narrow...), o, in)
			is.True(errors.Is(err, c.want))
			is.Equal(err == nil, c.want == nil)
			is.Equal(secret.Reveal() == "", err != nil)
			kept := 0
			if err == nil {
				kept = 1
			}
			is.Equal(w.rows("api_keys"), kept)
			is.Equal(len(w.trail()), kept)
		})
	}

	t.Run("Should let no one but an operator make a key of the platform's reach", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.addSystem()
		boss := w.addUser(id.SystemOrg, authz.Operator, user.Active)
		for _, owner := range []id.User{{}, boss} {
			in := apikeys.CreateInput{UserID: owner, Name: "n", Scopes: []string{"workflows:read"}}
			_, _, err := s.apikeys.Create(t.Context(), holder(id.SystemOrg, authz.Admin), id.SystemOrg, in)
			is.True(errors.Is(err, authz.ErrPowerExceeded)) // it would read the workflows of every tenant
			_, _, err = s.apikeys.Create(t.Context(), operator(), id.SystemOrg, in)
			is.NoErr(err)
		}
	})

	t.Run("Should say where an unknown scope stands", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		_, _, err := newServices(w).apikeys.Create(t.Context(), holder(o, authz.Admin), o, apikeys.CreateInput{Name: "n", Scopes: []string{"users:read", "x"}})
		is.Equal(fault.From(err).Fields[0].Pointer, "/scopes/1")
		is.Equal(len(w.called()), 0)
	})

	t.Run("Should need an active user of the organization, and tell no more", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o, foreign := w.addOrg("own", org.Active), w.addOrg("foreign", org.Active)
		var texts []string
		for _, u := range []id.User{
			id.New[id.UserKind](), w.addUser(foreign, authz.Viewer, user.Active),
			w.addUser(o, authz.Viewer, user.Suspended), w.addUser(o, authz.Viewer, user.Removed),
		} {
			_, _, err := s.apikeys.Create(t.Context(), holder(o, authz.Admin), o, apikeys.CreateInput{UserID: u, Name: "n"})
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer, "/user_id")
			texts = append(texts, err.Error())
		}
		for _, text := range texts {
			is.Equal(text, texts[0])
		}
		is.Equal(w.rows("api_keys"), 0)
	})

	t.Run("Should show no secret of a key that was not kept", func(t *testing.T) {
		t.Parallel()
		for _, port := range []string{"WriteTx", "Users.Lock", "APIKeys.Insert", "Audit.Append", "Commit"} {
			t.Run("Should fail with "+port, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				w := newWorld(t)
				w.breaks(port, fault.ErrUnavailable)
				o := w.addOrg("own", org.Active)
				u := w.addUser(o, authz.Viewer, user.Active)
				before := w.contents()
				_, secret, err := newServices(w).apikeys.Create(t.Context(), holder(o, authz.Admin), o, apikeys.CreateInput{UserID: u, Name: "n"})
				is.True(errors.Is(err, fault.ErrUnavailable))
				is.Equal(secret.Reveal(), "")
				is.Equal(w.contents(), before)
			})
		}
	})

	t.Run("Should fail without random numbers", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s := apikeys.New(w.store, newServices(w).limits, limit.Standard{}, w.clock, peppers(t), iotest.ErrReader(io.ErrUnexpectedEOF))
		_, _, err := s.Create(t.Context(), holder(o, authz.Admin), o, apikeys.CreateInput{Name: "n", Scopes: []string{"users:read"}})
		is.True(errors.Is(err, io.ErrUnexpectedEOF))
		is.Equal(len(w.called()), 0)
	})

	t.Run("Should refuse a broken rule before a transaction", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		_, _, err := newServices(w).apikeys.Create(t.Context(), holder(o, authz.Admin), o, apikeys.CreateInput{Scopes: []string{"users:read"}})
		is.True(errors.Is(err, fault.ErrInvalid))
		is.Equal(len(w.called()), 0)
	})
}

func TestAPIKeysExpiry(t *testing.T) {
	t.Parallel()

	t.Run("Should make no key that outlives the one it is made with", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		end := w.clock.Now().Add(time.Hour)
		by := authz.NewKeyActor(authz.KeyHolder{Org: o, Key: id.New[id.APIKeyKind](), Role: authz.Admin, ExpiresAt: end})
		create := func(until time.Time) error {
			_, _, err := newServices(w).apikeys.Create(t.Context(), by, o, apikeys.CreateInput{
				Name: "n", Scopes: []string{"users:read"}, ExpiresAt: &until,
			})
			return err
		}
		before := w.contents()
		for _, until := range []time.Time{{}, end.Add(time.Microsecond)} {
			err := create(until)
			is.True(fault.IsKind(err, fault.Invalid))
			is.Equal(fault.From(err).Fields[0].Pointer, "/expires_at")
		}
		is.Equal(w.contents(), before)
		is.NoErr(create(end))
	})
}

func TestAPIKeysRevoke(t *testing.T) {
	t.Parallel()

	t.Run("Should revoke once and succeed again, with one line in the trail", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		by := holder(o, authz.Admin)
		key, _, err := s.apikeys.Create(t.Context(), by, o, apikeys.CreateInput{Name: "n", Scopes: []string{"users:read"}})
		is.NoErr(err)
		w.clock.advance(time.Hour)
		revokedAt := w.clock.Now()
		for range 2 {
			got, err := s.apikeys.Revoke(t.Context(), by, o, key.Snapshot().ID)
			is.NoErr(err)
			is.Equal(got.Snapshot().State, apikey.Revoked)
			is.Equal(got.Snapshot().RevokedAt, revokedAt) // the first time
			is.Equal(got.Snapshot().Version, int64(2))
			is.Equal(w.keyOf(o, key.Snapshot().ID), got)
			w.clock.advance(time.Hour)
		}
		trail := w.trail()
		is.Equal(len(trail), 2) // created, revoked
		is.Equal(trail[1].Action, audit.APIKeyRevoked.String())
		is.Equal(trail[1].Actor, whoIs(by))
		is.Equal(trail[1].ResourceID, key.Snapshot().ID.String())
		is.Equal(trail[1].Changes["state"], audit.Change{Before: "active", After: "revoked"})
	})

	t.Run("Should leave the platform's keys to the platform", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.addSystem()
		k := id.New[id.APIKeyKind]()
		w.addKey(apikey.Snapshot{ID: k, OrgID: id.SystemOrg, Name: "fleet", State: apikey.Active, Version: 1})
		before := w.contents()
		_, err := newServices(w).apikeys.Revoke(t.Context(), holder(id.SystemOrg, authz.Admin), id.SystemOrg, k)
		is.True(errors.Is(err, authz.ErrPowerExceeded))
		is.Equal(w.contents(), before) // nobody is locked out
		_, err = newServices(w).apikeys.Revoke(t.Context(), holder(id.SystemOrg, authz.Operator, authz.APIKeysRevoke), id.SystemOrg, k)
		is.NoErr(err)
	})

	t.Run("Should not revoke without a trail", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		k := id.New[id.APIKeyKind]()
		w.addKey(apikey.Snapshot{ID: k, OrgID: o, Name: "n", State: apikey.Active, Version: 1})
		w.breaks("Audit.Append", fault.ErrUnavailable)
		before := w.contents()
		_, err := newServices(w).apikeys.Revoke(t.Context(), holder(o, authz.Admin), o, k)
		is.True(errors.Is(err, fault.ErrUnavailable))
		is.Equal(w.contents(), before) // active, that is
	})

	t.Run("Should find nothing under an unknown id, nor under another organization's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o, foreign, k := w.addOrg("own", org.Active), w.addOrg("foreign", org.Active), id.New[id.APIKeyKind]()
		w.addKey(apikey.Snapshot{ID: k, OrgID: foreign, Name: "n", State: apikey.Active, Version: 1})
		before := w.contents()
		for _, which := range []id.APIKey{id.New[id.APIKeyKind](), k, {}} {
			_, err := newServices(w).apikeys.Revoke(t.Context(), holder(o, authz.Admin), o, which)
			is.True(errors.Is(err, fault.ErrNotFound))
		}
		is.Equal(w.contents(), before)
	})
}

func TestUsersAdd(t *testing.T) {
	t.Parallel()

	t.Run("Should add the user with a line in the trail", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		by := holder(o, authz.Manager)
		u, err := newServices(w).users.Add(t.Context(), by, o, users.AddInput{Email: "Ada@Example.com", Role: authz.Member.String()})
		is.NoErr(err)
		is.Equal(u.Snapshot().Email, "ada@example.com")
		is.Equal(u.Snapshot().OrgID, o)
		is.Equal(u.Snapshot().CreatedAt, w.clock.Now())
		is.Equal(w.userOf(o, u.ID()), u)
		trail := w.trail()
		is.Equal(len(trail), 1)
		is.Equal(trail[0].Action, audit.UserCreated.String())
		is.Equal(trail[0].Org, o)
		is.Equal(trail[0].Actor, whoIs(by))
		is.Equal(trail[0].ResourceID, u.ID().String())
		is.Equal(trail[0].Changes["role"], audit.Created("member"))
	})

	for name, c := range map[string]struct {
		by     authz.Role
		narrow []authz.Permission
		role   authz.Role
		system bool
		want   error
	}{
		"a manager, a manager":                     {authz.Manager, nil, authz.Manager, false, nil},
		"a manager, an admin":                      {authz.Manager, nil, authz.Admin, false, authz.ErrPowerExceeded},
		"an admin, an admin":                       {authz.Admin, nil, authz.Admin, false, nil},
		"an admin, an operator":                    {authz.Admin, nil, authz.Operator, false, user.ErrOperatorOutside},
		"a narrow key, a viewer":                   {authz.Admin, []authz.Permission{authz.UsersCreate}, authz.Viewer, false, authz.ErrPowerExceeded},
		"nobody in particular, no role":            {authz.Admin, nil, authz.Role{}, false, fault.ErrInvalid},
		"the system's admin, an operator":          {authz.Admin, nil, authz.Operator, true, authz.ErrPowerExceeded},
		"an operator, an operator":                 {authz.Operator, nil, authz.Operator, true, nil},
		"an operator with a narrow key, the same":  {authz.Operator, []authz.Permission{authz.UsersCreate}, authz.Operator, true, authz.ErrPowerExceeded},
		"the system's admin, an admin of that org": {authz.Admin, nil, authz.Admin, true, nil},
	} {
		t.Run("Should give no role beyond one's own: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			o := id.SystemOrg
			if c.system {
				w.addSystem()
			} else {
				o = w.addOrg("own", org.Active)
			}
			before := w.contents()
			_, err := newServices(w).users.Add(t.Context(), holder(o, c.by, c.narrow...), o, users.AddInput{Email: "a@example.com", Role: c.role.String()})
			is.True(errors.Is(err, c.want))
			is.Equal(err == nil, c.want == nil)
			if err != nil {
				is.Equal(len(w.called()), 0)
				is.Equal(w.contents(), before)
			}
		})
	}

	t.Run("Should refuse a bad address before a transaction", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		_, err := newServices(w).users.Add(t.Context(), holder(o, authz.Admin), o, users.AddInput{Email: "x", Role: authz.Viewer.String()})
		is.Equal(fault.From(err).Fields[0].Pointer, "/email")
		is.Equal(len(w.called()), 0)
	})

	t.Run("Should add nobody without a trail", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for port, want := range map[string]error{"Users.Insert": user.ErrEmailTaken, "Audit.Append": fault.ErrUnavailable, "Commit": fault.ErrTimeout} {
			w := newWorld(t)
			o := w.addOrg("own", org.Active)
			w.breaks(port, want)
			before := w.contents()
			_, err := newServices(w).users.Add(t.Context(), holder(o, authz.Admin), o, users.AddInput{Email: "a@example.com", Role: authz.Viewer.String()})
			is.True(errors.Is(err, want))
			is.Equal(w.contents(), before)
		}
	})

	t.Run("Should say that the address is taken", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o, other := w.addOrg("own", org.Active), w.addOrg("other", org.Active)
		for _, free := range []id.Org{o, other} { // in each organization
			_, err := s.users.Add(t.Context(), operator(), free, users.AddInput{Email: "a@example.com", Role: authz.Viewer.String()})
			is.NoErr(err)
		}
		before := w.contents()
		_, err := s.users.Add(t.Context(), operator(), o, users.AddInput{Email: "A@example.com", Role: authz.Admin.String()})
		is.True(errors.Is(err, user.ErrEmailTaken))
		is.Equal(w.contents(), before)
	})
}
