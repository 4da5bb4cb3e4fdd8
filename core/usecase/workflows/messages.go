package workflows

import (
	"context"
	"encoding/json"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// Query asks the code of a workflow, which changes nothing by answering. It fails
// with workflow.ErrNotFound, ErrNoWorker, ErrNoAnswer and ErrQueryFailed, with
// org.ErrNotActive and fault.ErrInvalid.
func (s *Service) Query(ctx context.Context, by authz.Actor, o id.Org, at workflow.Target, m workflow.Message) (json.RawMessage, error) {
	namespace, err := s.reading(ctx, by, o, func() error {
		if err := workflow.CheckID(at.ID); err != nil {
			return err
		}
		return m.Validate()
	})
	if err != nil {
		return nil, err
	}
	return s.dispatcher.Query(ctx, namespace, at, m)
}

// Update sends an update to a workflow and returns when its code has taken or
// refused it. That of one id reaches a run once; without an id it gets that of
// the request. It fails with workflow.ErrNotFound, ErrClosed, ErrNoWorker and
// ErrNoAnswer, with org.ErrNotActive, limit.ErrPayloadTooLarge and fault.ErrInvalid.
func (s *Service) Update(ctx context.Context, by authz.Actor, o id.Org, at workflow.Target, updateID string, m workflow.Message) (workflow.Update, error) {
	if updateID == "" {
		updateID = newID(ctx)
	}
	run, err := s.find(ctx, by, authz.WorkflowsSignal, o, at, func() error {
		if err := workflow.CheckUpdateID(updateID); err != nil {
			return err
		}
		return m.Validate()
	})
	if err != nil {
		return workflow.Update{}, err
	}
	if err := s.admitPayload(run.limits, part{"/input", m.Input}); err != nil {
		return workflow.Update{}, err
	}
	// Whether it has ended is for Temporal to say, which knows a repeated update from a new one.
	err = s.record(ctx, run, audit.WorkflowUpdateRequested, map[string]audit.Change{
		"update": audit.Created(m.Name), "update_id": audit.Created(updateID),
	})
	if err != nil {
		return workflow.Update{}, err
	}
	return s.dispatcher.Update(ctx, run.namespace, by, at, updateID, m)
}

// UpdateResult returns the answer to an update that a workflow has taken, or that
// there is none after wait. It fails with workflow.ErrNotFound.
func (s *Service) UpdateResult(ctx context.Context, by authz.Actor, o id.Org, at workflow.Target, updateID string, wait time.Duration) (workflow.Update, error) {
	if err := by.Require(authz.WorkflowsSignal, o); err != nil {
		return workflow.Update{}, err
	}
	if err := workflow.CheckID(at.ID); err != nil {
		return workflow.Update{}, err
	}
	namespace, err := s.namespace(ctx, o)
	if err != nil {
		return workflow.Update{}, err
	}
	return s.dispatcher.UpdateResult(ctx, namespace, at, updateID, wait)
}
