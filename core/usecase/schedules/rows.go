package schedules

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// surveyEvery is how often an organization's rows are compared with Temporal's
	// schedules, at most: many who are refused for the quota must not be many lists.
	surveyEvery = 30 * time.Second
	// maxSurveys bounds of how many organizations it is remembered.
	maxSurveys = 1 << 12
	// making is how long a schedule may have a row and not be there yet: it is being made.
	making = time.Minute
)

// claim writes down that a schedule is to be made, with its row, and tells whether the
// row is new. It fails with limit.ErrExceeded when there can not be one more. They are
// counted while the organization's row is held, so that creators who race come one
// after the other.
func (s *Service) claim(ctx context.Context, by authz.Actor, row schedule.Row, in schedule.Schedule) (isNew bool, err error) {
	now := s.clock.Now()
	changes := map[string]audit.Change{"type": audit.Created(in.Action.Type), "task_queue": audit.Created(in.Action.TaskQueue)}
	err = s.store.WriteTx(ctx, row.OrgID, func(ctx context.Context, tx ports.Tx) error {
		o, err := tx.Orgs.Lock(ctx)
		if err != nil {
			return err
		}
		if err := o.RequireActive(); err != nil { // a suspension pauses what had its row before
			return err
		}
		if isNew, err = tx.Schedules.Claim(ctx, row); err != nil {
			return err
		}
		if isNew {
			counts, err := tx.Orgs.Counts(ctx) // with the new one
			if err != nil {
				return err
			}
			l, _ := s.limits.Of(limit.Schedules, o.Snapshot().Limits)
			used := int64(counts.Schedules)
			s.limiter.Used(row.OrgID, limit.Schedules, l, min(used, l.Max))
			if err := l.Admit(limit.Schedules, used-1, 1); err != nil {
				return err
			}
		}
		return tx.Audit.Append(ctx, audit.Accepted(row.OrgID, now, by, audit.ScheduleCreateRequested, resource, row.ID, changes))
	})
	return isNew, err
}

// newRow returns the row of a schedule that the request asks for.
func (s *Service) newRow(ctx context.Context, by authz.Actor, o id.Org, scheduleID string) schedule.Row {
	request := uuid.New()
	if c, ok := idempotency.From(ctx); ok {
		request = c.ID()
	}
	return schedule.Row{OrgID: o, ID: scheduleID, CreatedAt: s.clock.Now(), CreatedBy: by.Subject(), Request: request}
}

// takeBack removes the row of a schedule that Temporal has refused to make for good,
// and returns why it has. One that exists keeps its row, and so does one of which
// nobody knows whether it was made.
func (s *Service) takeBack(ctx context.Context, row schedule.Row, refusal error) error {
	f := fault.From(refusal)
	if errors.Is(refusal, schedule.ErrExists) || (f.Kind != fault.Invalid && f.Kind != fault.Conflict) {
		return refusal
	}
	if err := s.store.WriteTx(ctx, row.OrgID, func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Schedules.TakeBack(ctx, row.ID, row.Request)
		return err
	}); err != nil {
		return errors.Join(refusal, err)
	}
	return refusal
}

// forget removes the row of a schedule that is gone.
func (s *Service) forget(ctx context.Context, o id.Org, scheduleID string) error {
	return s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Schedules.Remove(ctx, scheduleID)
		return err
	})
}

// learn stores rows of schedules that were made at Temporal, of those that were found
// there. When all are known, as they mostly are, nothing is written.
func (s *Service) learn(ctx context.Context, o id.Org, found []schedule.Summary) error {
	if len(found) == 0 {
		return nil
	}
	ids := make([]string, len(found))
	for i := range found {
		ids[i] = found[i].ID
	}
	known, err := s.store.Reads(o).KnownSchedules(ctx, ids)
	if err != nil {
		return err
	}
	now, request := s.clock.Now(), uuid.New()
	var rows []schedule.Row
	for _, found := range ids {
		if !slices.Contains(known, found) {
			rows = append(rows, schedule.Row{OrgID: o, ID: found, CreatedAt: now, Request: request})
		}
	}
	if rows == nil {
		return nil
	}
	return s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Schedules.Learn(ctx, rows)
		return err
	})
}

// surveys is when each organization's rows were last compared with what there is.
type surveys struct {
	mu   sync.Mutex
	last map[id.Org]time.Time
}

// due tells whether an organization's turn has come, and takes it.
func (v *surveys) due(o id.Org, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if last, known := v.last[o]; known && now.Sub(last) < surveyEvery {
		return false
	}
	if v.last == nil || len(v.last) >= maxSurveys {
		v.last = map[id.Org]time.Time{}
	}
	v.last[o] = now
	return true
}

// survey compares the rows with the schedules that there are, and removes those of
// schedules that are gone: who deletes at Temporal itself does not tell us. It returns
// whether it has removed any.
func (s *Service) survey(ctx context.Context, o id.Org, namespace string) (freed bool, err error) {
	there := map[string]bool{}
	for r := (page.TokenRequest{Limit: page.MaxLimit}); ; {
		p, err := s.schedules.List(ctx, namespace, r)
		if err != nil {
			return false, err
		}
		for _, found := range p.Items {
			there[found.ID] = true
		}
		if r.Token = p.Next; r.Token == nil {
			break
		}
	}
	for f := (schedule.Filter{}); ; {
		rows, err := s.store.Reads(o).Schedules(ctx, f)
		if err != nil {
			return false, err
		}
		for _, row := range rows {
			f.After = row.ID
			if there[row.ID] || s.clock.Now().Sub(row.CreatedAt) < making {
				continue
			}
			gone, err := s.forgetIfGone(ctx, namespace, row)
			if err != nil {
				return false, err
			}
			freed = freed || gone
		}
		if len(rows) < schedule.MaxRows {
			return freed, nil
		}
	}
}

// forgetIfGone asks Temporal for the schedule itself, as its list can be late.
func (s *Service) forgetIfGone(ctx context.Context, namespace string, row schedule.Row) (bool, error) {
	if _, err := s.schedules.Describe(ctx, namespace, row.ID); !errors.Is(err, schedule.ErrNotFound) {
		return false, err
	}
	return true, s.forget(ctx, row.OrgID, row.ID)
}
