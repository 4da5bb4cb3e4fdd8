// Package schedules keeps an organization's schedules in its own namespace.
package schedules

import (
	"context"
	"errors"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

const resource = "schedule"

// Service keeps schedules. What is asked of one stands in the audit trail before it
// is done: what nobody can account for must not happen.
type Service struct {
	store      ports.Store
	schedules  ports.Schedules
	dispatcher ports.Dispatcher // counts what runs
	limiter    ports.Limiter
	limits     limit.Standard
	clock      ports.Clock
	surveys    surveys
	running    workflow.Tally
}

// New returns the service.
func New(store ports.Store, schedules ports.Schedules, dispatcher ports.Dispatcher, limiter ports.Limiter, standard limit.Standard, clock ports.Clock) *Service {
	return &Service{store: store, schedules: schedules, dispatcher: dispatcher, limiter: limiter, limits: standard, clock: clock}
}

// Create makes a schedule. Without an id it gets a random one. It fails with
// schedule.ErrExists, limit.ErrExceeded, org.ErrNotActive, org.ErrReserved and, for a
// broken rule, fault.ErrInvalid.
func (s *Service) Create(ctx context.Context, by authz.Actor, o id.Org, in schedule.Schedule) (schedule.Status, error) {
	if err := by.Require(authz.SchedulesCreate, o); err != nil {
		return schedule.Status{}, err
	}
	if in.ID == "" {
		in.ID = "sch-" + newID(ctx)
	}
	if err := in.Validate(); err != nil {
		return schedule.Status{}, err
	}
	namespace, err := s.namespaceFor(ctx, by, o, in.Action)
	if err != nil {
		return schedule.Status{}, err
	}
	row := s.newRow(ctx, by, o, in.ID)
	isNew, err := s.claim(ctx, by, row, in)
	if errors.Is(err, limit.ErrExceeded) && s.surveys.due(o, s.clock.Now()) {
		freed, failed := s.survey(ctx, o, namespace)
		switch {
		case failed != nil:
			return schedule.Status{}, failed
		case freed:
			isNew, err = s.claim(ctx, by, row, in)
		}
	}
	if err != nil {
		return schedule.Status{}, err
	}
	if err := s.schedules.Create(ctx, namespace, by, in); err != nil {
		if isNew {
			err = s.takeBack(ctx, row, err)
		}
		return schedule.Status{}, err
	}
	return s.schedules.Describe(ctx, namespace, in.ID)
}

// newID returns a random id; that of the claim when the request has one, so that the
// request's next attempt makes nothing of another name.
func newID(ctx context.Context) string {
	if c, ok := idempotency.From(ctx); ok {
		return c.ID().String()
	}
	return id.New[id.EventKind]().UUID().String()
}

// Get shows a schedule. It fails with schedule.ErrNotFound.
func (s *Service) Get(ctx context.Context, by authz.Actor, o id.Org, scheduleID string) (schedule.Status, error) {
	row, err := s.allow(ctx, by, authz.SchedulesRead, o, scheduleID)
	if err != nil {
		return schedule.Status{}, err
	}
	return s.schedules.Describe(ctx, row.Namespace(), scheduleID)
}

// List lists the schedules. Those that it finds for the first time, as they were made
// at Temporal, count for the quota from then on.
func (s *Service) List(ctx context.Context, by authz.Actor, o id.Org, r page.TokenRequest) (page.TokenPage[schedule.Summary], error) {
	if err := by.Require(authz.SchedulesRead, o); err != nil {
		return page.TokenPage[schedule.Summary]{}, err
	}
	row, err := s.active(ctx, o)
	if err != nil {
		return page.TokenPage[schedule.Summary]{}, err
	}
	found, err := s.schedules.List(ctx, row.Namespace(), r)
	if err != nil {
		return page.TokenPage[schedule.Summary]{}, err
	}
	return found, s.learn(ctx, o, found.Items)
}

// Update changes the schedule of a version; 0 is any. What it starts from then on is
// recorded to be the actor's, who must be allowed to start it. It fails with
// schedule.ErrNotFound, fault.ErrStale, org.ErrNotAllowed and, for a broken rule,
// fault.ErrInvalid.
func (s *Service) Update(ctx context.Context, by authz.Actor, o id.Org, scheduleID string, version int64, c schedule.Change) (schedule.Status, error) {
	if err := by.Require(authz.SchedulesUpdate, o); err != nil {
		return schedule.Status{}, err
	}
	if err := c.Validate(); err != nil {
		return schedule.Status{}, err
	}
	if c.Action != nil {
		if _, err := s.namespaceFor(ctx, by, o, *c.Action); err != nil {
			return schedule.Status{}, err
		}
	}
	return s.changed(ctx, by, o, scheduleID, request{
		needs: authz.SchedulesUpdate, action: audit.ScheduleUpdateRequested, version: version, changes: differences(c), starts: c.Action == nil,
	}, func(namespace string) error {
		return s.schedules.Update(ctx, namespace, by, scheduleID, version, c)
	})
}

func differences(c schedule.Change) map[string]audit.Change {
	changes := map[string]audit.Change{}
	if c.Spec != nil {
		changes["spec"] = audit.Created("replaced")
	}
	if c.Policy != nil {
		changes["policy"] = audit.Created("replaced")
	}
	if c.Action != nil {
		changes["type"], changes["task_queue"] = audit.Created(c.Action.Type), audit.Created(c.Action.TaskQueue)
	}
	return changes
}

// Pause stops a schedule; what runs, runs on. It fails with schedule.ErrNotFound and,
// for a note that is none, fault.ErrInvalid.
func (s *Service) Pause(ctx context.Context, by authz.Actor, o id.Org, scheduleID, note string) (schedule.Status, error) {
	return s.move(ctx, by, o, scheduleID, note, request{action: audit.SchedulePauseRequested}, s.schedules.Pause)
}

// Resume lets a schedule go on. It fails like Pause, and with org.ErrNotAllowed for
// whoever may not start what the schedule does.
func (s *Service) Resume(ctx context.Context, by authz.Actor, o id.Org, scheduleID, note string) (schedule.Status, error) {
	return s.move(ctx, by, o, scheduleID, note, request{action: audit.ScheduleResumeRequested, starts: true}, s.schedules.Unpause)
}

// move pauses a schedule or lets it go on.
func (s *Service) move(ctx context.Context, by authz.Actor, o id.Org, scheduleID, note string, r request, to func(context.Context, string, string, string) error) (schedule.Status, error) {
	if err := by.Require(authz.SchedulesUpdate, o); err != nil {
		return schedule.Status{}, err
	}
	if err := schedule.CheckNote(note); err != nil {
		return schedule.Status{}, err
	}
	r.needs, r.changes = authz.SchedulesUpdate, map[string]audit.Change{}
	if note != "" {
		r.changes["note"] = audit.Created(note)
	}
	return s.changed(ctx, by, o, scheduleID, r, func(namespace string) error {
		return to(ctx, namespace, scheduleID, note)
	})
}

// changed changes a schedule and shows what has become of it.
func (s *Service) changed(ctx context.Context, by authz.Actor, o id.Org, scheduleID string, r request, change func(namespace string) error) (schedule.Status, error) {
	namespace, err := s.ask(ctx, by, o, scheduleID, r)
	if err != nil {
		return schedule.Status{}, err
	}
	if err := change(namespace); err != nil {
		return schedule.Status{}, err
	}
	return s.schedules.Describe(ctx, namespace, scheduleID)
}

// Trigger starts a schedule's workflow now, also when it is paused. The zero overlap
// is the schedule's own. It counts as a start: it fails with limit.ErrRateExceeded and
// limit.ErrExceeded, with org.ErrNotAllowed and with schedule.ErrNotFound.
func (s *Service) Trigger(ctx context.Context, by authz.Actor, o id.Org, scheduleID string, overlap schedule.Overlap) error {
	if err := by.Require(authz.SchedulesTrigger, o); err != nil {
		return err
	}
	namespace, err := s.ask(ctx, by, o, scheduleID, request{
		needs: authz.SchedulesTrigger, action: audit.ScheduleTriggerRequested, starts: true, admit: func() error { return s.admit(ctx, o, 1) },
	})
	if err != nil {
		return err
	}
	return s.schedules.Trigger(ctx, namespace, scheduleID, overlap)
}

// Backfill starts what the schedule would have started in a time that is over, and
// returns how many workflows that are. It fails with schedule.ErrNotFound,
// schedule.ErrBackfillSize, schedule.ErrBackfills, org.ErrNotAllowed and, for a broken
// rule, fault.ErrInvalid. Each counts as a start: with limit.ErrRateExceeded or
// limit.ErrExceeded nothing is started.
func (s *Service) Backfill(ctx context.Context, by authz.Actor, o id.Org, scheduleID string, b schedule.Backfill) (int, error) {
	if err := by.Require(authz.SchedulesTrigger, o); err != nil {
		return 0, err
	}
	if err := b.Validate(s.clock.Now()); err != nil {
		return 0, err
	}
	namespace, err := s.ask(ctx, by, o, scheduleID, request{
		needs: authz.SchedulesTrigger, action: audit.ScheduleBackfillRequested, starts: true,
		changes: map[string]audit.Change{"start_at": audit.Created(b.From), "end_at": audit.Created(b.To)},
	})
	if err != nil {
		return 0, err
	}
	return s.schedules.Backfill(ctx, namespace, scheduleID, b, func(n int) error { return s.admit(ctx, o, n) })
}

// Delete deletes the schedule of a version; 0 is any. What it has started runs on. It
// fails with schedule.ErrNotFound and fault.ErrStale.
func (s *Service) Delete(ctx context.Context, by authz.Actor, o id.Org, scheduleID string, version int64) error {
	namespace, err := s.ask(ctx, by, o, scheduleID, request{
		needs: authz.SchedulesDelete, action: audit.ScheduleDeleteRequested, version: version,
	})
	if err != nil {
		return err
	}
	if err := s.schedules.Delete(ctx, namespace, scheduleID, version); err != nil {
		return err
	}
	return s.forget(ctx, o, scheduleID)
}

// request is what is asked of a schedule.
type request struct {
	needs   authz.Permission
	action  audit.Action
	version int64 // that it is meant for; 0: any
	changes map[string]audit.Change
	starts  bool         // it has the schedule start what it does: whoever asks must be allowed to
	admit   func() error // whether it may be now; nil: it may
}

// ask authorizes what is asked of a schedule, writes it down, and returns the namespace
// to do it in. What is not there leaves no trace in the trail.
func (s *Service) ask(ctx context.Context, by authz.Actor, o id.Org, scheduleID string, r request) (string, error) {
	row, err := s.allow(ctx, by, r.needs, o, scheduleID)
	if err != nil {
		return "", err
	}
	found, err := s.schedules.Describe(ctx, row.Namespace(), scheduleID)
	if err != nil {
		return "", err
	}
	if err := fault.CheckVersion(found.Version, r.version); err != nil {
		return "", err
	}
	if r.starts {
		if err := row.Snapshot().Settings.AllowList.Check(by.Role().String(), found.Action.Type, found.Action.TaskQueue); err != nil {
			return "", err
		}
	}
	if r.admit != nil {
		if err := r.admit(); err != nil {
			return "", err
		}
	}
	return row.Namespace(), s.note(ctx, by, o, r.action, scheduleID, r.changes)
}

func (s *Service) note(ctx context.Context, by authz.Actor, o id.Org, a audit.Action, scheduleID string, changes map[string]audit.Change) error {
	now := s.clock.Now()
	return s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		return tx.Audit.Append(ctx, audit.Accepted(o, now, by, a, resource, scheduleID, changes))
	})
}

// allow authorizes what is asked of a schedule and returns the organization it is of.
func (s *Service) allow(ctx context.Context, by authz.Actor, p authz.Permission, o id.Org, scheduleID string) (org.Org, error) {
	if err := by.Require(p, o); err != nil {
		return org.Org{}, err
	}
	if err := schedule.CheckID(scheduleID); err != nil {
		return org.Org{}, err
	}
	return s.active(ctx, o)
}

// namespaceFor returns the namespace of an organization in which the actor may start
// what an action does. It fails with org.ErrNotAllowed.
func (s *Service) namespaceFor(ctx context.Context, by authz.Actor, o id.Org, a schedule.Action) (string, error) {
	row, err := s.active(ctx, o)
	if err != nil {
		return "", err
	}
	if err := row.Snapshot().Settings.AllowList.Check(by.Role().String(), a.Type, a.TaskQueue); err != nil {
		return "", err
	}
	return row.Namespace(), s.admitPayload(row, a.Input)
}

// active returns an organization whose schedules may be asked anything: while it is
// suspended, what was paused for that must stay as it is found.
func (s *Service) active(ctx context.Context, o id.Org) (org.Org, error) {
	row, err := s.store.Reads(o).Org(ctx)
	if err != nil {
		return org.Org{}, err
	}
	return row, row.RequireActive()
}
