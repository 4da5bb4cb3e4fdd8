// Package metering counts what is asked of the API, and shows it.
//
// Every request is counted, so that counting must cost a request next to nothing and
// never keep it waiting: it is memory alone, in parts that hardly ever meet, and it is
// added to the database every few seconds.
package metering

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/usage"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// FlushEvery is how often what was counted is added, and so the most that is lost
	// of it when a process is killed while the database is there.
	FlushEvery = 5 * time.Second

	// parts is into how many parts the counts are divided, so that requests that end
	// at the same time seldom meet. Which one counts is a matter of chance: a key that
	// is used a lot is in all of them.
	parts = 16
	// MaxSlots bounds how many keys and hours a part counts between two flushes. What
	// finds no room is counted in the log alone.
	MaxSlots = 1 << 12
)

// Service counts requests and shows how many there were.
type Service struct {
	hours ports.UsageHours
	store ports.Store
	clock ports.Clock
	log   *slog.Logger

	parts  [parts]part
	writer uuid.UUID
	number int64        // of the batch that was sent last; Flush's alone
	unsent *usage.Batch // that may have been added or not; Flush's alone
}

// part is a part of the counts.
type part struct {
	mu      sync.Mutex
	counts  map[usage.Slot]*usage.Counts
	dropped int64
	_       [64]byte // two parts share no line of a processor's cache
}

// New returns the service. What it counts is added by Run.
func New(hours ports.UsageHours, store ports.Store, clock ports.Clock, log *slog.Logger) *Service {
	s := &Service{hours: hours, store: store, clock: clock, log: log, writer: uuid.New()}
	for i := range s.parts {
		s.parts[i].take()
	}
	return s
}

// take returns what a part has counted, and begins anew.
func (p *part) take() (counts map[usage.Slot]*usage.Counts, dropped int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts, dropped = p.counts, p.dropped
	p.counts, p.dropped = map[usage.Slot]*usage.Counts{}, 0
	return counts, dropped
}

// Count counts a request that has ended, of whoever asked by an API key. refusal is
// the kind of the fault that it was answered with, if there was one. It takes no
// time and never fails.
func (s *Service) Count(by authz.Actor, refusal fault.Kind) {
	if by.Key().IsZero() {
		return
	}
	slot := usage.Slot{Org: by.Org(), Key: by.Key(), Hour: usage.HourOf(s.clock.Now())}
	p := &s.parts[rand.Uint32N(parts)] //nolint:gosec // spread, not secret
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counts[slot]
	if c == nil {
		if len(p.counts) >= MaxSlots {
			p.dropped++
			return
		}
		c = &usage.Counts{}
		p.counts[slot] = c
	}
	c.Requests++
	switch refusal {
	case fault.Forbidden:
		c.Refused++
	case fault.Exhausted:
		c.Limited++
	default:
	}
}

// Run adds what was counted every few seconds, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(FlushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.Flush(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "usage not added yet; trying again", "error", err)
		}
	}
}

// Flush adds what was counted. A batch that failed may have been added all the same,
// when only the answer was lost: it is kept as it is and sent again before anything
// else, and its number keeps it from being added twice. It is for one caller at a
// time: Run, and after it whoever ends the process.
func (s *Service) Flush(ctx context.Context) error {
	for {
		if s.unsent == nil {
			if s.unsent = s.gather(ctx); s.unsent == nil {
				return nil
			}
		}
		if err := s.hours.Add(ctx, *s.unsent); err != nil {
			return err
		}
		s.unsent = nil
	}
}

// gather makes a batch of what was counted; nil when that is nothing.
func (s *Service) gather(ctx context.Context) *usage.Batch {
	all := map[usage.Slot]usage.Counts{}
	var lost int64
	for i := range s.parts {
		counts, dropped := s.parts[i].take()
		lost += dropped
		for slot, c := range counts {
			all[slot] = all[slot].Plus(*c)
		}
	}
	if lost > 0 {
		s.log.WarnContext(ctx, "requests were of too many keys to be counted; they are not in the usage", "count", lost)
	}
	if len(all) == 0 {
		return nil
	}
	s.number++
	return &usage.Batch{Writer: s.writer, Number: s.number, Counts: all}
}

// List sums up an organization's usage as the filter says.
func (s *Service) List(ctx context.Context, by authz.Actor, o id.Org, f usage.Filter, r page.Request) (page.Page[usage.Sum], error) {
	if err := by.Require(authz.UsageRead, o); err != nil {
		return page.Page[usage.Sum]{}, err
	}
	return s.store.Reads(o).Usage(ctx, f, r)
}
