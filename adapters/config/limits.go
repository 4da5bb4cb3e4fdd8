package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/limit"
)

// Limits are the limits of organizations for which nothing was set, in the place of
// those that are built in.
type Limits struct{ limit.Set }

// limitsForm is what a value looks like.
const limitsForm = "must have the form requests=60000/1m/6000,users=5000: a rate is a count, a period and a burst, a quota is a number"

// UnmarshalText reads "requests=60000/1m/6000,users=5000". A rate's burst may be left
// out.
func (l *Limits) UnmarshalText(b []byte) error {
	l.Set = nil
	for part := range strings.SplitSeq(string(b), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, known := limit.Parse(strings.TrimSpace(name))
		if !known {
			return reasoned("names a limit that there is not; there are: " + names())
		}
		if _, twice := l.Set[n]; twice {
			return reasoned(n.String() + " stands there twice")
		}
		spec, ok := parseSpec(n, strings.TrimSpace(value))
		if !ok {
			return reasoned(limitsForm)
		}
		made, err := n.New(spec)
		if err != nil {
			f := fault.From(err).Fields[0]
			return reasoned(fmt.Sprintf("%s: %s %s", n, strings.TrimPrefix(f.Pointer, "/"), f.Detail))
		}
		l.Set = l.With(n, made)
	}
	return nil
}

func names() string {
	var out []string
	for _, n := range limit.Names() {
		out = append(out, n.String())
	}
	return strings.Join(out, ", ")
}

func parseSpec(n limit.Name, value string) (s limit.Spec, ok bool) {
	parts := strings.Split(value, "/")
	first, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return s, false
	}
	if n.Kind() == limit.KindQuota {
		s.Max = &first
		return s, len(parts) == 1
	}
	if len(parts) < 2 || len(parts) > 3 {
		return s, false
	}
	period, err := time.ParseDuration(parts[1])
	if err != nil {
		return s, false
	}
	s.Count, s.Period = &first, &period
	if len(parts) == 3 { //nolint:mnd // the burst
		burst, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil {
			return s, false
		}
		s.Burst = &burst
	}
	return s, true
}
