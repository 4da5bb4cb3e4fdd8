package telemetry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/telemetry"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/ports"
)

func scrape(t *testing.T, m *telemetry.Metrics, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	m.NewServer("").Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

func TestMetrics(t *testing.T) {
	t.Parallel()

	t.Run("Should show what was counted, and nothing but metrics", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		m := telemetry.NewMetrics()
		m.ExpiryWarned(30)
		m.ExpiryWarned(7)
		m.ExpiryWarned(7)
		m.LeakReported("github")
		m.UsesDropped(3)
		_, before := scrape(t, m, "/metrics")
		is.True(!strings.Contains(before, "bulkhead_auth_cache")) // there is none
		is.True(!strings.Contains(before, "bulkhead_namespaces_drifted"))
		m.NamespacesSeen(namespace.Tally{Drifted: 1, Missing: 2, Orphaned: 3}, time.Unix(1_700_000_000, 250_000_000))
		m.NamespaceRepaired()
		m.WatchCache(func() ports.CacheStats {
			return ports.CacheStats{Staleness: 250 * time.Millisecond, Size: 2, Hits: 30, Misses: 4, Invalidated: 5}
		})
		m.Limited(limit.Requests, limit.OfKey, false)
		m.Limited(limit.WorkflowStarts, limit.OfOrganization, true)
		m.LimiterUnavailable()
		m.LimitWarned(limit.Requests)
		m.SecretsByPepper(map[int16]int64{1: 5, 2: 7})
		m.SecretsByPepper(map[int16]int64{2: 12}) // the first version has no secrets any more
		code, text := scrape(t, m, "/metrics")
		is.Equal(code, http.StatusOK)
		for _, line := range []string{
			`bulkhead_apikey_expiry_warnings_total{days="30"} 1`, `bulkhead_apikey_expiry_warnings_total{days="7"} 2`,
			`bulkhead_apikey_leaks_total{source="github"} 1`, `bulkhead_apikey_uses_dropped_total 3`,
			"bulkhead_auth_cache_staleness_seconds 0.25\n", "bulkhead_auth_cache_size 2\n", "bulkhead_auth_cache_hits_total 30\n",
			"bulkhead_auth_cache_misses_total 4\n", "bulkhead_auth_cache_invalidations_total 5\n",
			`bulkhead_apikey_secrets{pepper_version="2"} 12`, "go_goroutines ",
			`bulkhead_limited_total{limit="requests",mode="enforce",tier="api_key"} 1`,
			`bulkhead_limited_total{limit="workflow_starts",mode="dry_run",tier="organization"} 1`,
			"bulkhead_namespaces_drifted 1\n", "bulkhead_namespaces_missing 2\n", "bulkhead_namespaces_orphaned 3\n",
			"bulkhead_namespaces_last_pass_timestamp_seconds 1.70000000025e+09\n", "bulkhead_namespaces_repaired_total 1\n",
			`bulkhead_limiter_unavailable_total 1`, `bulkhead_limit_warnings_total{limit="requests"} 1`,
		} {
			is.True(strings.Contains(text, line))
		}
		is.True(!strings.Contains(text, `pepper_version="1"`))
		code, _ = scrape(t, m, "/")
		is.Equal(code, http.StatusNotFound)
	})
	t.Run("Should count requests by operation and class of status", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		m := telemetry.NewMetrics()
		whoami, unused := m.Requests("getWhoami"), m.Requests("listUsers")
		_ = unused
		for _, status := range []int{200, 204, 401, 503, 0, 999, -1} {
			whoami(status, 3*time.Millisecond)
		}
		_, text := scrape(t, m, "/metrics")
		for _, line := range []string{
			`bulkhead_http_requests_total{operation="getWhoami",status="2xx"} 2`,
			`bulkhead_http_requests_total{operation="getWhoami",status="4xx"} 1`,
			`bulkhead_http_requests_total{operation="getWhoami",status="5xx"} 1`,
			`bulkhead_http_requests_total{operation="getWhoami",status="none"} 3`,
			`bulkhead_http_request_duration_seconds_bucket{operation="getWhoami",le="0.0025"} 0`,
			`bulkhead_http_request_duration_seconds_bucket{operation="getWhoami",le="0.005"} 7`,
		} {
			is.True(strings.Contains(text, line+"\n"))
		}
		is.True(!strings.Contains(text, "listUsers")) // nobody asked for it
	})
}
