package holds

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// passes is how often all is looked at again, each time after a while, for schedules
	// that Temporal refuses to pause or to let go on. Then the operation fails.
	passes = 30
	// resumedAll is the note of a schedule that goes on, when there is no other.
	resumedAll = "Resumed by Bulkhead with all that it had paused."
)

// The directions of what is asked of all schedules, each with the operation's id: what
// another one asks for begins anew.
const (
	finding = "find"
	moving  = "move"
)

func direction(stage string, o operation.Snapshot) string { return stage + " " + o.ID.String() }

// begun tells whether a cursor is of the operation.
func begun(o operation.Snapshot, cursor string) bool {
	head, _, _ := strings.Cut(cursor, ":")
	_, of, _ := strings.Cut(strings.TrimSuffix(head, "!"), " ")
	return of == o.ID.String()
}

// bulk takes one step of what was asked of all schedules, and records on the operation
// what has come in its way.
func (s *Service) bulk(ctx context.Context, row org.Org, o operation.Snapshot, cursor string) (Progress, error) {
	left, err := s.step(ctx, row, o, cursor)
	if err == nil || ctx.Err() != nil {
		return left, err
	}
	f := fault.From(err)
	switch f.Kind {
	case fault.NotFound, fault.Conflict, fault.Invalid, fault.Forbidden: // repeating does not mend it
		return s.over(), s.fail(ctx, o, f)
	case fault.Internal, fault.Unauthenticated, fault.PreconditionFailed, fault.Exhausted, fault.Unavailable, fault.Timeout:
	}
	return Progress{}, errors.Join(err, s.record(ctx, o, func(op *operation.Operation, now time.Time) error {
		return op.Stumble(op.Snapshot().Attempts+1, f, now)
	}))
}

func (s *Service) step(ctx context.Context, row org.Org, o operation.Snapshot, cursor string) (Progress, error) {
	if o.Kind == operation.ResumeSchedules {
		note := o.Note
		if note == "" {
			note = resumedAll
		}
		p, more, err := s.release(ctx, row, schedule.Bulk, note, from(cursor, direction(moving, o)))
		return s.moved(ctx, o, p, more, err, operation.SchedulesResumed)
	}
	if p := from(cursor, direction(moving, o)); p.cursor() == cursor {
		p, more, err := s.pauseSome(ctx, row, o, p)
		return s.moved(ctx, o, p, more, err, operation.SchedulesPaused)
	}
	return s.find(ctx, row, o, from(cursor, direction(finding, o)))
}

// over is what is left when an operation has ended: another look at what is decided.
func (*Service) over() Progress { return Progress{Cursor: begin(releasing).cursor()} }

// record stores what a step makes of the operation, unless it was overtaken.
func (s *Service) record(ctx context.Context, o operation.Snapshot, fn func(*operation.Operation, time.Time) error) error {
	now := s.clock.Now()
	err := s.store.WriteTx(ctx, o.OrgID, func(ctx context.Context, tx ports.Tx) error {
		return tx.Operations.Update(ctx, o.ID, func(op *operation.Operation) error { return fn(op, now) })
	})
	if errors.Is(err, operation.ErrState) {
		return nil
	}
	return err
}

// moved says what is left after some of the schedules were paused, or let go on: more
// of them, those that could not be, or nothing.
func (s *Service) moved(ctx context.Context, o operation.Snapshot, p place, more bool, err error, done operation.Step) (Progress, error) {
	switch {
	case err != nil:
		return Progress{}, err
	case more:
		return Progress{Cursor: p.cursor()}, nil
	case !p.failed:
		return s.over(), s.record(ctx, o, func(op *operation.Operation, now time.Time) error { return op.Succeed(done, now) })
	}
	if o.Attempts+1 >= passes {
		return s.over(), s.fail(ctx, o, schedule.ErrSomeLeft)
	}
	return Progress{Wait: again}, s.record(ctx, o, func(op *operation.Operation, now time.Time) error {
		return op.Stumble(op.Snapshot().Attempts+1, schedule.ErrSomeLeft, now)
	})
}

// failed is what the trail says of work that has failed for good.
var failed = map[operation.Kind]audit.Action{
	operation.PauseSchedules:  audit.SchedulesPauseFailed,
	operation.ResumeSchedules: audit.SchedulesResumeFailed,
}

// fail ends the operation for good, with an entry in the trail, unless it was overtaken.
func (s *Service) fail(ctx context.Context, o operation.Snapshot, f *fault.Error) error {
	now := s.clock.Now()
	e := audit.Accepted(o.OrgID, now, authz.Keeper, failed[o.Kind], "operation", o.ID.String(), map[string]audit.Change{"reason": audit.Created(f.Public)})
	e.Outcome = audit.Errored
	err := s.store.WriteTx(ctx, o.OrgID, func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Operations.Update(ctx, o.ID, func(op *operation.Operation) error {
			if err := op.Stumble(op.Snapshot().Attempts+1, f, now); err != nil {
				return err
			}
			return op.Fail(f, now)
		}); err != nil {
			return err
		}
		return tx.Audit.Append(ctx, e)
	})
	if errors.Is(err, operation.ErrState) {
		return nil
	}
	return err
}

// find writes down the schedules of one page that are not known yet, as they were made
// at Temporal: those that Bulkhead has made are found by their rows, as its list can be
// late.
func (s *Service) find(ctx context.Context, row org.Org, o operation.Snapshot, p place) (Progress, error) {
	token, err := base64.RawURLEncoding.DecodeString(p.at)
	if err != nil {
		return Progress{}, fault.ErrInternal.Because(err)
	}
	found, err := s.schedules.List(ctx, row.Namespace(), page.TokenRequest{Limit: page.MaxLimit, Token: token})
	if err != nil {
		return Progress{}, err
	}
	now, request := s.clock.Now(), uuid.New()
	rows := make([]schedule.Row, len(found.Items))
	for i, f := range found.Items {
		rows[i] = schedule.Row{OrgID: o.OrgID, ID: f.ID, CreatedAt: now, Request: request}
	}
	if err := s.store.WriteTx(ctx, o.OrgID, func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Schedules.Learn(ctx, rows)
		return err
	}); err != nil {
		return Progress{}, err
	}
	if found.Next != nil {
		p.at = base64.RawURLEncoding.EncodeToString(found.Next)
		return Progress{Cursor: p.cursor()}, nil
	}
	return Progress{Cursor: begin(direction(moving, o)).cursor()},
		s.record(ctx, o, func(op *operation.Operation, now time.Time) error {
			if op.Snapshot().Step == operation.SchedulesFound {
				return nil // another pass, which forgets nothing of what was in the way
			}
			return op.Complete(operation.SchedulesFound, now)
		})
}

// pauseSome pauses those of the next schedules that run, each with a hold that is
// written down first. It returns how far it has come, and whether there were any.
func (s *Service) pauseSome(ctx context.Context, row org.Org, o operation.Snapshot, p place) (_ place, more bool, err error) {
	rows, err := s.store.Reads(o.OrgID).Schedules(ctx, schedule.Filter{After: p.at})
	if err != nil || len(rows) == 0 {
		return p, false, err
	}
	rows = rows[:min(len(rows), batch)]
	var running []schedule.Row
	for _, r := range rows {
		runs, done, err := s.runs(ctx, row, o, r)
		if err != nil {
			return p, false, err
		}
		if runs {
			running = append(running, r)
		}
		p.at, p.failed = r.ID, p.failed || !done
	}
	held, err := s.writeBulk(ctx, o, running)
	if err != nil {
		return p, false, err
	}
	for _, r := range held {
		note := strings.TrimPrefix(o.Note+" "+r.Holds.Of(schedule.Bulk).Note(), " ")
		done, err := s.done(ctx, r, s.schedules.Hold(ctx, row.Namespace(), r.ID, note))
		if err != nil {
			return p, false, err
		}
		p.failed = p.failed || !done
	}
	return p, true, nil
}

// runs tells whether a schedule runs that is to be paused, and whether that can be said:
// it can not while Temporal does not answer, and while a suspension that is over still
// holds the schedule, as it goes on then.
func (s *Service) runs(ctx context.Context, row org.Org, o operation.Snapshot, r schedule.Row) (runs, done bool, err error) {
	if r.CreatedBy != "" && r.CreatedAt.After(o.CreatedAt) {
		return false, true, nil // it was made since
	}
	is, err := s.schedules.Describe(ctx, row.Namespace(), r.ID)
	if errors.Is(err, schedule.ErrNotFound) {
		return false, true, nil // it is gone, or not there yet
	}
	if err != nil {
		done, err := s.done(ctx, r, err)
		return false, done, err
	}
	held := r.Holds.Of(schedule.Suspension)
	return !is.Paused, !is.Paused || held.ID == uuid.Nil || !strings.Contains(is.Note, held.Mark()), nil
}

// writeBulk stores holds for schedules that run, unless something else was decided since.
// All that one operation holds is held by its id: a hold of another one is of a schedule
// that somebody has let go on since, and is replaced. It takes the organization's turn, as
// whoever decides does.
func (s *Service) writeBulk(ctx context.Context, o operation.Snapshot, running []schedule.Row) (held []schedule.Row, err error) {
	if len(running) == 0 {
		return nil, nil
	}
	now, hold := s.clock.Now(), schedule.Hold{Kind: schedule.Bulk, ID: o.ID.UUID()}
	wanted := make([]schedule.Row, len(running))
	for i, r := range running {
		wanted[i] = schedule.Row{OrgID: o.OrgID, ID: r.ID, CreatedAt: now, Request: uuid.New(), Holds: schedule.Holds{Bulk: hold.ID}}
	}
	err = s.store.WriteTx(ctx, o.OrgID, func(ctx context.Context, tx ports.Tx) error {
		held = nil
		row, err := tx.Orgs.Lock(ctx)
		if err != nil || row.State() != org.Active {
			return err
		}
		open := true
		if err := tx.Operations.Update(ctx, o.ID, func(op *operation.Operation) error {
			open = !op.Snapshot().State.Ended()
			return nil
		}); err != nil || !open {
			return err
		}
		for _, r := range running {
			if was := r.Holds.Bulk; was != uuid.Nil && was != hold.ID {
				if _, err := tx.Schedules.Unhold(ctx, r.ID, was); err != nil {
					return err
				}
			}
		}
		if held, err = tx.Schedules.Hold(ctx, wanted); err != nil {
			return err
		}
		for _, h := range held {
			if slices.ContainsFunc(running, func(r schedule.Row) bool { return r.ID == h.ID && r.Holds.Bulk == hold.ID }) {
				continue // it was held before
			}
			if err := tx.Audit.Append(ctx, entry(h, hold, now, audit.ScheduleHeld)); err != nil {
				return err
			}
		}
		return nil
	})
	return held, err
}
