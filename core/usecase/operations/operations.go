// Package operations shows how long-running work comes along, and tries again
// what failed.
package operations

import (
	"context"
	"errors"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

// A waiting call looks for the end again and again, each pause an eighth longer
// than the one before: so it learns of the end late by an eighth of the time that
// it has waited, and what takes long costs little.
const (
	shortestPause = 5 * time.Millisecond
	longestPause  = 250 * time.Millisecond
)

// Service shows operations and repeats them.
type Service struct {
	store    ports.Store
	platform ports.Platform
	clock    ports.Clock
}

// New returns the service.
func New(store ports.Store, platform ports.Platform, clock ports.Clock) *Service {
	return &Service{store: store, platform: platform, clock: clock}
}

// Get shows an operation, and waits up to wait for it to end. A foreign one is
// fault.ErrNotFound.
func (s *Service) Get(ctx context.Context, by authz.Actor, op id.Operation, wait time.Duration) (operation.Operation, error) {
	if err := by.Require(authz.OperationsRead, by.Org()); err != nil {
		return operation.Operation{}, err
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	pause := shortestPause
	tick := time.NewTimer(pause)
	defer tick.Stop()
	for {
		o, err := s.read(ctx, by, op)
		if err != nil || o.Snapshot().State.Ended() || wait <= 0 {
			return o, err
		}
		select {
		case <-ctx.Done():
			return operation.Operation{}, ctx.Err()
		case <-deadline.C:
			return o, nil
		case <-tick.C:
			pause = min(pause+pause/8, longestPause)
			tick.Reset(pause)
		}
	}
}

func (s *Service) read(ctx context.Context, by authz.Actor, op id.Operation) (operation.Operation, error) {
	o, err := s.store.Reads(by.Org()).Operation(ctx, op)
	if fault.IsKind(err, fault.NotFound) && by.IsPlatform() {
		return s.platform.Operation(ctx, op)
	}
	return o, err
}

// List lists the operations of an organization.
func (s *Service) List(ctx context.Context, by authz.Actor, o id.Org, r page.Request) (page.Page[operation.Operation], error) {
	if err := by.Require(authz.OperationsRead, o); err != nil {
		return page.Page[operation.Operation]{}, err
	}
	return s.store.Reads(o).Operations(ctx, r)
}

// Retry makes another attempt at what an operation failed to do, and returns the
// operation of that attempt: the old one has ended, and stays on record as it
// did. A foreign one is fault.ErrNotFound. It fails with
// operation.ErrNotRetryable, and org.ErrNotActive for what is asked of all schedules.
func (s *Service) Retry(ctx context.Context, by authz.Actor, i id.Operation) (operation.Operation, error) {
	if err := by.Require(authz.OperationsRetry, by.Org()); err != nil {
		return operation.Operation{}, err
	}
	failed, err := s.read(ctx, by, i)
	if err != nil {
		return operation.Operation{}, err
	}
	now := s.clock.Now()
	next, err := failed.Again(id.New[id.OperationKind](), now)
	if err != nil {
		return operation.Operation{}, err
	}
	o := next.Snapshot()
	again, msg, err := attempt(o, now)
	if err != nil {
		return operation.Operation{}, err
	}
	err = s.store.WriteTx(ctx, o.OrgID, func(ctx context.Context, tx ports.Tx) error {
		// The organization's state says whether this is still to be done, and holding
		// its row that nobody else begins another attempt.
		err := tx.Orgs.Update(ctx, func(row *org.Org) error { return again(row, now) })
		if errors.Is(err, org.ErrState) {
			return operation.ErrNotRetryable
		}
		if err != nil {
			return err
		}
		if o.Kind.OfSchedules() { // its organization does not say what was decided since
			latest, err := tx.Operations.Latest(ctx, operation.OfSchedules())
			if err != nil {
				return err
			}
			if latest.Snapshot().ID != i {
				return operation.ErrNotRetryable
			}
		}
		if err := tx.Operations.Insert(ctx, next); err != nil {
			return err
		}
		if err := tx.Audit.Append(ctx, audit.Accepted(o.OrgID, now, by, audit.OperationRetried, "operation", i.String(),
			map[string]audit.Change{"kind": audit.Created(o.Kind.String()), "operation": audit.Created(o.ID.String())})); err != nil {
			return err
		}
		return tx.Outbox.Append(ctx, msg)
	})
	if err != nil {
		return operation.Operation{}, err
	}
	return next, nil
}

// attempt returns what an attempt makes of the organization, and the message that
// begins it.
func attempt(o operation.Snapshot, now time.Time) (func(*org.Org, time.Time) error, outbox.Message, error) {
	switch {
	case o.Kind == operation.DeleteOrganization:
		msg, err := outbox.NewDeletion(o.OrgID, now)
		return (*org.Org).RetryDeletion, msg, err
	case o.Kind.OfSchedules():
		msg, err := outbox.NewSchedules(o.OrgID, now)
		return func(row *org.Org, _ time.Time) error { return row.RequireActive() }, msg, err
	}
	msg, err := outbox.NewProvision(o.OrgID, o.ID, now)
	return (*org.Org).Retry, msg, err
}
