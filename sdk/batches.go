package sdk

import (
	"context"
	"iter"
	"time"
)

// BatchCancelWorkflows asks every workflow that runs and that a query chooses to
// cancel what it does. It returns when the batch has been started, which then goes on
// by itself; one batch of an organization runs at a time.
func (c *Client) BatchCancelWorkflows(ctx context.Context, org string, in WorkflowBatchCancel) (*WorkflowBatch, error) {
	return call[WorkflowBatch](ctx, c, post(organization(org, "workflow-batches", "cancel"), in))
}

// BatchTerminateWorkflows ends every workflow that runs and that a query chooses: their
// own code learns nothing of it. It returns as BatchCancelWorkflows does.
func (c *Client) BatchTerminateWorkflows(ctx context.Context, org string, in WorkflowBatchTerminate) (*WorkflowBatch, error) {
	return call[WorkflowBatch](ctx, c, post(organization(org, "workflow-batches", "terminate"), in))
}

// BatchSignalWorkflows sends a signal to every workflow that runs and that a query
// chooses, to each once. It returns as BatchCancelWorkflows does.
func (c *Client) BatchSignalWorkflows(ctx context.Context, org string, in WorkflowBatchSignal) (*WorkflowBatch, error) {
	return call[WorkflowBatch](ctx, c, post(organization(org, "workflow-batches", "signal"), in))
}

// WorkflowBatch returns a batch as it stands.
func (c *Client) WorkflowBatch(ctx context.Context, org, batch string) (*WorkflowBatch, error) {
	return call[WorkflowBatch](ctx, c, get(organization(org, "workflow-batches", batch)))
}

// ListWorkflowBatches returns a page of the batches, those that run first, without
// their queries, reasons and counts. A page can be shorter than was asked for.
func (c *Client) ListWorkflowBatches(ctx context.Context, org string, o ListOptions) (*WorkflowBatchList, error) {
	return call[WorkflowBatchList](ctx, c, get(organization(org, "workflow-batches")).page(o))
}

// AllWorkflowBatches walks through the batches of an organization.
func (c *Client) AllWorkflowBatches(ctx context.Context, org string) iter.Seq2[WorkflowBatch, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]WorkflowBatch, string, error) {
		l, err := c.ListWorkflowBatches(ctx, org, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}

// StopWorkflowBatch ends a batch; what it has done stays done. The reason is for
// people, and must be given.
func (c *Client) StopWorkflowBatch(ctx context.Context, org, batch, reason string) error {
	_, err := c.do(ctx, post(organization(org, "workflow-batches", batch, "stop"), WorkflowBatchStop{Reason: reason}))
	return err
}

// batchPause is how long to leave a batch alone between two looks at it: Temporal
// itself counts anew every few seconds.
const batchPause = time.Second

// AwaitWorkflowBatch waits until a batch has ended, however long that takes: the
// context bounds it. It shows each state to watch, which may be nil.
func (c *Client) AwaitWorkflowBatch(ctx context.Context, org, batch string, watch func(WorkflowBatch)) (*WorkflowBatch, error) {
	for {
		b, err := c.WorkflowBatch(ctx, org, batch)
		if err != nil {
			return nil, err
		}
		if watch != nil {
			watch(*b)
		}
		if b.State != WorkflowBatchStateRunning {
			return b, nil
		}
		if err := c.sleep(ctx, batchPause); err != nil {
			return nil, err
		}
	}
}
