package usecase_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/usecase/roles"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// TestAllowList holds all that makes Bulkhead start something to the allow-list.
func TestAllowList(t *testing.T) {
	t.Parallel()
	at := workflow.Target{ID: "wf"}
	signal := workflow.Message{Name: "go"}
	policy := schedule.Policy{Overlap: schedule.AllowAll}
	sync := schedule.Action{Type: "Sync", TaskQueue: "reports"}
	for name, c := range map[string]struct {
		bound bool // to what the thing does
		do    func(s services, ctx context.Context, by authz.Actor, o id.Org) error
	}{
		"a start": {true, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			_, err := s.workflows.Start(ctx, by, o, workflow.Start{ID: "a", Type: sync.Type, TaskQueue: sync.TaskQueue})
			return err
		}},
		"a signal with a start": {true, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			_, err := s.workflows.Start(ctx, by, o, workflow.Start{ID: "a", Type: sync.Type, TaskQueue: sync.TaskQueue, Signal: &signal})
			return err
		}},
		"a reset": {true, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			_, err := s.workflows.Reset(ctx, by, o, at, workflow.Reset{To: workflow.FirstWorkflowTask, Reason: "r"})
			return err
		}},
		"a trigger": {true, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			return s.schedules.Trigger(ctx, by, o, "nightly", schedule.Overlap{})
		}},
		"a backfill": {true, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			_, err := s.schedules.Backfill(ctx, by, o, "nightly", lastHour)
			return err
		}},
		"a resumption": {true, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			_, err := s.schedules.Resume(ctx, by, o, "nightly", "")
			return err
		}},
		"another policy": {true, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			_, err := s.schedules.Update(ctx, by, o, "nightly", 0, schedule.Change{Policy: &policy})
			return err
		}},
		"another action": {true, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			_, err := s.schedules.Update(ctx, by, o, "nightly", 0, schedule.Change{Action: &sync})
			return err
		}},
		"an action instead": {false, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			_, err := s.schedules.Update(ctx, by, o, "nightly", 0, schedule.Change{Action: &nightly.Action})
			return err
		}},
		"a new schedule": {true, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			made := nightly
			made.Action = sync
			_, err := s.schedules.Create(ctx, by, o, made)
			return err
		}},
		"a pause": {false, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			_, err := s.schedules.Pause(ctx, by, o, "nightly", "")
			return err
		}},
		"a deletion": {false, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			return s.schedules.Delete(ctx, by, o, "nightly", 0)
		}},
		"a resumption of all": {false, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			_, err := s.schedules.ResumeAll(ctx, by, o, "")
			return err
		}},
		"a signal": {false, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			return s.workflows.Signal(ctx, by, o, at, signal)
		}},
		"a batch": {false, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
			_, err := s.workflows.StartBatch(ctx, by, o, workflow.BatchStart{Kind: workflow.BatchSignal, Query: "WorkflowType = 'Sync'", Signal: &signal})
			return err
		}},
	} {
		t.Run("Should hold "+name+" to the allow-list, or not at all", func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			o := w.addOrg("own", org.Active)
			w.temporal.does, w.temporal.status = sync, workflow.Running
			s := newServices(w)
			try := func(r authz.Role) error { return c.do(s, t.Context(), holder(o, r), o) }
			w.changeOrg(o, func(row *org.Snapshot) {
				row.Settings.AllowList = org.AllowList{{Role: "member", WorkflowTypes: []string{"Report", "Other"}, TaskQueues: []string{"reports"}}}
			})
			w.setQuota(o, limit.WorkflowStarts, limit.Limit{Rate: ratelimit.Rate{Count: 1, Period: time.Hour, Burst: 1}})
			err := try(authz.Member)
			is.Equal(errors.Is(err, org.ErrNotAllowed), c.bound)
			if c.bound {
				is.Equal(len(w.trail()), 0)
				is.NoErr(try(authz.Admin)) // no rule is for it, and what was refused has cost nothing
			}
		})
	}

	t.Run("Should be named by who explains what a role may do", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s := newServices(w)
		says := func(r authz.Role, p authz.Permission) bool {
			u := w.addUser(o, r, user.Active)
			e, err := s.roles.Explain(t.Context(), holder(o, authz.Admin), roles.Question{Actor: u.String(), Action: p, Resource: o})
			is.NoErr(err)
			is.True(len(e.Reason) <= 256) // as the contract has it
			return strings.Contains(e.Reason, "allow-list")
		}
		is.True(!says(authz.Member, authz.WorkflowsStart)) // there is none
		w.changeOrg(o, func(row *org.Snapshot) {
			row.Settings.AllowList = org.AllowList{{Role: "member", WorkflowTypes: []string{"Report"}}, {Role: "viewer"}}
		})
		for _, p := range []authz.Permission{authz.WorkflowsStart, authz.WorkflowsReset, authz.SchedulesCreate, authz.SchedulesUpdate, authz.SchedulesTrigger} {
			is.True(says(authz.Member, p))
		}
		is.True(!says(authz.Member, authz.WorkflowsSignal))
		is.True(!says(authz.Admin, authz.WorkflowsStart))  // no rule is for it
		is.True(!says(authz.Viewer, authz.WorkflowsStart)) // it may not at all
	})
}
