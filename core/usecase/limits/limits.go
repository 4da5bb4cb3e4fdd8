// Package limits holds organizations and keys to their limits, shows these and how
// much of them is used, and lets operators set them.
package limits

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Stores are where the state of rates is kept.
type Stores struct {
	Buckets ports.Buckets // shared by all replicas, or this process's own
	Spare   ports.Buckets // this process's own, for what fails open; nil: Buckets are so themselves
}

// Service looks after limits.
type Service struct {
	store    ports.Store
	buckets  ports.Buckets
	spare    ports.Buckets
	standard limit.Standard
	clock    ports.Clock
	meter    ports.LimitMeter
	log      *slog.Logger
	warnings warnings
	saidAway atomic.Int64 // when the log was told last that the buckets are away, in Unix nanoseconds
}

var _ ports.Limiter = (*Service)(nil)

// New returns the service. The warnings that it owes are written by Run.
func New(store ports.Store, state Stores, standard limit.Standard, clock ports.Clock, meter ports.LimitMeter, log *slog.Logger) *Service {
	return &Service{
		store: store, buckets: state.Buckets, spare: state.Spare, standard: standard, clock: clock, meter: meter, log: log,
		warnings: warnings{due: map[warning]share{}, noted: map[warning]time.Time{}},
	}
}

const (
	// closedRetry is the advice while nobody knows how much of a limit has been used.
	closedRetry = time.Second

	// sayAwayEvery is how often the log is told that the buckets can not be asked.
	sayAwayEvery = time.Minute
)

// Take implements ports.Limiter. It is on the path of every request: on it nothing is
// written, and there is one look at the buckets, whatever the number of tiers.
func (s *Service) Take(ctx context.Context, n limit.Name, h limit.Holder, cost int64, c *limit.Check) error {
	c.Begin(s.standard, n, h, cost)
	if c.Len() == 0 {
		return nil
	}
	if err := s.buckets.Take(ctx, c.Charges(), c.Decisions()); err != nil {
		return s.blind(ctx, n, c, err)
	}
	s.count(n, c)
	for i := range c.Len() {
		at := c.At(i)
		if cost > 0 && at.Tier == limit.OfOrganization && at.Warns() {
			burst := at.Limit.Rate.Burst
			s.note(h.Org, n, share{used: burst - at.Decision.Remaining, allowed: burst, percent: at.Limit.WarnPercent})
		}
	}
	return c.Err()
}

// count counts what limits refused.
func (s *Service) count(n limit.Name, c *limit.Check) {
	for i := range c.Len() {
		if at := c.At(i); !at.Decision.Allowed {
			s.meter.Limited(n, at.Tier, at.Limit.DryRun)
		}
	}
}

// blind decides while the buckets can not be asked. What fails open is held to its rate
// by this process alone, so that nobody is better off for it by more than as much again
// at each replica. How a holder stands with all of them nobody is told.
func (s *Service) blind(ctx context.Context, n limit.Name, c *limit.Check, cause error) error {
	s.away(ctx, cause)
	if !n.FailsOpen() {
		c.Forget()
		return fault.ErrUnavailable.After(closedRetry).Because(cause)
	}
	var refused error
	if s.spare != nil && s.spare.Take(ctx, c.Charges(), c.Decisions()) == nil {
		s.count(n, c)
		refused = c.Err()
	}
	if refused == nil {
		c.Forget()
	}
	return refused
}

// away counts that the buckets could not be asked, and tells the log once in a while.
func (s *Service) away(ctx context.Context, cause error) {
	if ctx.Err() != nil {
		return // nobody waits for it any more, and the buckets may be well
	}
	s.meter.LimiterUnavailable()
	now, said := s.clock.Now().UnixNano(), s.saidAway.Load()
	if now-said >= int64(sayAwayEvery) && s.saidAway.CompareAndSwap(said, now) {
		s.log.WarnContext(ctx, "a rate could not be asked for; meanwhile this process counts for itself what fails open, and refuses the rest", "error", cause)
	}
}
