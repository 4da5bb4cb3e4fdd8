package usecase_test

import (
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// warningsOf returns what the trail has of warnings, by the limit.
func (w *world) warningsOf(s *limits.Service) map[string][]map[string]audit.Change {
	w.t.Helper()
	must(w.t, s.Flush(w.t.Context()))
	out := map[string][]map[string]audit.Change{}
	for _, e := range w.trail() {
		if e.Action == audit.LimitWarned.String() {
			out[e.ResourceID] = append(out[e.ResourceID], e.Changes)
		}
	}
	return out
}

// warned is what the trail has of one warning at 80 percent.
func warned(used, allowed float64) map[string]audit.Change {
	return map[string]audit.Change{"warn_percent": {After: 80.0}, "used": {After: used}, "allowed": {After: allowed}}
}

func TestQuotaWarnings(t *testing.T) {
	t.Parallel()

	// Each adds one more to what a quota counts.
	for name, c := range map[limit.Name]func(s services, w *world, o id.Org, n int) error{
		limit.Users: func(s services, w *world, o id.Org, n int) error {
			_, err := s.users.Add(w.t.Context(), holder(o, authz.Admin), o, adding(n))
			return err
		},
		limit.APIKeys: func(s services, w *world, o id.Org, _ int) error {
			_, _, err := s.apikeys.Create(w.t.Context(), holder(o, authz.Admin), o, apikeys.CreateInput{Name: "k", Scopes: []string{"users:read"}})
			return err
		},
		limit.Schedules: func(s services, w *world, o id.Org, n int) error {
			_, err := s.schedules.Create(w.t.Context(), holder(o, authz.Admin), o, planned(n))
			return err
		},
		limit.RunningWorkflows: func(s services, w *world, o id.Org, _ int) error {
			_, err := s.workflows.Start(w.t.Context(), holder(o, authz.Admin), o, workflow.Start{Type: "t", TaskQueue: "q"})
			return err
		},
	} {
		t.Run("Should warn of a quota from its share on, once an hour: "+name.String(), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w)
			o := w.addOrg("own", org.Active)
			w.setQuota(o, name, limit.Limit{Max: 5, WarnPercent: 80})
			for n := range 3 {
				is.NoErr(c(s, w, o, n))
			}
			is.Equal(len(w.warningsOf(s.limits)), 0)
			is.NoErr(c(s, w, o, 3))
			once := map[string][]map[string]audit.Change{name.String(): {warned(4, 5)}}
			is.Equal(w.warningsOf(s.limits), once)
			is.NoErr(c(s, w, o, 4))
			is.Equal(w.warningsOf(s.limits), once)

			w.clock.advance(limits.WarnEvery)
			w.buckets.pass(limits.WarnEvery)
			w.temporal.running = 5
			is.True(errors.Is(c(s, w, o, 5), limit.ErrExceeded)) // whoever is refused is warned, too
			is.Equal(w.warningsOf(s.limits)[name.String()], []map[string]audit.Change{warned(4, 5), warned(5, 5)})
		})
	}

	t.Run("Should warn of what a bulk request adds, and of each quota by itself", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		for _, n := range []limit.Name{limit.Users, limit.APIKeys} {
			w.setQuota(o, n, limit.Limit{Max: 2, WarnPercent: 80})
		}
		items := []users.BulkItem{{Op: users.BulkAdd, Add: adding(1)}, {Op: users.BulkAdd, Add: adding(2)}, {Op: users.BulkAdd, Add: adding(3)}}
		_, _, err := s.users.Bulk(t.Context(), holder(o, authz.Admin), o, items, false)
		is.NoErr(err)
		for range 2 {
			_, _, err := s.apikeys.Create(t.Context(), holder(o, authz.Admin), o, apikeys.CreateInput{Name: "k", Scopes: []string{"users:read"}})
			is.NoErr(err)
		}
		is.Equal(w.warningsOf(s.limits), map[string][]map[string]audit.Change{"users": {warned(2, 2)}, "api_keys": {warned(2, 2)}})
	})

	t.Run("Should warn nobody who is not to be warned", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		w.setQuota(o, limit.Users, limit.Limit{Max: 1})
		_, err := s.users.Add(t.Context(), holder(o, authz.Admin), o, adding(1))
		is.NoErr(err)
		w.clock.advance(time.Second)
		is.Equal(len(w.warningsOf(s.limits)), 0)
	})
}
