package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// TestLimits lets an operator limit one tenant, who is refused then, while another
// goes on.
func TestLimits(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := harness.NewStack(t)
	acme, globex := s.NewTenant(t, "acme"), s.NewTenant(t, "globex")
	ask := func(key string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v0/auth/whoami", nil)
		is.NoErr(err)
		r.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(r)
		is.NoErr(err)
		is.NoErr(res.Body.Close())
		return res
	}

	operator := s.Operator(t)
	before, err := operator.Limit(t.Context(), "acme", "requests")
	is.NoErr(err)
	set, err := operator.SetLimit(t.Context(), "acme", "requests", before.Etag, sdk.LimitUpdate{
		Count: new(int64(60)), PeriodSeconds: new(int64(3600)), Burst: new(int64(3)),
	})
	is.NoErr(err)
	is.True(set.Overridden)
	deadline := time.Now().Add(10 * time.Second)
	for !strings.Contains(ask(acme.Key).Header.Get("RateLimit-Policy"), "q=60;w=3600") {
		is.True(time.Now().Before(deadline)) // it takes effect as a revocation does
	}
	var refused *http.Response
	for range 4 {
		refused = ask(acme.Key)
	}
	is.Equal(refused.StatusCode, http.StatusTooManyRequests)
	is.True(strings.HasPrefix(refused.Header.Get("RateLimit"), `"organization";r=0;t=`))
	is.True(refused.Header.Get("Retry-After") != "")
	is.Equal(ask(globex.Key).StatusCode, http.StatusOK)

	_, err = operator.ResetLimit(t.Context(), "acme", "requests", set.Etag)
	is.NoErr(err)
	for ask(acme.Key).StatusCode != http.StatusOK {
		is.True(time.Now().Before(deadline.Add(10 * time.Second)))
	}
}
