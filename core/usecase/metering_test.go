package usecase_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/usage"
	"github.com/bulkheadhq/bulkhead/core/usecase/metering"
	"github.com/bulkheadhq/bulkhead/ports"
)

// usageOf returns an organization's usage by the hour.
func (w *world) usageOf(o id.Org) []usage.Sum {
	w.t.Helper()
	return stored(w.t, func(ctx context.Context) ([]usage.Sum, error) {
		p, err := w.unseen.store.Reads(o).Usage(ctx, usage.Filter{By: usage.ByHour}, page.Request{Limit: page.MaxLimit})
		return p.Items, err
	})
}

func TestMetering(t *testing.T) {
	t.Parallel()

	t.Run("Should count each request once, whoever counts at the same time", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).metering
		one, two := w.addOrg("one", org.Active), w.addOrg("two", org.Active)
		ada, bob := holder(one, authz.Admin), holder(two, authz.Viewer)
		const each = 500
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range each {
					s.Count(ada, fault.Internal)
					s.Count(ada, fault.Forbidden)
					s.Count(bob, fault.Exhausted)
					s.Count(authz.Actor{}, fault.Unauthenticated) // nobody's
				}
			})
		}
		for range 20 { // and adds
			is.NoErr(s.Flush(t.Context()))
		}
		all.Wait()
		w.clock.advance(time.Hour)
		s.Count(ada, fault.Internal)
		is.NoErr(s.Flush(t.Context()))
		hour := usage.HourOf(w.clock.Now())
		is.Equal(w.usageOf(one), []usage.Sum{
			{Start: (hour - 1).Time(), Counts: usage.Counts{Requests: 16 * each, Refused: 8 * each}},
			{Start: hour.Time(), Counts: usage.Counts{Requests: 1}},
		})
		is.Equal(w.usageOf(two), []usage.Sum{{Start: (hour - 1).Time(), Counts: usage.Counts{Requests: 8 * each, Limited: 8 * each}}})
	})

	for name, breaks := range map[string]string{
		"nothing of what could not be added": "UsageHours.Add", "nothing, nor add it twice, when the answer was": "UsageHours.Add answered",
	} {
		t.Run("Should lose "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w).metering
			o := w.addOrg("own", org.Active)
			by := holder(o, authz.Admin)
			s.Count(by, fault.Internal)
			w.breaks(breaks, fault.ErrUnavailable)
			for range 3 {
				is.Equal(s.Flush(t.Context()), error(fault.ErrUnavailable))
				s.Count(by, fault.Internal)
			}
			w.mends(breaks)
			is.NoErr(s.Flush(t.Context()))
			is.NoErr(s.Flush(t.Context()))
			is.Equal(w.usageOf(o), []usage.Sum{{Start: usage.HourOf(w.clock.Now()).Time(), Counts: usage.Counts{Requests: 4}}})
		})
	}

	t.Run("Should ask the database for nothing when nothing was asked", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		is.NoErr(newServices(w).metering.Flush(t.Context()))
		is.Equal(w.count("UsageHours.Add"), 0)
	})

	t.Run("Should keep no more than there is room for, and say so", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		hours := &gathered{}
		var log strings.Builder
		s := metering.New(hours, nil, wall{}, slog.New(slog.NewTextHandler(&log, nil)))
		const many = 20 * metering.MaxSlots
		o := id.New[id.OrgKind]()
		for range many {
			s.Count(holder(o, authz.Viewer), fault.Internal) // each by another key
		}
		is.NoErr(s.Flush(t.Context()))
		is.Equal(len(hours.batches()), 1)
		is.Equal(len(hours.batches()[0].Counts), 16*metering.MaxSlots)
		is.True(strings.Contains(log.String(), "not in the usage"))
	})

	t.Run("Should add what was counted every few seconds, and go on after a failure", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			hours := &gathered{}
			s := metering.New(hours, nil, wall{}, slog.New(slog.DiscardHandler))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); s.Run(ctx) }()
			by := holder(id.New[id.OrgKind](), authz.Viewer)
			hours.fails.set(fault.ErrUnavailable)
			s.Count(by, fault.Internal)
			pass(metering.FlushEvery + time.Second)
			is.Equal(len(hours.batches()), 0)
			hours.fails.set(nil)
			s.Count(by, fault.Internal)
			pass(metering.FlushEvery)
			is.Equal(len(hours.batches()), 2) // the one that failed, and what came since
			is.Equal([]int64{hours.batches()[0].Number, hours.batches()[1].Number}, []int64{1, 2})
			is.Equal(hours.batches()[0].Writer, hours.batches()[1].Writer)
			cancel()
			<-ended
		})
	})
}

// gathered is usage that was added in a bubble.
type gathered struct {
	ports.UsageHours

	fails answer[error]

	mu    sync.Mutex
	added []usage.Batch
}

func (g *gathered) batches() []usage.Batch {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.added)
}

func (g *gathered) Add(_ context.Context, b usage.Batch) error {
	if err := g.fails.get(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.added = append(g.added, b)
	return nil
}

func BenchmarkCount(b *testing.B) {
	s := metering.New(nil, nil, wall{}, slog.New(slog.DiscardHandler))
	by := holder(id.New[id.OrgKind](), authz.Viewer)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.Count(by, fault.Internal)
		}
	})
}
