package workflows

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Signal sends a signal to a workflow. It fails with workflow.ErrNotFound,
// workflow.ErrClosed, org.ErrNotActive, limit.ErrPayloadTooLarge and, for a broken
// rule, fault.ErrInvalid.
func (s *Service) Signal(ctx context.Context, by authz.Actor, o id.Org, at workflow.Target, in workflow.Message) error {
	run, err := s.find(ctx, by, authz.WorkflowsSignal, o, at, in.Validate)
	if err != nil {
		return err
	}
	if err := s.admitPayload(run.limits, part{"/input", in.Input}); err != nil {
		return err
	}
	// Whether it has ended is for Temporal to say, which knows a repeated signal from a new one.
	if err := s.record(ctx, run, audit.WorkflowSignalRequested, map[string]audit.Change{"signal": audit.Created(in.Name)}); err != nil {
		return err
	}
	return s.dispatcher.Signal(ctx, run.namespace, by, at, in)
}

// Cancel asks a workflow to cancel what it does. That it was canceled already is
// success. It fails with workflow.ErrNotFound, with workflow.ErrClosed when it
// ended otherwise, with org.ErrNotActive and fault.ErrInvalid.
func (s *Service) Cancel(ctx context.Context, by authz.Actor, o id.Org, at workflow.Target, reason string) error {
	run, err := s.find(ctx, by, authz.WorkflowsCancel, o, at, func() error { return workflow.CheckReason(reason) })
	if err != nil {
		return err
	}
	return s.end(ctx, run, workflow.Canceled, audit.WorkflowCancelRequested, reason, func() error {
		return s.dispatcher.Cancel(ctx, run.namespace, by, at, reason)
	})
}

// Terminate ends a workflow at once: its own code learns nothing of it. That it
// was terminated already is success. It fails as Cancel does.
func (s *Service) Terminate(ctx context.Context, by authz.Actor, o id.Org, at workflow.Target, reason string) error {
	run, err := s.find(ctx, by, authz.WorkflowsTerminate, o, at, func() error { return workflow.CheckReason(reason) })
	if err != nil {
		return err
	}
	return s.end(ctx, run, workflow.Terminated, audit.WorkflowTerminateRequested, reason, func() error {
		return s.dispatcher.Terminate(ctx, run.namespace, by, at, reason)
	})
}

// Reset ends a workflow, if it runs, and has another run go on from a place in its
// history; it returns that run's id. It is a start, of what the run is on its queue. It
// fails with workflow.ErrNotFound, workflow.ErrNotResettable, workflow.ErrHistoryTooLong,
// org.ErrNotAllowed, limit.ErrRateExceeded, limit.ErrExceeded, org.ErrNotActive and
// fault.ErrInvalid.
func (s *Service) Reset(ctx context.Context, by authz.Actor, o id.Org, at workflow.Target, in workflow.Reset) (string, error) {
	run, err := s.find(ctx, by, authz.WorkflowsReset, o, at, in.Validate)
	if err != nil {
		return "", err
	}
	if err := run.row.Snapshot().Settings.AllowList.Check(by.Role().String(), run.Type, run.TaskQueue); err != nil {
		return "", err
	}
	if err := s.admit(ctx, run.row, workflow.Start{}); err != nil {
		return "", err
	}
	changes := map[string]audit.Change{"to": audit.Created(in.To.String()), "reason": audit.Created(in.Reason)}
	if in.EventID != 0 {
		changes["event_id"] = audit.Created(in.EventID)
	}
	if err := s.record(ctx, run, audit.WorkflowResetRequested, changes); err != nil {
		return "", err
	}
	return s.dispatcher.Reset(ctx, run.namespace, by, at, in)
}

// found is an execution that somebody may change.
type found struct {
	workflow.Execution
	org       id.Org
	by        authz.Actor
	namespace string
	row       org.Org
	limits    limit.Set // of the organization
}

// find authorizes a change, checks it, and looks up what it is about: what does
// not exist leaves no trace in the trail, and what does is on record with its run.
func (s *Service) find(ctx context.Context, by authz.Actor, p authz.Permission, o id.Org, at workflow.Target, check func() error) (found, error) {
	if err := by.Require(p, o); err != nil {
		return found{}, err
	}
	if err := workflow.CheckID(at.ID); err != nil {
		return found{}, err
	}
	if err := check(); err != nil {
		return found{}, err
	}
	row, err := s.active(ctx, o)
	if err != nil {
		return found{}, err
	}
	e, err := s.dispatcher.Describe(ctx, row.Namespace(), at.ID, at.RunID)
	return found{Execution: e, org: o, by: by, namespace: row.Namespace(), row: row, limits: row.Snapshot().Limits}, err
}

// end records that a run is to end, and has it end, unless it has.
func (s *Service) end(ctx context.Context, run found, wanted workflow.Status, a audit.Action, reason string, do func() error) error {
	switch {
	case run.Status == wanted:
		return nil
	case run.Status.Closed():
		return workflow.ErrClosed
	}
	changes := map[string]audit.Change{}
	if reason != "" {
		changes["reason"] = audit.Created(reason)
	}
	if err := s.record(ctx, run, a, changes); err != nil {
		return err
	}
	return do()
}

// record puts into the trail what is about to be asked of a run.
func (s *Service) record(ctx context.Context, run found, a audit.Action, changes map[string]audit.Change) error {
	changes["run_id"] = audit.Created(run.RunID)
	now := s.clock.Now()
	return s.store.WriteTx(ctx, run.org, func(ctx context.Context, tx ports.Tx) error {
		return tx.Audit.Append(ctx, audit.Accepted(run.org, now, run.by, a, "workflow", run.ID, changes))
	})
}
