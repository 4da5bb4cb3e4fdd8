package usecase_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/roles"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// TestExplain holds explanations against the decisions that requests are met with.
func TestExplain(t *testing.T) {
	t.Parallel()

	t.Run("Should allow just what the real checks allow, of every role and scope, everywhere, in every state", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.addSystem()
		now := w.clock.Now()
		own, foreign, gone := w.addOrg("own", org.Active), w.addOrg("foreign", org.Active), w.addOrg("gone", org.Suspended)
		made, err := s.roles.Create(t.Context(), holder(own, authz.Admin), own, roles.CreateInput{
			Name: "explained", Permissions: []string{"users:read", "tokens:write"},
		})
		is.NoErr(err)
		type who struct {
			home   id.Org
			role   authz.Role // zero: a key of the organization itself
			scopes authz.Set
			state  user.State
			key    apikey.State // zero: the user
			ended  bool
		}
		var all []who
		for _, r := range append(authz.Roles()[:4:4], made.Authz) {
			for _, scopes := range []authz.Set{0, authz.SetOf(authz.UsersRead, authz.TokensRead, authz.AuditList)} {
				all = append(all, who{own, r, scopes, user.Active, apikey.Active, false})
			}
			all = append(all, who{home: own, role: r, state: user.Active})
		}
		for _, r := range authz.Roles() {
			all = append(all, who{id.SystemOrg, r, 0, user.Active, apikey.Active, false})
		}
		all = append(all,
			who{home: own, scopes: authz.SetOf(authz.UsersCreate), key: apikey.Active},
			who{home: id.SystemOrg, scopes: authz.SetOf(authz.UsersCreate, authz.AuditList), key: apikey.Active},
			who{own, authz.Admin, 0, user.Suspended, apikey.Active, false}, who{home: own, role: authz.Admin, state: user.Suspended},
			who{own, authz.Admin, 0, user.Removed, apikey.Active, false}, who{own, authz.Admin, 0, user.Active, apikey.Revoked, false},
			who{own, authz.Admin, 0, user.Active, apikey.Disabled, false}, who{own, authz.Admin, 0, user.Active, apikey.Active, true},
			who{gone, authz.Admin, 0, user.Active, apikey.Active, false}, who{home: gone, role: authz.Admin, state: user.Active},
		)
		asked := 0
		for _, a := range all {
			k := apikey.Snapshot{
				ID: id.New[id.APIKeyKind](), OrgID: a.home, Name: "k", State: a.key, Scopes: a.scopes, Version: 1, CreatedAt: now, UpdatedAt: now,
			}
			k.Hash.Version = 1
			copy(k.Hash.Hash[:], k.ID.String()[4:])
			if !a.role.IsZero() {
				k.UserID = w.addUser(a.home, a.role, a.state)
			}
			ref := k.UserID.String()
			if a.key != (apikey.State{}) {
				if a.key == apikey.Revoked {
					k.RevokedAt = now
				}
				if a.ended {
					k.ExpiresAt = now.Add(-time.Hour)
				}
				w.addKey(k)
				ref = k.ID.String()
			}
			actor := authz.NewKeyActor(authz.KeyHolder{
				Org: a.home, User: k.UserID, Key: k.ID, Role: apikey.OwnerRole(a.home, k.UserID, a.role), Scopes: a.scopes,
			})
			usable := !a.ended && a.home != gone && (a.key == (apikey.State{}) || a.key == apikey.Active) && (a.role.IsZero() || a.state == user.Active)
			by := holder(id.SystemOrg, authz.Operator)
			for _, p := range authz.Permissions() {
				places := []id.Org{a.home, foreign, {}}
				for _, place := range places {
					if !findable(a.home, place) {
						continue // nobody asks from there
					}
					want := actor.Require(p, place)
					if p.IsPlatform() && want == nil || place.IsZero() {
						want = actor.RequirePlatform(p)
					}
					e, err := s.roles.Explain(t.Context(), by, roles.Question{Actor: ref, Action: p, Resource: place})
					is.NoErr(err)
					is.Equal(e.Err == nil, usable && want == nil) // of a, p and place
					is.Equal(e.Ground == authz.ByState, !usable)
					is.True(e.Reason != "")
					asked++
				}
			}
		}
		is.True(asked > 1000)
	})

	t.Run("Should consider from where a key is used, as authentication does", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		k, _ := w.aKey(s, o, authz.Viewer, apikeys.CreateInput{AllowedIPs: []string{"192.0.2.0/24"}})
		key := w.stored(o, k)
		asker := holder(o, authz.Admin)
		self := authz.NewKeyActor(authz.KeyHolder{Org: o, User: key.UserID, Key: k, Role: authz.Viewer})
		for _, c := range []struct {
			by   authz.Actor
			ip   string
			want authz.Ground
		}{
			{asker, "192.0.2.7", authz.ByRole},
			{asker, "198.51.100.1", authz.ByAddress},
			{asker, "", authz.ByAddress}, // that of who asks is not the key's
			{self.From(authz.Origin{IP: netip.MustParseAddr("192.0.2.9")}), "", authz.ByRole},
			{self.From(authz.Origin{IP: netip.MustParseAddr("192.0.2.9")}), "198.51.100.1", authz.ByAddress},
		} {
			q := roles.Question{Actor: k.String(), Action: authz.UsersRead, Resource: o}
			if c.ip != "" {
				q.IP = netip.MustParseAddr(c.ip)
			}
			e, err := s.roles.Explain(t.Context(), c.by, q)
			is.NoErr(err)
			is.Equal(e.Ground, c.want)
			is.Equal(e.Err == nil, c.want == authz.ByRole)
			is.True(e.Reason != "")
		}
	})

	t.Run("Should find no actor of another organization, and none from elsewhere", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.addSystem()
		own, foreign := w.addOrg("own", org.Active), w.addOrg("foreign", org.Active)
		theirs := w.addUser(foreign, authz.Viewer, user.Active)
		boss := w.addUser(id.SystemOrg, authz.Operator, user.Active)
		for _, u := range []id.User{theirs, boss, id.New[id.UserKind]()} {
			for _, place := range []id.Org{own, {}} {
				_, err := s.roles.Explain(t.Context(), holder(own, authz.Admin), roles.Question{Actor: u.String(), Action: authz.UsersRead, Resource: place})
				is.Equal(err, error(fault.ErrNotFound))
			}
		}
		_, err := s.roles.Explain(t.Context(), holder(own, authz.Admin), roles.Question{Actor: "ada", Action: authz.UsersRead, Resource: own})
		is.True(errors.Is(err, fault.ErrInvalid))
	})

	t.Run("Should need nothing to explain oneself, and the permission to explain another", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		ada, bob := w.addUser(o, authz.Viewer, user.Active), w.addUser(o, authz.Viewer, user.Active)
		k := apikey.Snapshot{
			ID: id.New[id.APIKeyKind](), OrgID: o, UserID: ada, Name: "k", State: apikey.Active, Scopes: authz.SetOf(authz.TokensRead),
			Version: 1, CreatedAt: w.clock.Now(), UpdatedAt: w.clock.Now(),
		}
		k.Hash.Version = 1
		w.addKey(k)
		by := authz.NewKeyActor(authz.KeyHolder{Org: o, User: ada, Key: k.ID, Role: authz.Viewer, Scopes: k.Scopes})
		ask := func(ref string, p authz.Permission) (roles.Explanation, error) {
			return s.roles.Explain(t.Context(), by, roles.Question{Actor: ref, Action: p, Resource: o})
		}
		for _, ref := range []string{"", k.ID.String()} {
			e, err := ask(ref, authz.UsersRead)
			is.NoErr(err)
			is.Equal(e.Decision, authz.Decision{Ground: authz.ByScope, Err: authz.Lacks(authz.UsersRead)})
			is.Equal(e.Scopes, k.Scopes)
			e, err = ask(ref, authz.UsersCreate)
			is.NoErr(err)
			is.Equal(e.Ground, authz.ByRole)
			e, err = ask(ref, authz.TokensRead)
			is.NoErr(err)
			is.Equal(e.Decision, authz.Decision{Ground: authz.ByScope})
			is.Equal(e.Temporal, w.namespaceOf(o)+":read")
		}
		e, err := ask(ada.String(), authz.UsersRead)
		is.NoErr(err)
		is.Equal(e.Decision, authz.Decision{Ground: authz.ByRole})
		_, err = ask(bob.String(), authz.UsersRead)
		is.Equal(err, error(authz.Lacks(authz.AuthzExplain)))
		w.setState(o, org.Provisioning)
		e, err = ask("", authz.TokensRead)
		is.NoErr(err)
		is.Equal(e.Temporal, "") // no token can be had yet
		is.Equal(e.States.Resource, org.Provisioning)
	})
}

// findable tells whether an operator can name somebody of home who acts in a place.
func findable(home, place id.Org) bool { return home == place || home == id.SystemOrg }
