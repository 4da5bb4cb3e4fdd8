package ports

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/usage"
)

// UsageHours is where usage is added up, of all organizations.
type UsageHours interface {
	// Add adds a batch, all of it or nothing, and once: a batch whose number is not
	// above that of the writer's last one adds nothing again, without an error, also
	// while its first attempt has not ended. What is counted of an organization that
	// is gone, or whose purge has begun, is left out. Any number of calls at once
	// lose nothing and end without a deadlock.
	Add(ctx context.Context, b usage.Batch) error
	// Erase forgets up to limit counts of hours that began more than 400 days ago, and
	// returns how many those were.
	Erase(ctx context.Context, limit int) (int, error)
}
