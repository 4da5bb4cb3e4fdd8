package ports

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
)

// Trail is the reads of the audit trails. What belongs to another organization
// is absent.
type Trail interface {
	// Event fails with fault.ErrNotFound.
	Event(ctx context.Context, o id.Org, e id.Event) (audit.Record, error)
	// Events lists the entries that the filter chooses, in the order of their
	// numbers, the highest first.
	Events(ctx context.Context, o id.Org, f audit.Filter, r page.Request) (page.Page[audit.Record], error)
	// AllEvents lists those of all organizations, the newest first. Its callers
	// authorize for the platform.
	AllEvents(ctx context.Context, f audit.Filter, r page.Request) (page.Page[audit.Record], error)
	// Chain returns where the chain begins and ends, and the highest number that
	// an entry has.
	Chain(ctx context.Context, o id.Org) (audit.Chain, error)
	// Links returns up to limit entries with numbers above after and up to last,
	// the lowest first.
	Links(ctx context.Context, o id.Org, after, last int64, limit int) ([]audit.Record, error)
	// Span returns the first and the last number of the chain's entries of a
	// time, whose bounds may be zero; 0 and 0 when there are none.
	Span(ctx context.Context, o id.Org, from, to time.Time) (first, last int64, err error)
}
