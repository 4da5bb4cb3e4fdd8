package porttest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/usage"
)

// aBatch is the first batch of a new writer.
func aBatch(counts map[usage.Slot]usage.Counts) usage.Batch {
	return usage.Batch{Writer: uuid.New(), Number: 1, Counts: counts}
}

// sums walks through an organization's usage.
func sums(t testing.TB, b Backend, o id.Org, f usage.Filter, limit int) []usage.Sum {
	t.Helper()
	return slices.Concat(walk(t, limit, func(q page.Request) (page.Page[usage.Sum], error) {
		return b.Store.Reads(o).Usage(t.Context(), f, q)
	})...)
}

// UsageHours checks ports.UsageHours, and the read of usage.
func UsageHours(t *testing.T, open Open) {
	b := open(t)
	noon := usage.HourOf(time.Date(2026, time.March, 8, 12, 0, 0, 0, time.UTC))
	one := func(n int64) usage.Counts { return usage.Counts{Requests: n, Refused: n / 2, Limited: n / 3} }

	should(t, "add up by organization, key and hour, and sum by key, hour and day", func(t *testing.T, is *is.I) {
		o, other := orgID(seed(t, b, anOrg())), orgID(seed(t, b, anOrg()))
		k, l := id.New[id.APIKeyKind](), id.New[id.APIKeyKind]()
		is.NoErr(b.UsageHours.Add(t.Context(), aBatch(map[usage.Slot]usage.Counts{
			{Org: o, Key: k, Hour: noon}: one(6), {Org: o, Key: l, Hour: noon}: one(12), {Org: other, Key: k, Hour: noon}: one(60),
			{Org: o, Key: k, Hour: noon + 11}: one(18), {Org: o, Key: k, Hour: noon + 12}: one(24), // the next day, of UTC
		})))
		is.NoErr(b.UsageHours.Add(t.Context(), aBatch(map[usage.Slot]usage.Counts{{Org: o, Key: k, Hour: noon}: one(6)})))
		at := func(h usage.Hour, n int64) usage.Sum { return usage.Sum{Start: h.Time(), Counts: one(n)} }
		for _, limit := range []int{1, 2, 100} {
			is.Equal(sums(t, b, o, usage.Filter{}, limit), []usage.Sum{{Key: k, Counts: one(54)}, {Key: l, Counts: one(12)}})
			is.Equal(sums(t, b, o, usage.Filter{By: usage.ByHour}, limit), []usage.Sum{at(noon, 24), at(noon+11, 18), at(noon+12, 24)})
			is.Equal(sums(t, b, o, usage.Filter{By: usage.ByDay}, limit), []usage.Sum{at(noon-12, 42), at(noon+12, 24)})
		}
		is.Equal(sums(t, b, o, usage.Filter{From: (noon + 11).Time(), To: (noon + 12).Time()}, 100), []usage.Sum{{Key: k, Counts: one(18)}})
		is.Equal(sums(t, b, o, usage.Filter{By: usage.ByDay, From: (noon + 1).Time()}, 100), []usage.Sum{at(noon-12, 18), at(noon+12, 24)})
		is.Equal(sums(t, b, other, usage.Filter{}, 100), []usage.Sum{{Key: k, Counts: one(60)}})
	})

	should(t, "add a batch once, however often and by how many at once it is sent", func(t *testing.T, is *is.I) {
		o, k := orgID(seed(t, b, anOrg())), id.New[id.APIKeyKind]()
		batch := aBatch(map[usage.Slot]usage.Counts{{Org: o, Key: k, Hour: noon}: one(6)})
		is.NoErr(errors.Join(together(8, func(int) error { return b.UsageHours.Add(t.Context(), batch) })...))
		next := batch
		next.Number++
		is.NoErr(b.UsageHours.Add(t.Context(), next))
		is.NoErr(b.UsageHours.Add(t.Context(), batch)) // an old one that comes late
		is.NoErr(b.UsageHours.Add(t.Context(), next))
		is.Equal(sums(t, b, o, usage.Filter{}, 100), []usage.Sum{{Key: k, Counts: one(12)}})
	})

	should(t, "lose nothing of many writers, whose batches have the same keys in whatever order", func(t *testing.T, is *is.I) {
		o, other := orgID(seed(t, b, anOrg())), orgID(seed(t, b, anOrg()))
		counts := map[usage.Slot]usage.Counts{}
		for i := range 50 {
			counts[usage.Slot{Org: []id.Org{o, other}[i%2], Key: id.New[id.APIKeyKind](), Hour: noon + usage.Hour(i%3)}] = one(6)
		}
		const writers, batches = 8, 10
		is.NoErr(errors.Join(together(writers, func(int) error {
			batch := aBatch(counts)
			for n := range batches {
				batch.Number = int64(n) + 1
				if err := b.UsageHours.Add(t.Context(), batch); err != nil {
					return err
				}
			}
			return nil
		})...))
		for _, sum := range append(sums(t, b, o, usage.Filter{}, 100), sums(t, b, other, usage.Filter{}, 100)...) {
			is.Equal(sum.Counts, one(6*writers*batches))
		}
	})

	should(t, "leave out organizations that are gone or past the point of no return", func(t *testing.T, is *is.I) {
		k := id.New[id.APIKeyKind]()
		here, absent := orgID(seed(t, b, orgIn(org.Deleting))), id.New[id.OrgKind]() // the one in its grace
		purged := orgID(seed(t, b, changeOrg(anOrg(), func(s *org.Snapshot) { s.State, s.DeleteAfter = org.Deleting, time.Time{} })))
		gone := orgID(seed(t, b, orgIn(org.Deleted)))
		counts := map[usage.Slot]usage.Counts{}
		for _, o := range []id.Org{here, absent, purged, gone} {
			counts[usage.Slot{Org: o, Key: k, Hour: noon}] = one(6)
		}
		is.NoErr(b.UsageHours.Add(t.Context(), aBatch(counts)))
		is.Equal(len(sums(t, b, here, usage.Filter{}, 100)), 1)
		for _, o := range []id.Org{absent, purged, gone} {
			is.Equal(len(sums(t, b, o, usage.Filter{}, 100)), 0)
		}
	})

	should(t, "forget what is older than 400 days, and nothing else", func(t *testing.T, is *is.I) {
		o, k := orgID(seed(t, b, anOrg())), id.New[id.APIKeyKind]()
		now := usage.HourOf(time.Now()) //nolint:forbidigo // the database's clock decides
		const day = 24
		is.NoErr(b.UsageHours.Add(t.Context(), aBatch(map[usage.Slot]usage.Counts{
			{Org: o, Key: k, Hour: now - 402*day}: one(1), {Org: o, Key: k, Hour: now - 401*day}: one(2), {Org: o, Key: k, Hour: now - 399*day}: one(3),
		})))
		n, err := b.UsageHours.Erase(t.Context(), 1)
		is.NoErr(err)
		is.Equal(n, 1)
		is.Equal(len(sums(t, b, o, usage.Filter{By: usage.ByHour}, 100)), 2)
		n, err = b.UsageHours.Erase(t.Context(), 1000)
		is.NoErr(err)
		is.Equal(n, 1)
		is.Equal(sums(t, b, o, usage.Filter{By: usage.ByHour}, 100), []usage.Sum{{Start: (now - 399*day).Time(), Counts: one(3)}})
	})
}
