package usecase_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/usecase/schedules"
)

// planned is a schedule to be made, another one for each number.
func planned(n int) schedule.Schedule {
	s := nightly
	s.ID = fmt.Sprintf("nightly-%02d", n)
	return s
}

// rowsOf returns the ids of the schedules that an organization has rows of.
func (w *world) rowsOf(o id.Org) (ids []string) {
	w.t.Helper()
	rows, err := w.unseen.store.Reads(o).Schedules(w.t.Context(), schedule.Filter{})
	must(w.t, err)
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestScheduleRows(t *testing.T) {
	t.Parallel()

	t.Run("Should hold a race of creators to the quota, exactly", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.setQuota(o, limit.Schedules, limit.Limit{Max: 5})
		temporal := newPlanner(w.temporal)
		s := schedules.New(w.unseen.store, temporal, w.temporal, newServices(w).limits, limit.Standard{}, w.clock)
		made := make([]error, 16)
		var all sync.WaitGroup
		for n := range made {
			all.Go(func() { _, made[n] = s.Create(t.Context(), holder(o, authz.Member), o, planned(n)) })
		}
		all.Wait()
		succeeded := 0
		for _, err := range made {
			if err == nil {
				succeeded++
			} else if !errors.Is(err, limit.ErrExceeded) {
				t.Error(err)
			}
		}
		is.Equal(succeeded, 5)
		is.Equal(w.counts(o).Schedules, 5)
		is.Equal(len(temporal.there), 5)
	})

	t.Run("Should have the row before Temporal is asked, and give its place back with the schedule", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.setQuota(o, limit.Schedules, limit.Limit{Max: 1})
		s := schedules.New(w.store, newPlanner(w.temporal), w.temporal, newServices(w).limits, limit.Standard{}, w.clock)
		by, create := holder(o, authz.Member), "Schedules.Create "+w.namespaceOf(o)

		w.breaks(create, fault.ErrTimeout) // nobody knows whether it was made
		_, err := s.Create(t.Context(), by, o, planned(1))
		is.True(errors.Is(err, fault.ErrTimeout))
		is.Equal(w.rowsOf(o), []string{"nightly-01"})
		w.mends(create)
		_, err = s.Create(t.Context(), by, o, planned(2))
		is.True(errors.Is(err, limit.ErrExceeded))
		is.Equal(fault.From(err).Fields[0].Detail, "allows 1, and 1 are used")

		_, err = s.Create(t.Context(), by, o, planned(1)) // whose row is there
		is.NoErr(err)
		_, err = s.Create(t.Context(), by, o, planned(1))
		is.True(errors.Is(err, schedule.ErrExists))
		is.Equal(w.rowsOf(o), []string{"nightly-01"})
		is.NoErr(s.Delete(t.Context(), by, o, "nightly-01", 0))
		is.Equal(len(w.rowsOf(o)), 0)
		_, err = s.Create(t.Context(), by, o, planned(2))
		is.NoErr(err)
	})

	t.Run("Should take the row away when Temporal refuses for good, but none that was there", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s := schedules.New(w.store, newPlanner(w.temporal), w.temporal, newServices(w).limits, limit.Standard{}, w.clock)
		by, create := holder(o, authz.Member), "Schedules.Create "+w.namespaceOf(o)
		w.breaks(create, fault.ErrInvalid)
		_, err := s.Create(t.Context(), by, o, planned(1))
		is.True(errors.Is(err, fault.ErrInvalid))
		is.Equal(len(w.rowsOf(o)), 0)
		w.mends(create)
		_, err = s.Create(t.Context(), by, o, planned(1))
		is.NoErr(err)
		w.breaks(create, fault.ErrInvalid)
		_, err = s.Create(t.Context(), by, o, planned(1))
		is.True(errors.Is(err, fault.ErrInvalid))
		is.Equal(w.rowsOf(o), []string{"nightly-01"})
	})

	t.Run("Should find the row of a request that is repeated", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.setQuota(o, limit.Schedules, limit.Limit{Max: 1})
		s := newServices(w).schedules
		unnamed := nightly
		unnamed.ID = ""
		claim := idempotency.Claim{Request: idempotency.Request{Org: o, Operation: "createSchedule"}, Token: uuid.New(), Repeatable: true}
		for range 2 {
			_, err := s.Create(idempotency.With(t.Context(), claim), holder(o, authz.Member), o, unnamed)
			is.NoErr(err)
		}
		is.Equal(w.counts(o).Schedules, 1)
	})

	t.Run("Should learn what was made at Temporal from the list, once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.setQuota(o, limit.Schedules, limit.Limit{Max: 2})
		temporal := newPlanner(w.temporal)
		s := schedules.New(w.store, temporal, w.temporal, newServices(w).limits, limit.Standard{}, w.clock)
		temporal.put("a", false, "")
		temporal.put("b", true, "")
		for range 2 {
			found, err := s.List(t.Context(), holder(o, authz.Viewer), o, page.TokenRequest{Limit: 10})
			is.NoErr(err)
			is.Equal(len(found.Items), 2)
		}
		is.Equal(w.count("Rows.Learn"), 2) // one transaction, run twice
		is.Equal(w.rowsOf(o), []string{"a", "b"})
		_, err := s.Create(t.Context(), holder(o, authz.Member), o, nightly)
		is.True(errors.Is(err, limit.ErrExceeded))
	})

	t.Run("Should look for what was deleted at Temporal before it refuses, once in a while", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.setQuota(o, limit.Schedules, limit.Limit{Max: 4})
		temporal := newPlanner(w.temporal)
		s := schedules.New(w.store, temporal, w.temporal, newServices(w).limits, limit.Standard{}, w.clock)
		by, list := holder(o, authz.Member), "Schedules.List "+w.namespaceOf(o)
		for n := range 4 {
			_, err := s.Create(t.Context(), by, o, planned(n))
			is.NoErr(err)
		}
		temporal.remove("nightly-01")
		temporal.unseen["nightly-02"] = true // the list is late
		_, err := s.Create(t.Context(), by, o, planned(5))
		is.True(errors.Is(err, limit.ErrExceeded)) // for all that is known, it is being made
		lists := w.count(list)
		is.True(lists > 0)

		w.clock.advance(time.Minute)
		_, err = s.Create(t.Context(), by, o, planned(5))
		is.NoErr(err)
		is.Equal(w.rowsOf(o), []string{"nightly-00", "nightly-02", "nightly-03", "nightly-05"})
		again := w.count(list)
		_, err = s.Create(t.Context(), by, o, planned(6))
		is.True(errors.Is(err, limit.ErrExceeded))
		is.Equal(w.count(list), again)
	})
}
