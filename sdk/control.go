package sdk

import "context"

// SignalWorkflow sends a signal to a workflow. Without a run id it is the latest
// run. It is delivered once, however often the request has to be sent; for the
// same across processes give it an idempotency key of your own.
func (c *Client) SignalWorkflow(ctx context.Context, org, workflowID, runID string, in WorkflowSignal) error {
	return c.control(ctx, org, workflowID, runID, "signal", in)
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

// control asks something of a workflow that has no answer.
func (c *Client) control(ctx context.Context, org, workflowID, runID, what string, in any) error {
	_, err := c.do(ctx, post(organization(org, "workflows", workflowID, what), in).with("run_id", runID))
	return err
}
