package limit

import (
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// Tier is whose limit it is. Where both tiers have one, both hold.
type Tier uint8

// The tiers.
const (
	OfOrganization Tier = iota // shared by all of its keys: more keys are not more of anything
	OfKey
	tiers

	// OfAddress is that of whoever fails to authenticate: of keys that are no good,
	// from one address. It is nobody's, and stands in no Check.
	OfAddress = tiers
)

// String returns the tier's name.
func (t Tier) String() string { return [...]string{"organization", "api_key", "address"}[t] }

// Holder is whose limits hold: an organization, with what was set for it, and perhaps
// one of its keys, with what was set for that.
type Holder struct {
	Org       id.Org
	OrgLimits Set
	Key       id.APIKey // zero: none
	KeyLimits Set
}

// Check is the question whether something may happen once more, with what is to be
// taken from the buckets of each tier that has a limit, and then with what they
// answered. It is large, so that asking needs no memory of its own: keep it in one
// place and pass a pointer. The zero Check has no tiers, and refuses nothing.
type Check struct {
	name      Name
	n         int
	before    int64
	tiers     [tiers]Tier
	limits    [tiers]Limit
	charges   [tiers]ratelimit.Charge
	decisions [tiers]ratelimit.Decision
}

// Begin makes c the question whether the holder may do what n limits, at a cost. A
// cost of 0 asks and takes nothing; one above a burst is that burst, as it would never
// be let through otherwise.
func (c *Check) Begin(s Standard, n Name, h Holder, cost int64) {
	c.name, c.n = n, 0
	l, _ := s.Of(n, h.OrgLimits)
	c.add(OfOrganization, ratelimit.BucketOf(h.Org.UUID(), n.BucketKind()), l, cost)
	if own, ok := h.KeyLimits[n]; ok && !h.Key.IsZero() {
		c.add(OfKey, ratelimit.BucketOf(h.Key.UUID(), n.BucketKind()), own, cost)
	}
}

// Before says what the same thing has cost already, a moment ago. What costs more than
// a burst altogether takes the rest of it from now on, and is let through by that.
func (c *Check) Before(cost int64) { c.before = cost }

func (c *Check) add(t Tier, b ratelimit.Bucket, l Limit, cost int64) {
	if l.Rate.Unlimited() {
		return
	}
	c.tiers[c.n], c.limits[c.n] = t, l
	c.charges[c.n] = ratelimit.Charge{Bucket: b, Rate: l.Rate, Cost: max(0, min(cost, l.Rate.Burst-c.before)), DryRun: l.DryRun}
	c.n++
}

// Forget makes c a question that nobody answered.
func (c *Check) Forget() { c.n = 0 }

// Charges returns what is to be taken.
func (c *Check) Charges() []ratelimit.Charge { return c.charges[:c.n] }

// Decisions returns where the answers belong, in the order of the charges.
func (c *Check) Decisions() []ratelimit.Decision { return c.decisions[:c.n] }

// Len returns how many tiers have a limit.
func (c *Check) Len() int { return c.n }

// Standing is how a tier stands with its limit.
type Standing struct {
	Tier     Tier
	Limit    Limit
	Decision ratelimit.Decision
}

// At returns the standing of the i-th tier.
func (c *Check) At(i int) Standing { return Standing{c.tiers[i], c.limits[i], c.decisions[i]} }

// Standings returns that of each tier.
func (c *Check) Standings() []Standing {
	out := make([]Standing, c.n)
	for i := range out {
		out[i] = c.At(i)
	}
	return out
}

// UsedUp tells whether a tier that is no dry run has nothing left, and which.
func (c *Check) UsedUp() (Tier, bool) {
	for i := range c.n {
		if !c.limits[i].DryRun && c.decisions[i].Remaining == 0 {
			return c.tiers[i], true
		}
	}
	return 0, false
}

// Err returns nil when it may happen, or ErrRateExceeded, which says after which time
// no tier refuses any more and has a RefusedError as its cause.
func (c *Check) Err() error {
	var after time.Duration
	var refusing []Tier
	for i := range c.n {
		if d := c.decisions[i]; !d.Allowed && !c.limits[i].DryRun {
			after, refusing = max(after, d.RetryAfter), append(refusing, c.tiers[i])
		}
	}
	if refusing == nil {
		return nil
	}
	return ErrRateExceeded.After(after).Because(&RefusedError{Name: c.name, Tiers: refusing})
}

// RefusedError is what a rate refused.
type RefusedError struct {
	Name  Name
	Tiers []Tier
}

// Error names the policies.
func (e *RefusedError) Error() string { return "refused by " + strings.Join(e.Policies(), ", ") }

// Policies names the limits that refused as they are known to whoever meets them.
func (e *RefusedError) Policies() []string {
	out := make([]string, len(e.Tiers))
	for i, t := range e.Tiers {
		out[i] = e.Name.Policy(t)
	}
	return out
}

// Policy is what a limit is called by those who meet it: that of requests, which each
// answer tells of, by whose it is; any other by its own name.
func (n Name) Policy(t Tier) string {
	if n == Requests {
		return t.String()
	}
	return n.n
}

// Warns tells whether so much of a rate has been used that somebody is to be warned.
func (s Standing) Warns() bool {
	burst, warn := s.Limit.Rate.Burst, int64(s.Limit.WarnPercent)
	return warn > 0 && (burst-s.Decision.Remaining)*100 >= burst*warn
}
