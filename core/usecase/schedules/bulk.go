package schedules

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/ports"
)

// PauseAll begins to pause every schedule of the organization that runs, with a note for
// people; "" is none. What is made later runs. It fails with org.ErrNotActive,
// org.ErrReserved and, for a note that is none, fault.ErrInvalid.
func (s *Service) PauseAll(ctx context.Context, by authz.Actor, o id.Org, note string) (operation.Operation, error) {
	return s.decide(ctx, by, o, operation.PauseSchedules, audit.SchedulesPauseRequested, note)
}

// ResumeAll begins to let those schedules go on that PauseAll has paused, at any time,
// and that nobody has touched since. It fails like PauseAll.
func (s *Service) ResumeAll(ctx context.Context, by authz.Actor, o id.Org, note string) (operation.Operation, error) {
	return s.decide(ctx, by, o, operation.ResumeSchedules, audit.SchedulesResumeRequested, note)
}

// decide begins an operation on all schedules, and ends what else was to be done to them:
// the last decision counts.
func (s *Service) decide(ctx context.Context, by authz.Actor, o id.Org, k operation.Kind, a audit.Action, note string) (operation.Operation, error) {
	if err := by.Require(authz.SchedulesUpdate, o); err != nil {
		return operation.Operation{}, err
	}
	if err := schedule.CheckNote(note); err != nil {
		return operation.Operation{}, err
	}
	now := s.clock.Now()
	msg, err := outbox.NewSchedules(o, now)
	if err != nil {
		return operation.Operation{}, err
	}
	op := operation.New(id.New[id.OperationKind](), o, k, now)
	op.Annotate(note)
	changes := map[string]audit.Change{}
	if note != "" {
		changes["note"] = audit.Created(note)
	}
	err = s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		row, err := tx.Orgs.Lock(ctx)
		if err != nil {
			return err
		}
		if err := row.RequireActive(); err != nil {
			return err
		}
		for _, open := range operation.OfSchedules() {
			err := tx.Operations.UpdateOpen(ctx, open, func(before *operation.Operation) error {
				return before.Cancel("Something else was asked of all schedules since.", now)
			})
			if err != nil && !fault.IsKind(err, fault.NotFound) {
				return err
			}
		}
		if err := tx.Operations.Insert(ctx, op); err != nil {
			return err
		}
		if err := tx.Audit.Append(ctx, audit.Accepted(o, now, by, a, "operation", op.Snapshot().ID.String(), changes)); err != nil {
			return err
		}
		return tx.Outbox.Append(ctx, msg)
	})
	if err != nil {
		return operation.Operation{}, err
	}
	return op, nil
}
