package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/usage"
)

func (r reads) Usage(_ context.Context, f usage.Filter, _ page.Request) (page.Page[usage.Sum], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.usageAsked = f
	var p page.Page[usage.Sum]
	for slot, n := range r.used {
		if slot.Org == r.org {
			p.Items = append(p.Items, usage.Sum{Key: slot.Key, Counts: n})
		}
	}
	return p, nil
}

func (m *memory) Add(_ context.Context, b usage.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used == nil {
		m.used = map[usage.Slot]usage.Counts{}
	}
	for slot, n := range b.Counts {
		m.used[slot] = m.used[slot].Plus(n)
	}
	return nil
}

func (*memory) Erase(context.Context, int) (int, error) { return 0, errors.ErrUnsupported }

func TestUsage(t *testing.T) {
	t.Parallel()

	t.Run("Should count what each key asked and was refused, and nothing of who has none", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		for range 3 {
			is.Equal(b.do(request("GET", acmeURL, b.admin, "")).Code, http.StatusOK)
		}
		is.Equal(b.do(request("GET", acmeURL+"/nowhere", b.admin, "")).Code, http.StatusNotFound) // no operation: nobody is asked who it is
		is.Equal(b.do(request("GET", orgsURL, b.admin, "")).Code, http.StatusForbidden)
		is.Equal(b.do(request("GET", orgsURL+"/nothere", b.admin, "")).Code, http.StatusNotFound)
		is.Equal(b.do(request("GET", orgsURL, b.operator, "")).Code, http.StatusOK) // of another organization
		is.Equal(b.do(request("GET", orgsURL, "", "")).Code, http.StatusUnauthorized)
		is.Equal(b.do(request("GET", "/livez", "", "")).Code, http.StatusOK)
		is.NoErr(b.server.usage.Flush(t.Context()))
		is.Equal(len(b.memory.used), 2)

		list := decode[gen.UsageList](t, b.do(request("GET", acmeURL+"/usage", b.admin, "")))
		is.Equal(len(list.Items), 1)
		is.Equal(*list.Items[0].APIKeyID, b.key.Snapshot().ID.String())
		is.Equal([]int64{list.Items[0].Requests, list.Items[0].Refused, list.Items[0].Limited}, []int64{5, 1, 0})
	})

	t.Run("Should ask for the time and the sums that are meant, and for no more than can be", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		for query, want := range map[string]usage.Filter{
			"":        {From: now.Truncate(time.Hour).Add(-23 * time.Hour), To: now.Truncate(time.Hour).Add(time.Hour)},
			"?by=key": {From: now.Truncate(time.Hour).Add(-23 * time.Hour), To: now.Truncate(time.Hour).Add(time.Hour)},
			"?by=day&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z": {
				By: usage.ByDay, From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC),
			},
		} {
			is.Equal(b.do(request("GET", acmeURL+"/usage"+query, b.admin, "")).Code, http.StatusOK)
			is.Equal(b.memory.usageAsked, want)
		}
		for query, field := range map[string]string{
			"?by=week": "by", "?from=2026-01-01T00:00:00Z&to=2026-04-04T00:00:00Z": "from",
			"?from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z": "from", "?from=yesterday": "from",
		} {
			w := b.do(request("GET", acmeURL+"/usage"+query, b.admin, ""))
			is.Equal(w.Code, http.StatusBadRequest)
			is.Equal((*b.problem(w).Fields)[0].Pointer, field)
		}
	})
}

func TestQuota(t *testing.T) {
	t.Parallel()

	t.Run("Should name the quota that refuses, and no time after which it will not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		is.NoErr(change(b.memory, &b.memory.orgs, func(o org.Org) bool { return o.ID() == b.acme.ID() }, func(o *org.Org) error {
			_, err := o.SetLimit(limit.Users, limit.Limit{Max: 1}, now)
			return err
		}))
		w := b.call("createUser")
		is.Equal(w.Code, http.StatusTooManyRequests)
		is.Equal(w.Header().Get("Retry-After"), "")
		p := b.problem(w)
		is.Equal(p.Code, "limit.quota_exceeded")
		is.Equal(len(*p.Fields), 1)
		is.Equal((*p.Fields)[0].Pointer, "users")
		is.True(strings.HasPrefix((*p.Fields)[0].Detail, "allows 1, and "))
		is.NoErr(b.server.usage.Flush(t.Context()))
		for _, n := range b.memory.used {
			is.Equal(n, usage.Counts{Requests: 1, Limited: 1})
		}
	})
}
