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
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// TestFailures lets an address fail to authenticate two times at once, and then once a
// minute.
func TestFailures(t *testing.T) {
	t.Parallel()
	elsewhere := netip.MustParseAddr("192.0.2.8")

	begin := func(t *testing.T) cached {
		t.Helper()
		w := newWorld(t)
		w.standard = limit.NewStandard(nil, ratelimit.Rate{Count: 1, Period: time.Minute, Burst: 2})
		c := cached{w, newServices(w), apikey.Ref{Org: w.addOrg("own", org.Active)}, apikey.Secret{}, netip.MustParseAddr("192.0.2.7")}
		c.ref.Key, c.secret = w.aKey(c.services, c.ref.Org, authz.Member, apikeys.CreateInput{})
		return c
	}
	fails := func(t *testing.T, c cached, key string) *fault.Error {
		t.Helper()
		_, err := c.services.auth.Authenticate(t.Context(), key, c.from)
		is.New(t).True(err != nil)
		return fault.From(err)
	}
	unknown := func(t *testing.T) string {
		t.Helper()
		secret, err := apikey.NewSecret(random)
		must(t, err)
		return secret.Reveal()
	}

	t.Run("Should refuse an address that failed too often, without looking its keys up, until it may again", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c := begin(t)
		is.Equal(fails(t, c, "bhk_nonsense").Kind, fault.Unauthenticated)
		is.Equal(fails(t, c, unknown(t)).Kind, fault.Unauthenticated)
		c.forget()
		for _, key := range []string{"bhk_nonsense", unknown(t), c.secret.Reveal()} {
			refused := fails(t, c, key)
			is.Equal(refused.Code, limit.ErrRateExceeded.Code)
			is.Equal(refused.RetryAfter, time.Minute)
			cause, ok := errors.AsType[*limit.RefusedError](refused)
			is.True(ok)
			is.Equal(cause.Policies(), []string{"address"})
		}
		is.Equal(c.count("Find"), 0)
		is.Equal(c.meter.limited, []string{"requests address false", "requests address false", "requests address false"})

		there := c
		there.from = elsewhere
		is.NoErr(there.present())
		c.buckets.pass(time.Minute)
		is.NoErr(c.present())
	})

	t.Run("Should let go on who is behind the same address with a key that is known", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c := begin(t)
		c.following(c.services)
		is.NoErr(c.present())
		for range 3 {
			is.True(fails(t, c, "bhk_nonsense").Kind != fault.Internal)
		}
		is.NoErr(c.present())
		u := c.addUser(c.ref.Org, authz.Member, user.Active)
		_, err := c.services.users.Suspend(t.Context(), holder(c.ref.Org, authz.Admin), c.ref.Org, u, "gone")
		is.NoErr(err)
		c.forget()
		is.NoErr(c.present()) // is looked up anew
		is.Equal(c.count("Find"), 1)
	})

	t.Run("Should count neither who succeeds nor who has no address", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c := begin(t)
		nowhere := c
		nowhere.from = netip.Addr{}
		for range 3 {
			is.NoErr(c.present())
			is.Equal(fails(t, nowhere, "bhk_nonsense").Kind, fault.Unauthenticated)
		}
	})

	t.Run("Should count for itself while the buckets are away, and hold nobody up for want of them", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c := begin(t)
		c.breaks("Buckets.Take", errBlind)
		is.NoErr(c.present())
		for range 2 {
			is.Equal(fails(t, c, unknown(t)).Kind, fault.Unauthenticated)
		}
		c.forget()
		is.Equal(fails(t, c, unknown(t)).Code, limit.ErrRateExceeded.Code) // or an outage would be the time to guess
		is.Equal(c.count("Find"), 0)
		is.True(c.meter.blind > 0)
		there := c
		there.from = elsewhere
		is.NoErr(there.present())
	})
}
