package ports

import (
	"context"

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
