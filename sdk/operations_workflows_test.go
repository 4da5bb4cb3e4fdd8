package sdk

import "context"

var workflowOperations = map[string]func(context.Context, *Client) error{
	"GET /api/v0/worker/pools": func(ctx context.Context, c *Client) error {
		_, err := c.WorkerPools(ctx, "gold", 2)
		return err
	},
	"POST /api/v0/organizations/{org}/doctor": func(ctx context.Context, c *Client) error {
		_, err := c.ExamineOrganization(ctx, "{org}", "orders")
		return err
	},
	"POST /api/v0/organizations/{org}/workflows": func(ctx context.Context, c *Client) error {
		_, err := c.StartWorkflow(ctx, "{org}", WorkflowStart{})
		return err
	},
	"GET /api/v0/organizations/{org}/workflows/{workflow_id}": func(ctx context.Context, c *Client) error {
		_, err := c.DescribeWorkflow(ctx, "{org}", "{workflow_id}", "")
		return err
	},
	"GET /api/v0/organizations/{org}/workflows/{workflow_id}/result": func(ctx context.Context, c *Client) error {
		_, err := c.WorkflowResult(ctx, "{org}", "{workflow_id}", "", 0)
		return err
	},
	"GET /api/v0/organizations/{org}/workflows/{workflow_id}/history": func(ctx context.Context, c *Client) error {
		_, err := c.WorkflowHistory(ctx, "{org}", "{workflow_id}", "", "", ListOptions{})
		return err
	},
	"GET /api/v0/organizations/{org}/workflows": func(ctx context.Context, c *Client) error {
		_, err := c.ListWorkflows(ctx, "{org}", "", ListOptions{})
		return err
	},
	"GET /api/v0/organizations/{org}/workflow-count": func(ctx context.Context, c *Client) error {
		_, err := c.CountWorkflows(ctx, "{org}", "")
		return err
	},
	"POST /api/v0/organizations/{org}/workflows/{workflow_id}/signal": func(ctx context.Context, c *Client) error {
		return c.SignalWorkflow(ctx, "{org}", "{workflow_id}", "", WorkflowSignal{})
	},
	"POST /api/v0/organizations/{org}/workflows/{workflow_id}/query": func(ctx context.Context, c *Client) error {
		_, err := c.QueryWorkflow(ctx, "{org}", "{workflow_id}", "", WorkflowQuestion{})
		return err
	},
	"POST /api/v0/organizations/{org}/workflows/{workflow_id}/update": func(ctx context.Context, c *Client) error {
		_, err := c.UpdateWorkflow(ctx, "{org}", "{workflow_id}", "", WorkflowUpdateRequest{}, 0)
		return err
	},
	"GET /api/v0/namespaces/orphans": func(ctx context.Context, c *Client) error {
		_, err := c.ListOrphanedNamespaces(ctx, ListOptions{})
		return err
	},
	"DELETE /api/v0/namespaces/orphans/{namespace}": func(ctx context.Context, c *Client) error {
		return c.DeleteOrphanedNamespace(ctx, "{namespace}")
	},
	"POST /api/v0/organizations/{org}/workflows/{workflow_id}/cancel": func(ctx context.Context, c *Client) error {
		return c.CancelWorkflow(ctx, "{org}", "{workflow_id}", "", "")
	},
	"POST /api/v0/organizations/{org}/workflows/{workflow_id}/reset": func(ctx context.Context, c *Client) error {
		_, err := c.ResetWorkflow(ctx, "{org}", "{workflow_id}", "", WorkflowReset{})
		return err
	},
	"POST /api/v0/organizations/{org}/workflows/{workflow_id}/terminate": func(ctx context.Context, c *Client) error {
		return c.TerminateWorkflow(ctx, "{org}", "{workflow_id}", "", "stuck")
	},
}
