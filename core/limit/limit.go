// Package limit names the limits of an organization and of a key: rates, which are
// how often something may happen, and quotas, which are how much there may be.
//
// It is part of the core's shared vocabulary (docs/adr/0008): an organization has
// limits, a key has some of its own, and the credential that authentication reads
// brings both.
package limit

import (
	"maps"
	"slices"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// Name is the name of a limit. The zero value names none.
type Name struct{ n string }

// The limits. What each means to a reader stands in the table.
var (
	Requests         = Name{"requests"}
	WorkflowStarts   = Name{"workflow_starts"}
	Users            = Name{"users"}
	APIKeys          = Name{"api_keys"}
	Schedules        = Name{"schedules"}
	RunningWorkflows = Name{"running_workflows"}
	PayloadBytes     = Name{"payload_bytes"}
)

// String returns the name.
func (n Name) String() string { return n.n }

// Kind says what sort of limit it is.
type Kind string

// The kinds.
const (
	KindRate  Kind = "rate"  // so often in a period
	KindQuota Kind = "quota" // so many at a time
)

// definition is what is fixed about a limit.
type definition struct {
	name     Name
	kind     Kind
	bucket   uint8 // which of the buckets of an organization it is; of a quota, that of its warnings alone
	keyed    bool  // a key can have one of its own
	open     bool  // when its buckets can not be asked, everything is let through
	standard Limit
	max      int64 // the greatest count or quota that can be set
	words    string
}

// WarnPercent is at what share of a limit somebody is warned, unless it is set.
const WarnPercent = 80

// ErrExceeded is what a quota that is used up refuses with.
var ErrExceeded = fault.Define(fault.Exhausted, "limit.quota_exceeded", "A quota of the organization is used up.")

// ErrRateExceeded is what a rate refuses with.
var ErrRateExceeded = fault.Define(fault.Exhausted, "limit.rate_exceeded", "Too many requests. Try again when Retry-After says.")

var definitions = []definition{
	{Requests, KindRate, 1, true, true, rate(60_000, time.Minute, 6_000), 1e9, "requests to the API, by cost"},
	{WorkflowStarts, KindRate, 2, false, false, rate(6_000, time.Minute, 600), 1e9, "starts of workflows"},
	{Users, KindQuota, 3, false, false, quota(10_000), 1e7, "users and service accounts that are not removed"},
	{APIKeys, KindQuota, 4, false, false, quota(10_000), 1e7, "API keys that are not revoked"},
	{Schedules, KindQuota, 6, false, false, quota(1_000), 1e6, "schedules, those that were made at Temporal too as far as they are known"},
	{RunningWorkflows, KindQuota, 5, false, false, quota(100_000), 1e9, "workflows that run, counted by Temporal"},
	{PayloadBytes, KindQuota, 0, false, false, quota(1 << 20), 1 << 21, "bytes of input that a workflow is started with"},
}

func rate(count int64, period time.Duration, burst int64) Limit {
	return Limit{Rate: ratelimit.Rate{Count: count, Period: period, Burst: burst}, WarnPercent: WarnPercent}
}

func quota(most int64) Limit { return Limit{Max: most, WarnPercent: WarnPercent} }

// Limit is one limit as it holds: Rate for a rate, Max for a quota.
type Limit struct {
	Rate        ratelimit.Rate
	Max         int64
	WarnPercent int  // of what is allowed; 0: nobody is warned
	DryRun      bool // it is counted and warned of, and refuses nothing
}

// Names returns the names of all limits, in the order in which they are shown.
func Names() []Name {
	names := make([]Name, len(definitions))
	for i := range definitions {
		names[i] = definitions[i].name
	}
	return names
}

// Parse reads a name.
func Parse(s string) (Name, bool) {
	i := slices.IndexFunc(definitions, func(d definition) bool { return d.name.n == s })
	if i < 0 {
		return Name{}, false
	}
	return definitions[i].name, true
}

func (n Name) definition() definition {
	i := slices.IndexFunc(definitions, func(d definition) bool { return d.name == n })
	if i < 0 {
		return definition{}
	}
	return definitions[i]
}

// Kind returns what sort of limit it is.
func (n Name) Kind() Kind { return n.definition().kind }

// Words says what is limited.
func (n Name) Words() string { return n.definition().words }

// FailsOpen tells what happens while nobody knows how much of a rate has been used:
// everything, or nothing. That requests are let through lets nobody in who is not
// known; that workflows are not started keeps Temporal from what it can not bear.
func (n Name) FailsOpen() bool { return n.definition().open }

// BucketKind returns the number of the limit's bucket, for ratelimit.BucketOf.
func (n Name) BucketKind() uint8 { return n.definition().bucket }

// Standard is the limits of those for whom nothing was set: the built-in ones,
// with what the deployment has configured in their place. It is immutable.
type Standard struct {
	set      Set
	failures ratelimit.Rate
}

// NewStandard returns the built-in limits with a deployment's own in their place, and
// with how often an address may fail to authenticate; zero: as often as it likes.
func NewStandard(own Set, failures ratelimit.Rate) Standard {
	set := make(Set, len(definitions))
	for i := range definitions {
		set[definitions[i].name] = definitions[i].standard
	}
	maps.Copy(set, own)
	return Standard{set: set, failures: failures}
}

// Failures is how often an address may fail to authenticate.
func (s Standard) Failures() ratelimit.Rate { return s.failures }

// Of returns a limit as it holds where the given ones were set, and whether it was.
func (s Standard) Of(n Name, set Set) (l Limit, own bool) {
	if l, own = set[n]; own {
		return l, true
	}
	if l, complete := s.set[n]; complete {
		return l, false
	}
	return n.definition().standard, false // of the zero Standard
}
