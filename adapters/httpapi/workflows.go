package httpapi

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// StartWorkflow starts a workflow.
func (h *handlers) StartWorkflow(ctx context.Context, req gen.StartWorkflowRequestObject) (gen.StartWorkflowResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	start, err := toStart(*req.Body)
	if err != nil {
		return nil, err
	}
	e, err := h.Workflows.Start(ctx, by, org, start)
	if err != nil {
		return nil, err
	}
	location := organizationsPath + org.String() + workflowsPath + url.PathEscape(e.ID)
	return gen.StartWorkflow201JSONResponse{
		Body: toWorkflow(e), Headers: gen.StartWorkflow201ResponseHeaders{Location: location},
	}, nil
}

// ListWorkflows lists executions.
func (h *handlers) ListWorkflows(ctx context.Context, req gen.ListWorkflowsRequestObject) (gen.ListWorkflowsResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	query := orZero(req.Params.Query)
	l := h.listOf("listWorkflows", org).filtered(query)
	asked, err := l.requestToken(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Workflows.List(ctx, by, org, query, asked)
	if err != nil {
		return nil, err
	}
	return gen.ListWorkflows200JSONResponse{Items: each(p.Items, toWorkflow), NextCursor: l.nextToken(p.Next)}, nil
}

// CountWorkflows counts executions.
func (h *handlers) CountWorkflows(ctx context.Context, req gen.CountWorkflowsRequestObject) (gen.CountWorkflowsResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	c, err := h.Workflows.Count(ctx, by, org, orZero(req.Params.Query), req.Params.GroupBy != nil)
	if err != nil {
		return nil, err
	}
	return gen.CountWorkflows200JSONResponse(toWorkflowCount(c)), nil
}

// DescribeWorkflow shows a workflow execution.
func (h *handlers) DescribeWorkflow(ctx context.Context, req gen.DescribeWorkflowRequestObject) (gen.DescribeWorkflowResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	e, err := h.Workflows.Describe(ctx, by, org, req.WorkflowID, orZero(req.Params.RunID))
	if err != nil {
		return nil, err
	}
	return gen.DescribeWorkflow200JSONResponse(toWorkflow(e)), nil
}

// GetWorkflowResult returns how a workflow ended, after a wait if that is asked for.
func (h *handlers) GetWorkflowResult(ctx context.Context, req gen.GetWorkflowResultRequestObject) (gen.GetWorkflowResultResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	r, err := waiting(ctx, h.waits, seconds(req.Params.Wait), func(ctx context.Context, wait time.Duration) (workflow.Result, error) {
		return h.Workflows.Result(ctx, by, org, req.WorkflowID, orZero(req.Params.RunID), wait)
	})
	if err != nil {
		return nil, err
	}
	return gen.GetWorkflowResult200JSONResponse(toWorkflowResult(r)), nil
}

// GetWorkflowHistory shows what a workflow has done.
func (h *handlers) GetWorkflowHistory(ctx context.Context, req gen.GetWorkflowHistoryRequestObject) (gen.GetWorkflowHistoryResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	at, view := target(req.WorkflowID, req.Params.RunID), cmp.Or(orZero(req.Params.View), gen.Events)
	l := h.listOf("getWorkflowHistory", org).filtered(at.ID + "\n" + at.RunID + "\n" + string(view))
	asked, err := l.requestToken(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	if view == gen.Tasks {
		run, p, err := h.Workflows.Tasks(ctx, by, org, at, asked)
		if err != nil {
			return nil, err
		}
		return gen.GetWorkflowHistory200JSONResponse{RunID: run, Tasks: new(each(p.Items, toWorkflowTask)), NextCursor: l.nextToken(p.Next)}, nil
	}
	p, err := h.Workflows.History(ctx, by, org, at, asked)
	if err != nil {
		return nil, err
	}
	return gen.GetWorkflowHistory200JSONResponse{RunID: p.RunID, Events: new(each(p.Items, toWorkflowEvent)), NextCursor: l.nextToken(p.Next)}, nil
}
