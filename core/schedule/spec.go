package schedule

import (
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // which time zones there are must not depend on the machine

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// The bounds of a specification.
const (
	MaxParts     = 20 // calendars, intervals and crons, of each
	MaxRanges    = 60 // of one field of a calendar
	MaxEvery     = 10 * 365 * 24 * time.Hour
	MaxJitter    = 24 * time.Hour
	MaxCronLen   = 200 // bytes
	MaxComment   = 200 // bytes
	maxZoneBytes = 64
)

// Spec says when: at each time that one of its parts matches, between its start and
// its end.
type Spec struct {
	Calendars []Calendar
	Intervals []Interval
	Crons     []string
	TimeZone  string        // "": UTC
	Jitter    time.Duration // each start is late by a random part of it
	StartAt   time.Time     // zero: at once
	EndAt     time.Time     // zero: never
}

// Calendar matches the times at which all of its fields match. A field without ranges
// is 0 for the time of the day and everything else for the rest.
type Calendar struct {
	Second, Minute, Hour, DayOfMonth, Month, Year, DayOfWeek []Range
	Comment                                                  string
}

// Range is Start, Start+Step, … up to End. End is Start when it is 0, and Step is 1.
type Range struct{ Start, End, Step int32 }

// Interval matches every so often since the beginning of 1970, that much later.
type Interval struct{ Every, Offset time.Duration }

// Validate checks the specification. It fails with fault.ErrInvalid.
func (s Spec) Validate() error {
	for _, part := range []struct {
		name string
		n    int
	}{{"calendars", len(s.Calendars)}, {"intervals", len(s.Intervals)}, {"crons", len(s.Crons)}} {
		if part.n > MaxParts {
			return fault.InvalidField("/spec/"+part.name, "max_items", "must be at most 20")
		}
	}
	if len(s.Calendars)+len(s.Intervals)+len(s.Crons) == 0 {
		return fault.InvalidField("/spec", "required", "must have a calendar, an interval or a cron")
	}
	for i := range s.Calendars {
		if err := s.Calendars[i].validate(at("calendars", i)); err != nil {
			return err
		}
	}
	for i, v := range s.Intervals {
		if err := v.validate(at("intervals", i)); err != nil {
			return err
		}
	}
	for i, c := range s.Crons {
		if err := checkCron(at("crons", i), c); err != nil {
			return err
		}
	}
	return s.checkBounds()
}

func (s Spec) checkBounds() error {
	if s.Jitter < 0 || s.Jitter > MaxJitter {
		return fault.InvalidField("/spec/jitter_seconds", "range", "must be between 0 and a day")
	}
	if !s.StartAt.IsZero() && !s.EndAt.IsZero() && !s.EndAt.After(s.StartAt) {
		return fault.InvalidField("/spec/end_at", "order", "must be after start_at")
	}
	if s.TimeZone == "" {
		return nil
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil || len(s.TimeZone) > maxZoneBytes || s.TimeZone == "Local" {
		return fault.InvalidField("/spec/time_zone", "time_zone", "must be a name such as Europe/Berlin")
	}
	return nil
}

func at(list string, i int) string { return "/spec/" + list + "/" + strconv.Itoa(i) }

func (v Interval) validate(pointer string) error {
	switch {
	case v.Every < time.Second || v.Every > MaxEvery || v.Every%time.Second != 0:
		return fault.InvalidField(pointer+"/every_seconds", "range", "must be between a second and ten years")
	case v.Offset < 0 || v.Offset >= v.Every || v.Offset%time.Second != 0:
		return fault.InvalidField(pointer+"/offset_seconds", "range", "must be less than every_seconds")
	}
	return nil
}

// field is what a part of a date or a time can be.
type field struct {
	name       string
	least, top int32
	words      []string // other names of its values, from the least on
}

var (
	second     = field{name: "second", top: 59}
	minute     = field{name: "minute", top: 59}
	hour       = field{name: "hour", top: 23}
	dayOfMonth = field{name: "day_of_month", least: 1, top: 31}
	month      = field{name: "month", least: 1, top: 12, words: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}}
	year       = field{name: "year", least: 2000, top: 2100}
	dayOfWeek  = field{name: "day_of_week", top: 6, words: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}
)

func (c Calendar) validate(pointer string) error {
	for _, p := range []struct {
		field
		ranges []Range
	}{
		{second, c.Second},
		{minute, c.Minute},
		{hour, c.Hour},
		{dayOfMonth, c.DayOfMonth},
		{month, c.Month},
		{year, c.Year},
		{dayOfWeek, c.DayOfWeek},
	} {
		if len(p.ranges) > MaxRanges {
			return fault.InvalidField(pointer+"/"+p.name, "max_items", "must be at most 60")
		}
		for i, r := range p.ranges {
			if err := p.check(r); err != "" {
				return fault.InvalidField(pointer+"/"+p.name+"/"+strconv.Itoa(i), "range", err)
			}
		}
	}
	if len(c.Comment) > MaxComment {
		return fault.InvalidField(pointer+"/comment", "max_length", "must have at most 200 bytes")
	}
	return nil
}

// check returns what is wrong with a range; "" for nothing.
func (f field) check(r Range) string {
	end := r.End
	if end == 0 {
		end = r.Start
	}
	switch {
	case r.Start < f.least || end > f.top:
		return "must be between " + strconv.Itoa(int(f.least)) + " and " + strconv.Itoa(int(f.top))
	case end < r.Start:
		return "must not end before it starts"
	case r.Step < 0 || r.Step > f.top:
		return "must have a step between 0 and " + strconv.Itoa(int(f.top))
	}
	return ""
}

// cronNames are the crons that have a name.
var cronNames = []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}

// cronFields are the fields of a cron by how many there are.
var cronFields = map[int][]field{
	5: {minute, hour, dayOfMonth, month, dayOfWeek},
	6: {minute, hour, dayOfMonth, month, dayOfWeek, year},
	7: {second, minute, hour, dayOfMonth, month, dayOfWeek, year},
}

func checkCron(pointer, s string) error {
	if len(s) > MaxCronLen {
		return fault.InvalidField(pointer, "max_length", "must have at most 200 bytes")
	}
	if slices.Contains(cronNames, s) {
		return nil
	}
	given := strings.Fields(s)
	fields, ok := cronFields[len(given)]
	if !ok || strings.Join(given, " ") != s {
		return fault.InvalidField(pointer, "cron", "must have 5, 6 or 7 fields with one space between them, or be a name such as @daily")
	}
	for i, f := range fields {
		for part := range strings.SplitSeq(given[i], ",") {
			if wrong := f.cron(part); wrong != "" {
				return fault.InvalidField(pointer, "cron", "its "+strings.ReplaceAll(f.name, "_", " ")+" "+wrong)
			}
		}
	}
	return nil
}

// cron returns what is wrong with one part of a cron's field: *, 5, 1-5, mon-fri, and
// each of them with a step as in */10.
func (f field) cron(part string) string {
	span, step, stepped := strings.Cut(part, "/")
	r := Range{Start: f.least, End: f.top}
	if stepped {
		n, err := strconv.ParseInt(step, 10, 32)
		if err != nil || n < 1 {
			return "has a step that is none"
		}
		r.Step = int32(n)
	}
	if span != "*" {
		first, last, ranged := strings.Cut(span, "-")
		var ok bool
		if r.Start, ok = f.value(first); !ok {
			return "is not *, a value or a range"
		}
		if r.End = r.Start; ranged {
			if r.End, ok = f.value(last); !ok {
				return "is not *, a value or a range"
			}
		}
		if r.End < r.Start { // 0 as an end would be taken for none
			return "must not end before it starts"
		}
	}
	return f.check(r)
}

func (f field) value(s string) (int32, bool) {
	for i, w := range f.words {
		if strings.EqualFold(s, w) {
			return f.least + int32(i), true
		}
	}
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err == nil && n >= 0
}
