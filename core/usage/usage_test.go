package usage_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/usage"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)

func TestFilter(t *testing.T) {
	t.Parallel()
	hour := now.Truncate(time.Hour)

	for name, c := range map[string]struct {
		from, to time.Time
		want     usage.Filter
		field    string
	}{
		"the last day":          {want: usage.Filter{From: hour.Add(-23 * time.Hour), To: hour.Add(time.Hour)}},
		"up to now":             {from: now.Add(-time.Minute), want: usage.Filter{From: now.Add(-time.Minute), To: hour.Add(time.Hour)}},
		"a day up to a time":    {to: now, want: usage.Filter{From: now.Add(-24 * time.Hour), To: now}},
		"as much as can be":     {from: now, to: now.Add(usage.MaxSpan), want: usage.Filter{From: now, To: now.Add(usage.MaxSpan)}},
		"more than can be":      {from: now, to: now.Add(usage.MaxSpan + 1), field: "from"},
		"more than can be, now": {from: now.Add(-93 * 24 * time.Hour), field: "from"},
		"no time":               {from: now, to: now, field: "from"},
		"what is yet to come":   {from: now.Add(2 * time.Hour), field: "from"},
	} {
		t.Run("Should choose "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			got, err := usage.NewFilter(usage.ByKey, c.from, c.to, now)
			if c.field != "" {
				is.True(errors.Is(err, fault.ErrInvalid))
				is.Equal(fault.From(err).Fields[0].Pointer, c.field)
				return
			}
			is.NoErr(err)
			is.Equal(got, c.want)
		})
	}

	t.Run("Should read every grouping and no other word", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for s, want := range map[string]usage.Grouping{"": usage.ByKey, "key": usage.ByKey, "hour": usage.ByHour, "day": usage.ByDay} {
			got, err := usage.ParseGrouping(s)
			is.NoErr(err)
			is.Equal(got, want)
		}
		_, err := usage.ParseGrouping("week")
		is.Equal(fault.From(err).Fields[0].Pointer, "by")
	})
}

func TestSum(t *testing.T) {
	t.Parallel()

	t.Run("Should find its place again, in the order of time", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := id.New[id.APIKeyKind]()
		is.Equal(usage.Sum{Key: k}.Place(), k.UUID())
		is.Equal(usage.TimeOf(uuid.Nil).Unix(), int64(0))
		at := usage.HourOf(now).Time()
		is.Equal(at, now.Truncate(time.Hour))
		is.Equal(usage.TimeOf(usage.Sum{Start: at}.Place()), at)
		is.True(usage.Sum{Start: at}.Place().String() < usage.Sum{Start: at.Add(time.Hour)}.Place().String())
	})
}
