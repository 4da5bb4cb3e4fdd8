// Package usage is how much is asked of the API: by organization, API key and hour.
package usage

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// Counts is how many requests there were. Those that were refused and limited are
// among all.
type Counts struct {
	Requests int64
	Refused  int64 // as the actor may not do it: 403
	Limited  int64 // as a limit was reached: 429
}

// Plus returns the sum.
func (c Counts) Plus(d Counts) Counts {
	return Counts{c.Requests + d.Requests, c.Refused + d.Refused, c.Limited + d.Limited}
}

// Slot is what is counted apart: a key of an organization in an hour.
type Slot struct {
	Org  id.Org
	Key  id.APIKey
	Hour Hour
}

// Hour is an hour of UTC, by its number since 1970.
type Hour int64

// HourOf returns the hour that a time is in.
func HourOf(t time.Time) Hour { return Hour(t.Unix() / int64(time.Hour/time.Second)) }

// Time returns when the hour begins.
func (h Hour) Time() time.Time { return time.Unix(int64(h)*int64(time.Hour/time.Second), 0).UTC() }

// Batch is what a process has counted since its batch before. Together its two
// numbers are used once: a batch that is sent again is the same one.
type Batch struct {
	Writer uuid.UUID // the process; another one each time that it starts
	Number int64     // grows with each batch of the writer, from 1
	Counts map[Slot]Counts
}

// Grouping is what usage is summed by. The zero value is by key.
type Grouping struct{ name string }

// The groupings.
var (
	ByKey  = Grouping{}
	ByHour = Grouping{"hour"}
	ByDay  = Grouping{"day"} // of UTC
)

// String returns the grouping's name.
func (g Grouping) String() string {
	if g == ByKey {
		return "key"
	}
	return g.name
}

// ParseGrouping reads a grouping; "" is by key. It fails with fault.ErrInvalid.
func ParseGrouping(s string) (Grouping, error) {
	for _, g := range []Grouping{ByKey, ByHour, ByDay} {
		if s == g.String() || s == "" {
			return g, nil
		}
	}
	return Grouping{}, fault.InvalidField("by", "enum", "must be key, hour or day")
}

const (
	// MaxSpan is the longest time that can be asked about at once.
	MaxSpan = 92 * 24 * time.Hour
	// defaultSpan is the time that is shown unless its beginning is given.
	defaultSpan = 24 * time.Hour
)

// Filter chooses usage, by the hours that begin within a time, and says what to sum
// it by. The zero Filter is all there is, by key.
type Filter struct {
	By       Grouping
	From, To time.Time // To is not within; zero: no bound
}

// NewFilter returns the filter for a time of which either end may be zero: it ends
// with the present hour then, and begins a day before its end. It fails with
// fault.ErrInvalid for a time that is none, or is longer than MaxSpan.
func NewFilter(by Grouping, from, to, now time.Time) (Filter, error) {
	if to.IsZero() {
		to = now.Truncate(time.Hour).Add(time.Hour)
	}
	if from.IsZero() {
		from = to.Add(-defaultSpan)
	}
	switch {
	case !from.Before(to):
		return Filter{}, fault.InvalidField("from", "range", "must be before to")
	case to.Sub(from) > MaxSpan:
		return Filter{}, fault.InvalidField("from", "range", "must be at most 92 days before to")
	}
	return Filter{By: by, From: from, To: to}, nil
}

// Sum is the usage of a key, or of an hour or a day of all keys.
type Sum struct {
	Key   id.APIKey // of a sum by key
	Start time.Time // when the hour or the day begins; zero of a sum by key
	Counts
}

// Place returns what stands for the sum where a list goes on after it: the key, or
// the second at which its time begins.
func (s Sum) Place() uuid.UUID {
	if s.Start.IsZero() {
		return s.Key.UUID()
	}
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[8:], uint64(s.Start.Unix())) //nolint:gosec // nobody asked anything before 1970
	return u
}

// TimeOf is the way back from the place of a sum by time; the zero place is before
// all of them.
func TimeOf(place uuid.UUID) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(place[8:])), 0).UTC() //nolint:gosec // Place has made it
}
