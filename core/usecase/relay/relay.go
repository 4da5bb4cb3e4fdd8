// Package relay delivers what transactions left in the outbox, at least once.
package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/sleep"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	batch = 16 // delivered at the same time
	// lease hides a claimed message from other relays. It bounds how long the
	// messages of a relay that died have to wait.
	lease = 5 * time.Second
	// pause is the longest sleep: wake-ups are only a hint.
	pause = time.Second
	// deliverLimit is below the lease, so that two relays do not deliver the same
	// message at the same time. Were they to, it would be harmless.
	deliverLimit = 3 * time.Second
	// showLimit bounds what comes between a delivery and the end of the lease.
	showLimit = time.Second

	minRetry = 200 * time.Millisecond
	maxRetry = 30 * time.Second
)

// Service delivers messages.
type Service struct {
	outbox       ports.Outbox
	store        ports.Store // of the operations that wait for a delivery
	orchestrator ports.Orchestrator
	clock        ports.Clock
	log          *slog.Logger
}

// New returns the service.
func New(o ports.Outbox, store ports.Store, orchestrator ports.Orchestrator, clock ports.Clock, log *slog.Logger) *Service {
	return &Service{outbox: o, store: store, orchestrator: orchestrator, clock: clock, log: log}
}

// Run delivers until ctx ends. Nothing but that ends it.
func (s *Service) Run(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := s.Deliver(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "outbox not read; trying again", "error", err)
			sleep.For(ctx, pause)
			continue
		}
		if n == batch {
			continue // there may be more
		}
		if err := s.outbox.Wait(ctx, pause); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "outbox wake-ups lost; trying again", "error", err)
			sleep.For(ctx, pause)
		}
	}
}

// Deliver delivers one batch, its messages at the same time so that none waits
// for another beyond the lease, and returns how many it claimed.
func (s *Service) Deliver(ctx context.Context) (int, error) {
	messages, err := s.outbox.Claim(ctx, s.clock.Now(), batch, lease)
	if err != nil {
		return 0, fmt.Errorf("claim messages: %w", err)
	}
	failures := make([]error, len(messages))
	var deliveries sync.WaitGroup
	for i, m := range messages {
		deliveries.Go(func() {
			if failures[i] = s.dispatch(ctx, m); failures[i] == nil {
				s.done(ctx, m)
			}
		})
	}
	deliveries.Wait()
	s.show(ctx, messages, failures)
	for i, m := range messages {
		if failures[i] != nil {
			s.putBack(ctx, m, failures[i])
		}
	}
	return len(messages), nil
}

func (s *Service) dispatch(ctx context.Context, m outbox.Message) error {
	ctx, cancel := context.WithTimeout(ctx, deliverLimit)
	defer cancel()
	switch m.Kind {
	case outbox.ProvisionOrganization:
		return hand(ctx, m, s.orchestrator.ProvisionOrganization)
	case outbox.ReviewDeletion:
		return hand(ctx, m, s.orchestrator.ReviewDeletion)
	case outbox.ReviewSchedules:
		return hand(ctx, m, s.orchestrator.ReviewSchedules)
	case outbox.ReviewNamespace:
		return hand(ctx, m, s.orchestrator.ReviewNamespace)
	default:
		// A newer release may have left it, and may be the one to deliver it.
		return errors.New("unknown kind of message")
	}
}

// hand gives a message's payload to who acts upon it.
func hand[P any](ctx context.Context, m outbox.Message, to func(context.Context, P) error) error {
	var p P
	if err := json.Unmarshal(m.Payload, &p); err != nil {
		return fmt.Errorf("decode %s: %w", m.Kind, err)
	}
	return to(ctx, p)
}

// done removes a delivered message.
func (s *Service) done(ctx context.Context, m outbox.Message) {
	if err := s.outbox.Done(ctx, m.ID); err != nil {
		s.log.WarnContext(ctx, "delivered message not removed; it will be delivered again", "message", m.ID.String(), "error", err)
	}
}

// putBack makes a message due again that was not delivered.
func (s *Service) putBack(ctx context.Context, m outbox.Message, failure error) {
	at := s.clock.Now().Add(backoff(m.Attempts))
	s.log.WarnContext(ctx, "message not delivered", "message", m.ID.String(), "kind", string(m.Kind),
		"organization", m.OrgID.String(), "attempt", m.Attempts, "retry_at", at, "error", failure)
	if err := s.outbox.Retry(ctx, m.ID, at, failure.Error()); err != nil {
		s.log.WarnContext(ctx, "message not put back; its lease will run out", "message", m.ID.String(), "error", err)
	}
}

func backoff(attempts int) time.Duration {
	d := minRetry << min(max(attempts-1, 0), 10)
	return min(d, maxRetry)
}
