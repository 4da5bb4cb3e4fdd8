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
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/user"
)

var fromHome = netip.MustParseAddr("192.0.2.7")

// actorOf is who a key makes of somebody that comes from home.
func (w *world) actorOf(s services, secret apikey.Secret) authz.Actor {
	w.t.Helper()
	caller, err := s.auth.Authenticate(w.t.Context(), secret.Reveal(), fromHome)
	must(w.t, err)
	return caller.Actor
}

// TestAPIKeysRank shows that nobody gets by a key of somebody else's what they may not do
// themselves.
func TestAPIKeysRank(t *testing.T) {
	t.Parallel()
	may := authz.SetOf(authz.UsersRead, authz.UsersUpdate, authz.UsersSuspend, authz.UsersRemove, authz.APIKeysCreate, authz.APIKeysUpdate, authz.APIKeysRotate)

	t.Run("Should let no key of the organization do to an admin what its maker could not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		boss, other := w.addUser(o, authz.Admin, user.Active), w.addUser(o, authz.Admin, user.Active)
		personnel := holder(o, w.addRole(o, "personnel", may))
		_, secret, err := s.apikeys.Create(t.Context(), personnel, o, apikeys.CreateInput{Name: "n", Scopes: may.Names()})
		is.NoErr(err)
		before := w.contents()
		for _, by := range []authz.Actor{personnel, w.actorOf(s, secret)} {
			_, err = s.users.Suspend(t.Context(), by, o, boss, "gone")
			is.True(errors.Is(err, authz.ErrPowerExceeded))
			_, err = s.users.Remove(t.Context(), by, o, other, 0)
			is.True(errors.Is(err, authz.ErrPowerExceeded))
			_, err = s.users.Update(t.Context(), by, o, boss, 0, users.UpdateInput{Role: "viewer"})
			is.True(errors.Is(err, authz.ErrPowerExceeded))
		}
		is.Equal(w.contents(), before)
	})

	t.Run("Should give nobody a key in the name of somebody who stands higher", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		boss := w.addUser(o, authz.Admin, user.Active)
		personnel := holder(o, w.addRole(o, "personnel", may))
		narrow := []string{authz.UsersRead.String()}
		key, _, err := s.apikeys.Create(t.Context(), holder(o, authz.Admin), o, apikeys.CreateInput{UserID: boss, Name: "n", Scopes: narrow})
		is.NoErr(err)
		before := w.contents()
		_, _, err = s.apikeys.Create(t.Context(), personnel, o, apikeys.CreateInput{UserID: boss, Name: "n", Scopes: narrow})
		is.True(errors.Is(err, authz.ErrPowerExceeded))
		_, _, err = s.apikeys.Rotate(t.Context(), personnel, o, key.Snapshot().ID, apikey.Rotation{})
		is.True(errors.Is(err, authz.ErrPowerExceeded))
		_, err = s.apikeys.Disable(t.Context(), personnel, o, key.Snapshot().ID)
		is.True(errors.Is(err, authz.ErrPowerExceeded))
		is.Equal(w.contents(), before)
	})

	t.Run("Should let somebody make a narrow key of their own", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		me := w.addUser(o, authz.Admin, user.Active)
		by := authz.NewKeyActor(authz.KeyHolder{Org: o, User: me, Key: id.New[id.APIKeyKind](), Role: authz.Admin, Scopes: may})
		_, _, err := newServices(w).apikeys.Create(t.Context(), by, o, apikeys.CreateInput{UserID: me, Name: "n", Scopes: may.Names()})
		is.NoErr(err)
	})
}

// TestAPIKeysBounds shows that a key which is bound makes, and becomes, none that is not.
func TestAPIKeysBounds(t *testing.T) {
	t.Parallel()
	scopes := []string{authz.APIKeysCreate.String(), authz.APIKeysUpdate.String(), authz.APIKeysRotate.String()}
	hourly := func(count int64) map[limit.Name]limit.Spec {
		return map[limit.Name]limit.Spec{limit.Requests: {Count: &count, Period: new(time.Hour)}}
	}
	home := []string{"192.0.2.0/24"}

	for name, c := range map[string]struct {
		own, other apikeys.CreateInput
		pointer    string // of what is refused; "" is nothing
	}{
		"the same":                      {apikeys.CreateInput{AllowedIPs: home, Limits: hourly(60)}, apikeys.CreateInput{AllowedIPs: home, Limits: hourly(60)}, ""},
		"less of both":                  {apikeys.CreateInput{AllowedIPs: home, Limits: hourly(60)}, apikeys.CreateInput{AllowedIPs: []string{"192.0.2.7"}, Limits: hourly(59)}, ""},
		"anything, by one that is free": {apikeys.CreateInput{}, apikeys.CreateInput{}, ""},
		"every address":                 {apikeys.CreateInput{AllowedIPs: home}, apikeys.CreateInput{}, "/allowed_ips"},
		"a wider network":               {apikeys.CreateInput{AllowedIPs: home}, apikeys.CreateInput{AllowedIPs: []string{"192.0.0.0/16"}}, "/allowed_ips"},
		"another network":               {apikeys.CreateInput{AllowedIPs: home}, apikeys.CreateInput{AllowedIPs: []string{"192.0.2.1", "198.51.100.0/24"}}, "/allowed_ips"},
		"no limit":                      {apikeys.CreateInput{Limits: hourly(60)}, apikeys.CreateInput{}, "/limits"},
		"a wider limit":                 {apikeys.CreateInput{Limits: hourly(60)}, apikeys.CreateInput{Limits: hourly(61)}, "/limits"},
	} {
		t.Run("Should judge what a bound key makes of others and of itself: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w)
			o := w.addOrg("own", org.Active)
			in := c.own
			in.Name, in.Scopes = "own", scopes
			own, secret, err := s.apikeys.Create(t.Context(), holder(o, authz.Admin), o, in)
			is.NoErr(err)
			by := w.actorOf(s, secret)
			made := c.other
			made.Name, made.Scopes = "other", scopes
			other, _, err := s.apikeys.Create(t.Context(), holder(o, authz.Admin), o, made)
			is.NoErr(err)
			judge := func(err error) {
				t.Helper()
				if c.pointer == "" {
					is.NoErr(err)
					return
				}
				is.True(fault.IsKind(err, fault.Invalid))
				is.Equal(fault.From(err).Fields[0].Pointer, c.pointer)
			}
			_, _, err = s.apikeys.Create(t.Context(), by, o, made)
			judge(err)
			_, _, err = s.apikeys.Rotate(t.Context(), by, o, other.Snapshot().ID, apikey.Rotation{})
			judge(err)
			limits := made.Limits
			if limits == nil {
				limits = map[limit.Name]limit.Spec{}
			}
			_, err = s.apikeys.Update(t.Context(), by, o, own.Snapshot().ID, 0, apikeys.UpdateInput{AllowedIPs: &made.AllowedIPs, Limits: limits})
			judge(err)
		})
	}

	t.Run("Should make nothing by a key that is gone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		by := authz.NewKeyActor(authz.KeyHolder{Org: o, Key: id.New[id.APIKeyKind](), Role: authz.Admin, Bound: true})
		_, _, err := newServices(w).apikeys.Create(t.Context(), by, o, apikeys.CreateInput{Name: "n", Scopes: scopes})
		is.True(fault.IsKind(err, fault.NotFound))
		is.Equal(w.rows("api_keys"), 0)
	})
}
