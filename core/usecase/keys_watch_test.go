package usecase_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/keywatch"
	"github.com/bulkheadhq/bulkhead/core/usecase/leaks"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
)

func TestKeywatch(t *testing.T) {
	t.Parallel()

	t.Run("Should warn of each key at 30, 7 and 1 days, once each, however many look", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		one, two := w.addOrg("one", org.Active), w.addOrg("two", org.Active)
		end := w.clock.Now().Add(60 * day)
		for _, o := range []id.Org{one, two} {
			for range 3 {
				w.aKey(s, o, authz.Member, apikeys.CreateInput{ExpiresAt: &end})
			}
		}
		w.aKey(s, one, authz.Member, apikeys.CreateInput{}) // it does not expire
		// Three replicas past the spies, whose transactions know of one another not at all.
		store, census := postgres.NewStore(w.database.db), postgres.NewKeyCensus(w.database.db)
		replicas := []*keywatch.Service{
			keywatch.New(census, store, w.clock, w.meter, nil), keywatch.New(census, store, w.clock, w.meter, nil), keywatch.New(census, store, w.clock, w.meter, nil),
		}
		warned := 0
		for _, c := range []struct {
			left time.Duration
			days int
		}{{31 * day, 0}, {30 * day, 30}, {20 * day, 0}, {7 * day, 7}, {day, 1}, {time.Hour, 0}, {-time.Hour, 0}} {
			w.clock.set(end.Add(-c.left))
			w.meter.warned = nil
			var all sync.WaitGroup
			for _, r := range replicas {
				all.Go(func() {
					if err := r.Sweep(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			want := []int(nil)
			if c.days > 0 {
				want = slices.Repeat([]int{c.days}, 6)
				warned += 6
			}
			is.Equal(w.meter.warned, want)
		}
		lines := 0
		for _, e := range w.trail() {
			if e.Action == audit.APIKeyExpiresSoon.String() {
				is.Equal(e.Actor, whoIs(authz.KeyKeeper))
				lines++
			}
		}
		is.Equal(lines, warned)
	})

	t.Run("Should not count a warning that was not kept, and give it later", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		end := w.clock.Now().Add(31 * day)
		w.aKey(s, o, authz.Member, apikeys.CreateInput{ExpiresAt: &end})
		w.clock.advance(2 * day)
		w.breaks("Audit.Append", fault.ErrUnavailable)
		is.True(errors.Is(s.keywatch.Sweep(t.Context()), fault.ErrUnavailable))
		is.Equal(len(w.meter.warned), 0)
		w.mends("Audit.Append")
		is.NoErr(s.keywatch.Sweep(t.Context()))
		is.Equal(w.meter.warned, []int{30})
		is.Equal(w.meter.secrets, map[int16]int64{2: 1})
	})
}

func TestVerify(t *testing.T) {
	t.Parallel()
	here := netip.MustParseAddr("192.0.2.7")

	for name, c := range map[string]struct {
		change func(w *world, s services, o id.Org, k id.APIKey)
		in     auth.VerifyInput
		want   apikey.Code
	}{
		"it is good":                       {nil, auth.VerifyInput{Permissions: []string{"workflows:read"}}, apikey.Valid},
		"more is asked of it":              {nil, auth.VerifyInput{Permissions: []string{"apikeys:create"}}, apikey.Forbidden},
		"it is from an allowed place":      {bound, auth.VerifyInput{IP: here}, apikey.Valid},
		"it is from nowhere in particular": {bound, auth.VerifyInput{}, apikey.IPNotAllowed},
		"it is revoked": {func(w *world, s services, o id.Org, k id.APIKey) {
			_, err := s.apikeys.Revoke(w.t.Context(), holder(o, authz.Admin), o, k)
			must(w.t, err)
		}, auth.VerifyInput{}, apikey.IsRevoked},
		"it is disabled": {func(w *world, s services, o id.Org, k id.APIKey) {
			_, err := s.apikeys.Disable(w.t.Context(), holder(o, authz.Admin), o, k)
			must(w.t, err)
		}, auth.VerifyInput{}, apikey.IsDisabled},
		"it has expired":                {func(w *world, _ services, _ id.Org, _ id.APIKey) { w.clock.advance(31 * day) }, auth.VerifyInput{}, apikey.Expired},
		"its organization is suspended": {func(w *world, _ services, o id.Org, _ id.APIKey) { w.setState(o, org.Suspended) }, auth.VerifyInput{}, apikey.OrganizationSuspended},
		"its secret was replaced": {func(w *world, s services, o id.Org, k id.APIKey) {
			_, _, err := s.apikeys.Rotate(w.t.Context(), holder(o, authz.Admin), o, k, apikey.Rotation{})
			must(w.t, err)
		}, auth.VerifyInput{}, apikey.Expired},
	} {
		t.Run("Should say what a key is worth when "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w)
			o, foreign := w.addOrg("own", org.Active), w.addOrg("foreign", org.Active)
			end := w.clock.Now().Add(30 * day)
			k, secret := w.aKey(s, o, authz.Member, apikeys.CreateInput{ExpiresAt: &end})
			if c.change != nil {
				c.change(w, s, o, k)
			}
			c.in.Key = secret.Reveal()
			w.forget()
			v, err := s.auth.Verify(t.Context(), holder(o, authz.Admin), c.in)
			is.NoErr(err)
			is.Equal(v.Code, c.want)
			is.Equal(v.Actor.Key(), k)
			asked := []string{"Find"}
			if c.want == apikey.Valid {
				asked = append(asked, "Buckets.Take")
			}
			is.Equal(w.called(), asked)
			v, err = s.auth.Verify(t.Context(), holder(foreign, authz.Admin), c.in)
			is.NoErr(err)
			is.Equal(v, auth.Verification{Code: apikey.NotFound}) // as one that does not exist
			v, err = s.auth.Verify(t.Context(), operator(), c.in)
			is.NoErr(err)
			is.Equal(v.Code, c.want)

			is.NoErr(s.auth.Flush(t.Context()))
			is.Equal(!w.stored(o, k).LastUsedAt.IsZero(), c.want == apikey.Valid) // to be good for something is to be used
		})
	}

	t.Run("Should say it of a suspended user's key, and of nonsense", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		secret, err := apikey.NewSecret(random)
		is.NoErr(err)
		w.addKey(apikey.Snapshot{
			ID: id.New[id.APIKeyKind](), OrgID: o, UserID: w.addUser(o, authz.Member, user.Suspended), Name: "n", State: apikey.Active,
			Version: 1, Generation: 1, Hash: peppers(t).Hash(secret),
		})
		v, err := s.auth.Verify(t.Context(), holder(o, authz.Admin), auth.VerifyInput{Key: secret.Reveal()})
		is.NoErr(err)
		is.Equal(v.Code, apikey.UserSuspended)
		v, err = s.auth.Verify(t.Context(), holder(o, authz.Admin), auth.VerifyInput{Key: "nonsense"})
		is.NoErr(err)
		is.Equal(v, auth.Verification{Code: apikey.NotFound})
	})
}

// bound binds a key to a network.
func bound(w *world, s services, o id.Org, k id.APIKey) {
	_, err := s.apikeys.Update(w.t.Context(), holder(o, authz.Admin), o, k, 0, apikeys.UpdateInput{AllowedIPs: &[]string{"192.0.2.0/24"}})
	must(w.t, err)
}

func TestLeaks(t *testing.T) {
	t.Parallel()

	t.Run("Should revoke what is a key, whose ever it is, and say where it was found", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		one, two := w.addOrg("one", org.Active), w.addOrg("two", org.Active)
		a, secretA := w.aKey(s, one, authz.Member, apikeys.CreateInput{})
		b, secretB := w.aKey(s, two, authz.Member, apikeys.CreateInput{})
		_, _, err := s.apikeys.Rotate(t.Context(), holder(two, authz.Admin), two, b, apikey.Rotation{Grace: time.Hour})
		is.NoErr(err)
		from := authz.Origin{RequestID: "r", IP: netip.MustParseAddr("192.0.2.7")}
		ours, err := s.leaks.Scanned(t.Context(), from, []leaks.Leak{
			{Token: secretA.Reveal(), URL: "https://github.com/a/b"}, {Token: "nonsense"}, {Token: secretB.Reveal()}, {Token: secretA.Reveal()},
		})
		is.NoErr(err)
		is.Equal(ours, []bool{true, false, true, true})
		is.Equal([]apikey.State{w.stored(one, a).State, w.stored(two, b).State}, []apikey.State{apikey.Revoked, apikey.Revoked})
		is.Equal(w.meter.leaks, []string{"github", "github", "github"})
		leaked := 0
		for _, e := range w.trail() {
			if e.Action != audit.APIKeyLeaked.String() {
				continue
			}
			leaked++
			if e.Org == one && e.Changes["state"].After == "revoked" {
				is.Equal(e.Changes["url"].After, "https://github.com/a/b")
			}
		}
		is.Equal(leaked, 3)
		is.True(!strings.Contains(strings.Join(w.contents(), ""), secretA.Reveal()[12:30]))
	})

	t.Run("Should leave a key alone whose secret had ended before it leaked", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		k, old := w.aKey(s, o, authz.Member, apikeys.CreateInput{})
		_, fresh, err := s.apikeys.Rotate(t.Context(), holder(o, authz.Admin), o, k, apikey.Rotation{})
		is.NoErr(err)
		key, found, err := s.leaks.Report(t.Context(), operator(), old.Reveal())
		is.NoErr(err)
		is.True(found)
		is.Equal(key.Snapshot().State, apikey.Active)
		_, found, err = s.leaks.Report(t.Context(), operator(), fresh.Reveal())
		is.NoErr(err)
		is.True(found)
		is.Equal(w.stored(o, k).State, apikey.Revoked)
		is.Equal(w.meter.leaks, []string{"operator", "operator"})
	})

	t.Run("Should not say that it is done when it is not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		k, secret := w.aKey(s, o, authz.Member, apikeys.CreateInput{})
		w.breaks("Audit.Append", fault.ErrUnavailable)
		_, err := s.leaks.Scanned(t.Context(), authz.Origin{}, []leaks.Leak{{Token: secret.Reveal()}})
		is.True(errors.Is(err, fault.ErrUnavailable))
		is.Equal(w.stored(o, k).State, apikey.Active)
		is.Equal(len(w.meter.leaks), 0)
	})
}

var _ ports.KeyMeter = (*meter)(nil)
