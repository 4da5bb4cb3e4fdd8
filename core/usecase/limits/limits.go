// Package limits holds organizations and keys to their limits, shows these and how
// much of them is used, and lets operators set them.
package limits

import (
	"context"
	"log/slog"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Service looks after limits.
type Service struct {
	store    ports.Store
	buckets  ports.Buckets
	standard limit.Standard
	clock    ports.Clock
	meter    ports.LimitMeter
	log      *slog.Logger
	warnings warnings
}

var _ ports.Limiter = (*Service)(nil)

// New returns the service. The warnings that it owes are written by Run.
func New(store ports.Store, buckets ports.Buckets, standard limit.Standard, clock ports.Clock, meter ports.LimitMeter, log *slog.Logger) *Service {
	return &Service{
		store: store, buckets: buckets, standard: standard, clock: clock, meter: meter, log: log,
		warnings: warnings{due: map[warning]share{}, noted: map[warning]time.Time{}},
	}
}

// closedRetry is the advice while nobody knows how much of a limit has been used.
const closedRetry = time.Second

// Take implements ports.Limiter. It is on the path of every request: on it nothing is
// written, and there is one look at the buckets, whatever the number of tiers.
func (s *Service) Take(ctx context.Context, n limit.Name, h limit.Holder, cost int64, c *limit.Check) error {
	c.Begin(s.standard, n, h, cost)
	if c.Len() == 0 {
		return nil
	}
	if err := s.buckets.Take(ctx, c.Charges(), c.Decisions()); err != nil {
		c.Forget()
		return s.blind(ctx, n, err)
	}
	for i := range c.Len() {
		at := c.At(i)
		if !at.Decision.Allowed {
			s.meter.Limited(n, at.Tier, at.Limit.DryRun)
		}
		if cost > 0 && at.Tier == limit.OfOrganization && at.Warns() {
			burst := at.Limit.Rate.Burst
			s.note(h.Org, n, share{used: burst - at.Decision.Remaining, allowed: burst, percent: at.Limit.WarnPercent})
		}
	}
	return c.Err()
}

// blind decides while the buckets can not be asked.
func (s *Service) blind(ctx context.Context, n limit.Name, cause error) error {
	if ctx.Err() == nil { // else nobody waits for it any more, and the buckets may be well
		s.meter.LimiterUnavailable()
	}
	if n.FailsOpen() {
		return nil
	}
	return fault.ErrUnavailable.After(closedRetry).Because(cause)
}
