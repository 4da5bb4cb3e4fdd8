package limit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// Set is the limits that were set for an organization or a key. What is not in it
// is as by default. It is stored as JSON. A Set is never changed: With and Without
// return another one. nil is the empty one.
type Set map[Name]Limit

// With returns the set with one limit more, or another.
func (s Set) With(n Name, l Limit) Set {
	out := maps.Clone(s)
	if out == nil {
		out = Set{}
	}
	out[n] = l
	return out
}

// Without returns the set without a limit.
func (s Set) Without(n Name) Set {
	out := maps.Clone(s)
	delete(out, n)
	if len(out) == 0 {
		return nil
	}
	return out
}

// Equal tells whether both hold the same limits.
func (s Set) Equal(o Set) bool { return maps.Equal(s, o) }

// Within tells whether who is held to the set is held at least as tightly as who is
// held to the rates of the other.
func (s Set) Within(o Set) bool {
	for n, wide := range o {
		narrow, is := s[n]
		if !is || (narrow.DryRun && !wide.DryRun) || narrow.Rate.Burst > wide.Rate.Burst ||
			// so many in so long are no more than the others in theirs
			float64(narrow.Rate.Count)*float64(wide.Rate.Period) > float64(wide.Rate.Count)*float64(narrow.Rate.Period) {
			return false
		}
	}
	return true
}

// stored is the JSON of a limit.
type stored struct {
	Count         int64  `json:"count,omitempty"`
	PeriodSeconds int64  `json:"period_seconds,omitempty"`
	Burst         int64  `json:"burst,omitempty"`
	Max           *int64 `json:"max,omitempty"`
	WarnPercent   int    `json:"warn_percent,omitempty"`
	DryRun        bool   `json:"dry_run,omitempty"`
}

// MarshalJSON returns an object by the limits' names.
func (s Set) MarshalJSON() ([]byte, error) {
	out := make(map[string]stored, len(s))
	for n, l := range s {
		o := stored{WarnPercent: l.WarnPercent, DryRun: l.DryRun}
		if n.Kind() == KindQuota {
			o.Max = &l.Max
		} else {
			o.Count, o.PeriodSeconds, o.Burst = l.Rate.Count, int64(l.Rate.Period/time.Second), l.Rate.Burst
		}
		out[n.n] = o
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote. A name that is not known is left out:
// a later version of the program set it, and this one must go on. A limit that is
// known and whose fields are not is an error: it would be another limit than was set.
func (s *Set) UnmarshalJSON(b []byte) error {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*s = nil
	for name, raw := range in {
		n, known := Parse(name)
		if !known {
			continue
		}
		l, err := n.restore(raw)
		if err != nil {
			return fmt.Errorf("limit %s: %w", name, err)
		}
		*s = s.With(n, l)
	}
	return nil
}

func (n Name) restore(raw json.RawMessage) (Limit, error) {
	var in stored
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return Limit{}, err
	}
	l := Limit{WarnPercent: in.WarnPercent, DryRun: in.DryRun}
	switch {
	case n.Kind() == KindQuota && in.Max != nil && *in.Max >= 0:
		l.Max = *in.Max
	case n.Kind() == KindRate && in.Count > 0 && in.PeriodSeconds > 0 && in.Burst > 0:
		l.Rate = ratelimit.Rate{Count: in.Count, Period: time.Duration(in.PeriodSeconds) * time.Second, Burst: in.Burst}
	default: // of the other kind, or one that would limit nothing
		return Limit{}, fmt.Errorf("is no %s", n.Kind())
	}
	return l, nil
}
