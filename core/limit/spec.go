package limit

import (
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// The bounds of a rate's period.
const (
	minPeriod = time.Second
	maxPeriod = 24 * time.Hour
)

// Spec is a limit as somebody asks for it. What is nil was not said: Count and Period
// are required of a rate, Max of a quota; the rest has a default.
type Spec struct {
	Count       *int64
	Period      *time.Duration // whole seconds
	Burst       *int64         // nil: DefaultBurst
	Max         *int64
	WarnPercent *int // nil: WarnPercent
	DryRun      bool
}

// DefaultBurst is the burst of a rate for which nobody chose one: a tenth of what its
// period lets through.
func DefaultBurst(count int64) int64 { return max(1, count/10) }

// New returns the limit that is asked for. It fails with fault.ErrInvalid, which names
// the field.
func (n Name) New(s Spec) (Limit, error) {
	l := Limit{WarnPercent: WarnPercent, DryRun: s.DryRun}
	if s.WarnPercent != nil {
		l.WarnPercent = *s.WarnPercent
	}
	if l.WarnPercent < 0 || l.WarnPercent > 100 {
		return Limit{}, fault.InvalidField("/warn_percent", "range", "must be between 0 and 100")
	}
	var err error
	if n.Kind() == KindQuota {
		l.Max, err = n.quota(s)
	} else {
		l.Rate, err = n.rate(s)
	}
	if err != nil {
		return Limit{}, err
	}
	return l, nil
}

func (n Name) quota(s Spec) (int64, error) {
	var alien string
	switch {
	case s.Count != nil:
		alien = "/count"
	case s.Period != nil:
		alien = "/period_seconds"
	case s.Burst != nil:
		alien = "/burst"
	case s.Max == nil:
		return 0, fault.InvalidField("/max", "required", "is required of a quota")
	default:
		return *s.Max, n.within("/max", *s.Max, 0)
	}
	return 0, fault.InvalidField(alien, "kind", "is for rates, and "+n.n+" is a quota")
}

func (n Name) rate(s Spec) (ratelimit.Rate, error) {
	switch {
	case s.Max != nil:
		return ratelimit.Rate{}, fault.InvalidField("/max", "kind", "is for quotas, and "+n.n+" is a rate")
	case s.Count == nil:
		return ratelimit.Rate{}, fault.InvalidField("/count", "required", "is required of a rate")
	case s.Period == nil:
		return ratelimit.Rate{}, fault.InvalidField("/period_seconds", "required", "is required of a rate")
	case *s.Period < minPeriod || *s.Period > maxPeriod || *s.Period%time.Second != 0:
		return ratelimit.Rate{}, fault.InvalidField("/period_seconds", "range", "must be between 1 and 86400")
	}
	if err := n.within("/count", *s.Count, 1); err != nil {
		return ratelimit.Rate{}, err
	}
	r := ratelimit.Rate{Count: *s.Count, Period: *s.Period, Burst: DefaultBurst(*s.Count)}
	if s.Burst != nil {
		r.Burst = *s.Burst
	}
	if r.Burst < 1 || r.Burst > r.Count {
		return ratelimit.Rate{}, fault.InvalidField("/burst", "range", "must be between 1 and the count")
	}
	return r, nil
}

func (n Name) within(pointer string, v, least int64) error {
	if most := n.definition().max; v < least || v > most {
		return fault.InvalidField(pointer, "range",
			"must be between "+strconv.FormatInt(least, 10)+" and "+strconv.FormatInt(most, 10))
	}
	return nil
}

// NewKeySet returns the limits that are asked for a key, which are beside those of its
// organization. It fails with fault.ErrInvalid, which names the limit and its field.
func NewKeySet(in map[Name]Spec) (Set, error) {
	var out Set
	for _, n := range Names() {
		spec, asked := in[n]
		if !asked {
			continue
		}
		if !n.definition().keyed {
			return nil, fault.InvalidField("/limits/"+n.n, "enum", "is no limit that a key can have")
		}
		spec.WarnPercent = new(int) // it is the organization that is warned
		l, err := n.New(spec)
		if err != nil {
			return nil, fault.Under(err, "/limits/"+n.n)
		}
		out = out.With(n, l)
	}
	return out, nil
}
