package e2e

import (
	"io"
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

// TestLimitOfAddresses has somebody guess keys. A tenant whose key is in use goes on
// behind the same address, and one behind another address is not concerned.
func TestLimitOfAddresses(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := harness.NewStack(t)
	acme := s.NewTenant(t, "acme")
	url, api := s.With(t, "BULKHEAD_AUTH_FAILURES=3/1h/3", "BULKHEAD_HTTP_TRUSTED_PROXIES=127.0.0.1/32")
	api.Start(t)
	api.AwaitStatus(t, "/readyz", http.StatusOK)
	ask := func(key, from string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v0/auth/whoami", nil)
		is.NoErr(err)
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("X-Forwarded-For", from)
		res, err := http.DefaultClient.Do(r)
		is.NoErr(err)
		is.NoErr(res.Body.Close())
		return res
	}
	const here, elsewhere = "192.0.2.1", "192.0.2.2"
	// The key is in use once the cache keeps it, which begins when the process has
	// looked at what changes for the first time.
	harness.Eventually(t, "the process keeps keys", func() bool {
		return ask(acme.Key, here).StatusCode == http.StatusOK && strings.Contains(scrape(t, api), "bulkhead_auth_cache_size 1")
	})
	for range 3 {
		is.Equal(ask("bhk_guess", here).StatusCode, http.StatusUnauthorized)
	}
	refused := ask("bhk_guess", here)
	is.Equal(refused.StatusCode, http.StatusTooManyRequests)
	is.Equal(refused.Header.Get("Retry-After"), "1200")
	is.Equal(ask(acme.Key, here).StatusCode, http.StatusOK)
	is.Equal(ask("bhk_guess", elsewhere).StatusCode, http.StatusUnauthorized)
}

func scrape(t *testing.T, of *harness.Daemon) string {
	t.Helper()
	is := is.New(t)
	res, err := http.Get(of.Metrics)
	is.NoErr(err)
	text, err := io.ReadAll(res.Body)
	is.NoErr(err)
	is.NoErr(res.Body.Close())
	return string(text)
}
