package ports

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// Buckets is where the state of rates is kept: in this process, or shared by all
// replicas. Its clock is its own, and never goes back.
type Buckets interface {
	// Take takes each charge's cost from its bucket, or nothing from any: when one
	// refuses that is no dry run, none is charged. It writes into decisions what each
	// bucket answered, in the order of the charges; there is room for all of them. A
	// refusing charge's decision is its refusal, the others' are what their buckets
	// hold. Of any number of concurrent calls, at any number of replicas, together no
	// more is let through than the rate allows. It does not keep either slice.
	Take(ctx context.Context, charges []ratelimit.Charge, decisions []ratelimit.Decision) error
	// Forget makes buckets as if they had never been used.
	Forget(ctx context.Context, buckets ...ratelimit.Bucket) error
}
