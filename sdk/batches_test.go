package sdk

import "context"

// batchOperations are those of operations that are about batches of workflows.
var batchOperations = map[string]func(context.Context, *Client) error{
	"POST /api/v0/organizations/{org}/workflow-batches/cancel": func(ctx context.Context, c *Client) error {
		_, err := c.BatchCancelWorkflows(ctx, "{org}", WorkflowBatchCancel{})
		return err
	},
	"POST /api/v0/organizations/{org}/workflow-batches/terminate": func(ctx context.Context, c *Client) error {
		_, err := c.BatchTerminateWorkflows(ctx, "{org}", WorkflowBatchTerminate{})
		return err
	},
	"POST /api/v0/organizations/{org}/workflow-batches/signal": func(ctx context.Context, c *Client) error {
		_, err := c.BatchSignalWorkflows(ctx, "{org}", WorkflowBatchSignal{})
		return err
	},
	"GET /api/v0/organizations/{org}/workflow-batches": func(ctx context.Context, c *Client) error {
		_, err := c.ListWorkflowBatches(ctx, "{org}", ListOptions{})
		return err
	},
	"GET /api/v0/organizations/{org}/workflow-batches/{batch}": func(ctx context.Context, c *Client) error {
		_, err := c.WorkflowBatch(ctx, "{org}", "{batch}")
		return err
	},
	"POST /api/v0/organizations/{org}/workflow-batches/{batch}/stop": func(ctx context.Context, c *Client) error {
		return c.StopWorkflowBatch(ctx, "{org}", "{batch}", "enough")
	},
}
