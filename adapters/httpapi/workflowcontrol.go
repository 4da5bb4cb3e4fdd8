package httpapi

import (
	"context"
	"encoding/json"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// SignalWorkflow sends a signal to a workflow.
func (h *handlers) SignalWorkflow(ctx context.Context, req gen.SignalWorkflowRequestObject) (gen.SignalWorkflowResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	if err := h.Workflows.Signal(ctx, by, org, target(req.WorkflowID, req.Params.RunID), message(req.Body.Name, req.Body.Input)); err != nil {
		return nil, err
	}
	return gen.SignalWorkflow204Response{}, nil
}

// CancelWorkflow asks a workflow to cancel what it does.
func (h *handlers) CancelWorkflow(ctx context.Context, req gen.CancelWorkflowRequestObject) (gen.CancelWorkflowResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	if err := h.Workflows.Cancel(ctx, by, org, target(req.WorkflowID, req.Params.RunID), orZero(req.Body.Reason)); err != nil {
		return nil, err
	}
	return gen.CancelWorkflow204Response{}, nil
}

// TerminateWorkflow ends a workflow at once.
func (h *handlers) TerminateWorkflow(ctx context.Context, req gen.TerminateWorkflowRequestObject) (gen.TerminateWorkflowResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	if err := h.Workflows.Terminate(ctx, by, org, target(req.WorkflowID, req.Params.RunID), req.Body.Reason); err != nil {
		return nil, err
	}
	return gen.TerminateWorkflow204Response{}, nil
}

// ResetWorkflow has a workflow go on from an earlier place.
func (h *handlers) ResetWorkflow(ctx context.Context, req gen.ResetWorkflowRequestObject) (gen.ResetWorkflowResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	reset := workflow.Reset{To: workflow.ParseResetPoint(string(req.Body.To)), EventID: orZero(req.Body.EventID), Reason: req.Body.Reason}
	run, err := h.Workflows.Reset(ctx, by, org, target(req.WorkflowID, req.Params.RunID), reset)
	if err != nil {
		return nil, err
	}
	return gen.ResetWorkflow200JSONResponse{WorkflowID: req.WorkflowID, RunID: run}, nil
}

// target reads which execution a request is about.
func target(workflowID string, run *gen.RunID) workflow.Target {
	return workflow.Target{ID: workflowID, RunID: orZero(run)}
}

// message reads what a request says to a workflow.
func message(name string, input *[]json.RawMessage) workflow.Message {
	return workflow.Message{Name: name, Input: orZero(input)}
}

// QueryWorkflow asks the code of a workflow.
func (h *handlers) QueryWorkflow(ctx context.Context, req gen.QueryWorkflowRequestObject) (gen.QueryWorkflowResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	got, err := h.Workflows.Query(ctx, by, org, target(req.WorkflowID, req.Params.RunID), message(req.Body.Name, req.Body.Input))
	if err != nil {
		return nil, err
	}
	out := gen.QueryWorkflow200JSONResponse{}
	if got != nil {
		out.Output = &got
	}
	return out, nil
}

// UpdateWorkflow sends an update to a workflow, and waits for its answer if that
// is asked for.
func (h *handlers) UpdateWorkflow(ctx context.Context, req gen.UpdateWorkflowRequestObject) (gen.UpdateWorkflowResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	at := target(req.WorkflowID, req.Params.RunID)
	u, err := h.Workflows.Update(ctx, by, org, at, orZero(req.Body.UpdateID), message(req.Body.Name, req.Body.Input))
	if err != nil {
		return nil, err
	}
	if wait := seconds(req.Params.Wait); wait > 0 && !u.Done {
		at.RunID = u.RunID
		answered, err := waiting(ctx, h.waits, wait, func(ctx context.Context, wait time.Duration) (workflow.Update, error) {
			return h.Workflows.UpdateResult(ctx, by, org, at, u.ID, wait)
		})
		switch {
		case err == nil:
			u = answered
		case !fault.Passes(err): // else it is taken, and its answer is only not here yet
			return nil, err
		}
	}
	return gen.UpdateWorkflow200JSONResponse(toWorkflowUpdate(req.WorkflowID, u)), nil
}
