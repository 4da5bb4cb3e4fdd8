// Package dispatches keeps the ledger of starts: it writes what has come of each, and
// finds out what has come of those whose process was lost before it could.
//
// What Temporal has answered is written after the caller's answer, many at once: a
// start need not wait for it. What is lost of it in memory is only late.
package dispatches

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/sleep"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// gather is how long outcomes wait for others, to be written together.
	gather = 20 * time.Millisecond
	// retryAfter is how long they wait when the database is away.
	retryAfter = time.Second
	// MaxWaiting bounds how many wait. What finds no room is found out later.
	MaxWaiting = 1 << 14

	// Settled is how old a request is that nobody works at any more: its deadline is
	// over, and Temporal's lists know of what it has started.
	Settled = 2 * time.Minute
	// sweepEvery is how often it is looked for such requests.
	sweepEvery = 30 * time.Second
	// batch is how many are asked for at once.
	batch = 200
)

// Service keeps the ledger.
type Service struct {
	store      ports.Store
	ledger     ports.Dispatches
	dispatcher ports.Dispatcher
	clock      ports.Clock
	log        *slog.Logger

	mu      sync.Mutex
	waiting map[id.Org][]decision
	number  int
	wake    chan struct{}
}

var _ ports.DispatchRecorder = (*Service)(nil)

// decision is what has come of a request, and who is on record for it.
type decision struct {
	by authz.Actor
	workflow.Dispatch
}

// New returns the service. What it is told is written by Run.
func New(store ports.Store, ledger ports.Dispatches, dispatcher ports.Dispatcher, clock ports.Clock, log *slog.Logger) *Service {
	return &Service{
		store: store, ledger: ledger, dispatcher: dispatcher, clock: clock, log: log,
		waiting: map[id.Org][]decision{}, wake: make(chan struct{}, 1),
	}
}

// Decided implements ports.DispatchRecorder.
func (s *Service) Decided(by authz.Actor, d workflow.Dispatch) {
	d.DecidedAt = s.clock.Now()
	s.put(decision{by, d})
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Service) put(ds ...decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range ds {
		if s.number >= MaxWaiting {
			return
		}
		s.number++
		s.waiting[d.Org] = append(s.waiting[d.Org], d)
	}
}

func (s *Service) take() map[id.Org][]decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.waiting
	s.waiting, s.number = map[id.Org][]decision{}, 0
	return all
}

// Run writes what it was told until ctx ends. What is left then is for Flush.
func (s *Service) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		pause := gather
		for pause > 0 {
			if !sleep.For(ctx, pause) {
				return
			}
			pause = 0
			if err := s.Flush(ctx); err != nil {
				s.log.WarnContext(ctx, "outcomes of starts not written; trying again", "error", err)
				pause = retryAfter
			}
		}
	}
}

// Flush writes what it was told, a transaction for each organization. What can not be
// written waits for the next time.
func (s *Service) Flush(ctx context.Context) error {
	var failures []error
	for o, ds := range s.take() {
		err := s.write(ctx, o, ds)
		if errors.Is(err, fault.ErrNotFound) {
			continue // the organization was purged
		}
		if err != nil {
			s.put(ds...)
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// write decides requests of an organization and puts the runs into its trail: those
// that nobody else has decided.
func (s *Service) write(ctx context.Context, o id.Org, ds []decision) error {
	all := make([]workflow.Dispatch, len(ds))
	by := map[uuid.UUID]decision{}
	for i, d := range ds {
		all[i], by[d.Request] = d.Dispatch, d
	}
	return s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		decided, err := tx.Dispatches.Decide(ctx, all)
		if err != nil {
			return err
		}
		for _, request := range decided {
			if d := by[request]; d.RunID != "" {
				if err := tx.Audit.Append(ctx, entry(d)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// entry is what the trail holds of a start that has come to a run. Who asked for it is
// its actor, or, when it was found out later, stands in it.
func entry(d decision) audit.Entry {
	action, changes := audit.WorkflowStarted, map[string]audit.Change{"run_id": audit.Created(d.RunID)}
	if d.Outcome == workflow.DispatchJoined {
		action = audit.WorkflowJoined
	}
	if d.by == authz.Bookkeeper {
		changes["requested_by"] = audit.Created(d.Subject)
	}
	return audit.Accepted(d.Org, d.DecidedAt, d.by, action, "workflow", d.WorkflowID, changes)
}

// Repair finds out what has come of requests whose process was lost, at once and then
// every half minute, until ctx ends. Any number of processes may do so.
func (s *Service) Repair(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "not known yet what has come of all starts; trying again", "error", err)
		}
		sleep.For(ctx, sweepEvery)
	}
}

// Sweep asks Temporal for each request that is undecided and settled. It starts
// nothing. One that fails holds up no other, unless Temporal or the database is away.
func (s *Service) Sweep(ctx context.Context) error {
	before := s.clock.Now().Add(-Settled)
	var failures []error
	for after := (workflow.Dispatch{}); ; {
		open, err := s.ledger.Open(ctx, before, after, batch)
		if err != nil {
			return errors.Join(append(failures, err)...)
		}
		for _, d := range open {
			err := s.repair(ctx, d)
			if fault.IsKind(err, fault.Unavailable) {
				return errors.Join(append(failures, err)...)
			}
			failures = append(failures, err)
			after = d
		}
		if len(open) < batch {
			return errors.Join(failures...)
		}
	}
}

// repair decides one request.
func (s *Service) repair(ctx context.Context, d workflow.Dispatch) error {
	row, err := s.store.Reads(d.Org).Org(ctx)
	if err != nil {
		return err
	}
	found, err := s.dispatcher.Dispatched(ctx, row.Namespace(), d)
	switch {
	case errors.Is(err, workflow.ErrNotFound):
		found = d
		found.Outcome = workflow.DispatchRefused
	case err != nil:
		return err
	}
	found.DecidedAt = s.clock.Now()
	return s.write(ctx, d.Org, []decision{{authz.Bookkeeper, found}})
}
