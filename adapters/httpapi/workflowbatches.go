package httpapi

import (
	"context"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// BatchCancelWorkflows asks many workflows to cancel what they do.
func (h *handlers) BatchCancelWorkflows(ctx context.Context, req gen.BatchCancelWorkflowsRequestObject) (gen.BatchCancelWorkflowsResponseObject, error) {
	started, err := h.startBatch(ctx, req.Org, workflow.BatchStart{Kind: workflow.BatchCancel, Query: req.Body.Query, Reason: orZero(req.Body.Reason)})
	if err != nil {
		return nil, err
	}
	return gen.BatchCancelWorkflows202JSONResponse{WorkflowBatchStartedJSONResponse: started}, nil
}

// BatchTerminateWorkflows ends many workflows at once.
func (h *handlers) BatchTerminateWorkflows(ctx context.Context, req gen.BatchTerminateWorkflowsRequestObject) (gen.BatchTerminateWorkflowsResponseObject, error) {
	started, err := h.startBatch(ctx, req.Org, workflow.BatchStart{Kind: workflow.BatchTerminate, Query: req.Body.Query, Reason: req.Body.Reason})
	if err != nil {
		return nil, err
	}
	return gen.BatchTerminateWorkflows202JSONResponse{WorkflowBatchStartedJSONResponse: started}, nil
}

// BatchSignalWorkflows sends a signal to many workflows.
func (h *handlers) BatchSignalWorkflows(ctx context.Context, req gen.BatchSignalWorkflowsRequestObject) (gen.BatchSignalWorkflowsResponseObject, error) {
	signal := message(req.Body.Signal.Name, req.Body.Signal.Input)
	started, err := h.startBatch(ctx, req.Org, workflow.BatchStart{
		Kind: workflow.BatchSignal, Query: req.Body.Query, Reason: orZero(req.Body.Reason), Signal: &signal,
	})
	if err != nil {
		return nil, err
	}
	return gen.BatchSignalWorkflows202JSONResponse{WorkflowBatchStartedJSONResponse: started}, nil
}

// startBatch starts a batch of the organization that a path names.
func (h *handlers) startBatch(ctx context.Context, ref string, in workflow.BatchStart) (gen.WorkflowBatchStartedJSONResponse, error) {
	by, org, err := h.organization(ctx, ref)
	if err != nil {
		return gen.WorkflowBatchStartedJSONResponse{}, err
	}
	b, err := h.Workflows.StartBatch(ctx, by, org, in)
	if err != nil {
		return gen.WorkflowBatchStartedJSONResponse{}, err
	}
	return gen.WorkflowBatchStartedJSONResponse{
		Body:    toWorkflowBatch(b),
		Headers: gen.WorkflowBatchStartedResponseHeaders{Location: organizationsPath + org.String() + workflowBatchesPath + b.ID},
	}, nil
}

// ListWorkflowBatches lists the batches of an organization.
func (h *handlers) ListWorkflowBatches(ctx context.Context, req gen.ListWorkflowBatchesRequestObject) (gen.ListWorkflowBatchesResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	l := h.listOf("listWorkflowBatches", org)
	asked, err := l.requestToken(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Workflows.ListBatches(ctx, by, org, asked)
	if err != nil {
		return nil, err
	}
	return gen.ListWorkflowBatches200JSONResponse{Items: each(p.Items, toWorkflowBatch), NextCursor: l.nextToken(p.Next)}, nil
}

// GetWorkflowBatch shows a batch.
func (h *handlers) GetWorkflowBatch(ctx context.Context, req gen.GetWorkflowBatchRequestObject) (gen.GetWorkflowBatchResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	b, err := h.Workflows.GetBatch(ctx, by, org, req.Batch)
	if err != nil {
		return nil, err
	}
	return gen.GetWorkflowBatch200JSONResponse(toWorkflowBatch(b)), nil
}

// StopWorkflowBatch ends a batch.
func (h *handlers) StopWorkflowBatch(ctx context.Context, req gen.StopWorkflowBatchRequestObject) (gen.StopWorkflowBatchResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	if err := h.Workflows.StopBatch(ctx, by, org, req.Batch, req.Body.Reason); err != nil {
		return nil, err
	}
	return gen.StopWorkflowBatch204Response{}, nil
}

func toWorkflowBatch(b workflow.Batch) gen.WorkflowBatch {
	out := gen.WorkflowBatch{
		ID: b.ID, Kind: gen.WorkflowBatchKind(b.Kind.String()), State: gen.WorkflowBatchState(b.State.String()),
		Query: optional(b.Query), Reason: optional(b.Reason), StartedBy: optional(b.StartedBy),
		StartedAt: b.StartedAt, ClosedAt: optional(b.ClosedAt),
	}
	if p := b.Progress; p != nil {
		out.Total, out.Done, out.Failed = &p.Total, &p.Done, &p.Failed
	}
	return out
}
