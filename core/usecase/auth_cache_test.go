package usecase_test

import (
	"context"
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
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// following runs the service until the test ends, and returns when its cache is in
// use.
func (w *world) following(s services) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.auth.Run(ctx)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-ended
	})
	w.looked()
}

// looked returns when the cache has looked at what has changed by now.
func (w *world) looked() {
	w.t.Helper()
	harness.Eventually(w.t, "the cache looks at what has changed", func() bool { return w.meter.cache().Staleness == 0 })
}

// cached is a key in a world whose cache is in use.
type cached struct {
	*world
	services services
	ref      apikey.Ref
	secret   apikey.Secret
	from     netip.Addr
}

func (c cached) present() error {
	_, err := c.services.auth.Authenticate(c.t.Context(), c.secret.Reveal(), c.from)
	return err
}

func TestAuthenticateFromMemory(t *testing.T) {
	t.Parallel()
	anywhere := netip.MustParseAddr("192.0.2.7")

	// begin makes a key that is in the cache.
	begin := func(t *testing.T, in apikeys.CreateInput) cached {
		t.Helper()
		w := newWorld(t)
		c := cached{w, newServices(w), apikey.Ref{Org: w.addOrg("own", org.Active)}, apikey.Secret{}, anywhere}
		c.ref.Key, c.secret = w.aKey(c.services, c.ref.Org, authz.Member, in)
		w.following(c.services)
		must(t, c.present())
		w.forget()
		return c
	}

	t.Run("Should ask once, for whoever authenticates by the key and whoever verifies it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := begin(t, apikeys.CreateInput{})
		is.NoErr(w.present())
		got, err := w.services.auth.Verify(t.Context(), operator(), auth.VerifyInput{Key: w.secret.Reveal()})
		is.NoErr(err)
		is.Equal(got.Code, apikey.Valid)
		is.Equal(w.count("Find"), 0)
	})

	t.Run("Should judge each time by the time and the address that it is then", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		end := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
		w := begin(t, apikeys.CreateInput{AllowedIPs: []string{"192.0.2.0/24"}, ExpiresAt: &end})
		_, err := w.services.auth.Authenticate(t.Context(), w.secret.Reveal(), netip.MustParseAddr("198.51.100.1"))
		isRefusedAlike(t, err)
		is.NoErr(w.present())
		w.clock.set(end)
		w.looked()
		w.forget()
		isRefusedAlike(t, w.present())
	})

	t.Run("Should refuse a key at once where it was revoked, and as soon as that is told where it was not", func(t *testing.T) {
		t.Parallel()
		w := begin(t, apikeys.CreateInput{})
		_, err := w.services.apikeys.Revoke(t.Context(), holder(w.ref.Org, authz.Admin), w.ref.Org, w.ref.Key)
		must(t, err)
		isRefusedAlike(t, w.present())

		w = begin(t, apikeys.CreateInput{})
		_, err = w.database.admin.Exec(t.Context(), "UPDATE api_keys SET state = 'revoked'") // another process
		must(t, err)
		harness.Eventually(t, "the key is refused", func() bool { return w.present() != nil })
		isRefusedAlike(t, w.present())
	})

	t.Run("Should ask anew about no organization but the one of which something was written here", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := begin(t, apikeys.CreateInput{})
		w.breaks("Since", fault.ErrUnavailable) // no later look tells
		other := w.addOrg("other", org.Active)
		for last := func(o id.Org) byte { u := o.UUID(); return u[15] }; last(other) == last(w.ref.Org); { // they would share a counter
			other = w.addOrg("another", org.Active)
		}
		_, err := w.services.users.Add(t.Context(), holder(other, authz.Admin), other, users.AddInput{Email: "a@b.example", Name: "n", Role: "member"})
		must(t, err)
		u := w.addUser(other, authz.Member, user.Active)
		_, err = w.services.users.Suspend(t.Context(), holder(other, authz.Admin), other, u, "gone")
		must(t, err)
		is.NoErr(w.present())
		is.Equal(w.count("Find"), 0)
		u = w.addUser(w.ref.Org, authz.Member, user.Active)
		_, err = w.services.users.Suspend(t.Context(), holder(w.ref.Org, authz.Admin), w.ref.Org, u, "gone")
		must(t, err)
		is.NoErr(w.present())
		is.Equal(w.count("Find"), 1)
	})

	t.Run("Should ask each time while nobody tells what has changed, and neither let in nor refuse who can not be asked about", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := begin(t, apikeys.CreateInput{})
		w.breaks("Since", fault.ErrUnavailable)
		is.NoErr(w.present())
		is.Equal(w.count("Find"), 0) // it is young enough
		w.clock.advance(3 * time.Second)
		is.NoErr(w.present())
		is.NoErr(w.present())
		is.Equal(w.count("Find"), 2)
		w.breaks("Find", fault.ErrUnavailable)
		is.True(errors.Is(w.present(), fault.ErrUnavailable))
		w.mends("Since")
		w.looked()
		is.NoErr(w.present()) // it is kept still
	})

	t.Run("Should ask once for a key that is none", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := begin(t, apikeys.CreateInput{})
		secret, err := apikey.NewSecret(random)
		is.NoErr(err)
		for range 3 {
			_, err = w.services.auth.Authenticate(t.Context(), secret.Reveal(), anywhere)
			isRefusedAlike(t, err)
		}
		is.Equal(w.count("Find"), 1)
	})
}
