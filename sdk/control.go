package sdk

import (
	"context"
	"encoding/json"
	"time"
)

// SignalWorkflow sends a signal to a workflow. Without a run id it is the latest
// run. It is delivered once, however often the request has to be sent; for the
// same across processes give it an idempotency key of your own.
func (c *Client) SignalWorkflow(ctx context.Context, org, workflowID, runID string, in WorkflowSignal) error {
	return c.control(ctx, org, workflowID, runID, "signal", in)
}

// QueryWorkflow asks the code of a workflow and returns its answer as JSON; nil is
// none. It takes a worker that serves the workflow's task queue.
func (c *Client) QueryWorkflow(ctx context.Context, org, workflowID, runID string, in WorkflowQuestion) (json.RawMessage, error) {
	a, err := call[WorkflowAnswer](ctx, c, post(organization(org, "workflows", workflowID, "query"), in).with("run_id", runID))
	if err != nil {
		return nil, err
	}
	return a.Output, nil
}

// UpdateWorkflow sends an update to a workflow and returns when its code has taken
// or refused it, or has answered it within wait, 60 seconds at most. An update of
// one id is done once: ask again with the same for an answer that takes longer.
func (c *Client) UpdateWorkflow(ctx context.Context, org, workflowID, runID string, in WorkflowUpdateRequest, wait time.Duration) (*WorkflowUpdate, error) {
	return call[WorkflowUpdate](ctx, c, post(organization(org, "workflows", workflowID, "update"), in).with("run_id", runID).waiting(wait))
}

// CancelWorkflow asks a workflow to cancel what it does; its own code decides
// when and how. The reason is for people and may be "".
func (c *Client) CancelWorkflow(ctx context.Context, org, workflowID, runID, reason string) error {
	return c.control(ctx, org, workflowID, runID, "cancel", WorkflowCancel{Reason: reason})
}

// TerminateWorkflow ends a workflow at once: its own code learns nothing of it.
func (c *Client) TerminateWorkflow(ctx context.Context, org, workflowID, runID, reason string) error {
	return c.control(ctx, org, workflowID, runID, "terminate", WorkflowTerminate{Reason: reason})
}

// ResetWorkflow ends a run and has another go on from an earlier place in its
// history, and returns which. It is done once, however often the request has to be
// sent; for the same across processes give it an idempotency key of your own.
func (c *Client) ResetWorkflow(ctx context.Context, org, workflowID, runID string, in WorkflowReset) (*WorkflowExecutionRef, error) {
	return call[WorkflowExecutionRef](ctx, c, post(organization(org, "workflows", workflowID, "reset"), in).with("run_id", runID))
}

// control asks something of a workflow that has no answer.
func (c *Client) control(ctx context.Context, org, workflowID, runID, what string, in any) error {
	_, err := c.do(ctx, post(organization(org, "workflows", workflowID, what), in).with("run_id", runID))
	return err
}
