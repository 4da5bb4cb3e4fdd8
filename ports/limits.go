package ports

import (
	"context"
	"net/netip"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// Buckets is where the state of rates is kept: in this process, or shared by all
// replicas. Its clock is its own, and does not go back.
type Buckets interface {
	// Take takes each charge's cost from its bucket, or nothing from any: when one
	// refuses that is no dry run, none is charged. A dry run that refuses takes nothing
	// itself and holds up no other. It writes into decisions what each bucket answered,
	// in the order of the charges; there is room for all of them. When nothing was
	// taken, a refusing charge's decision is its refusal, and that of any other is of
	// a cost of 0. No bucket stands in charges twice.
	//
	// Of any number of concurrent calls, at any number of replicas, together no more is
	// let through than the rate allows. It keeps neither slice. It fails with
	// fault.ErrUnavailable when the buckets can not be reached: then decisions say
	// nothing, and the costs may have been taken or not.
	Take(ctx context.Context, charges []ratelimit.Charge, decisions []ratelimit.Decision) error
	// Forget makes buckets as if they had never been used.
	Forget(ctx context.Context, buckets ...ratelimit.Bucket) error
}

// Limiter lets things happen as often as the limits of whoever does them say. The use
// cases of limits are one, for the other use cases.
type Limiter interface {
	// Take takes the cost of something that n limits from the buckets of its holder, or
	// only asks, at a cost of 0. It leaves in c how the holder stands; c.Len is 0 when
	// that is not known. It fails with limit.ErrRateExceeded and, when the buckets can
	// not be asked and the limit does not fail open, with fault.ErrUnavailable.
	Take(ctx context.Context, n limit.Name, h limit.Holder, cost int64, c *limit.Check) error
	// Used says how much of a quota is used, so that the organization is warned when
	// that is a good part of it. It returns at once, and never fails.
	Used(o id.Org, n limit.Name, l limit.Limit, used int64)
	// Fail takes one from how often an address may fail to authenticate; MayFail only
	// asks whether there is one left. Both fail with limit.ErrRateExceeded when there is
	// not, and never because the buckets can not be asked. An address that is not valid,
	// as its connection has none, has no limit.
	Fail(ctx context.Context, from netip.Addr) error
	MayFail(ctx context.Context, from netip.Addr) error
}

// LimitMeter counts what limits do, for whoever runs the deployment. Its methods
// return at once and never fail; what it counts names no tenant.
type LimitMeter interface {
	// Limited counts what a limit refused, or would have refused if it were no dry run.
	Limited(n limit.Name, t limit.Tier, dryRun bool)
	// LimiterUnavailable counts that the buckets could not be asked.
	LimiterUnavailable()
	// LimitWarned counts that an organization was warned of a limit.
	LimitWarned(n limit.Name)
}
