package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/bulkheadhq/bulkhead/adapters/temporal/workflows"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// taskTimeout is how soon the server gives a workflow task to another worker
// when the first died with it. The steps of provisioning run inside such tasks,
// so this is most of what a crash costs.
const taskTimeout = 5 * time.Second

// Orchestrator implements ports.Orchestrator.
//
// Other than the dispatcher it uses the SDK's workflow client, for the sake of
// the eager start: when the worker runs in this very process, the answer to the
// start brings the first workflow task along, which halves the time until an
// organization is usable. The price is that the client repeats the call until
// its deadline while Temporal is away; nobody but the relay waits for it.
type Orchestrator struct{ conn *Connection }

var _ ports.Orchestrator = (*Orchestrator)(nil)

// NewOrchestrator returns an orchestrator on the admin connection.
func NewOrchestrator(conn *Connection) *Orchestrator { return &Orchestrator{conn: conn} }

// memoOperation is under which name an execution says whose attempt it is.
const memoOperation = "operation"

// ProvisionOrganization starts the organization's one provisioning workflow. It
// runs again only after it failed.
func (o *Orchestrator) ProvisionOrganization(ctx context.Context, p outbox.ProvisionPayload) error {
	ctx, cancel := context.WithTimeout(ctx, o.conn.cfg.CallTimeout)
	defer cancel()
	_, err := o.conn.admin.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       provisionID(p.Organization),
		TaskQueue:                                workflows.TaskQueue,
		WorkflowTaskTimeout:                      taskTimeout,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		EnableEagerStart:                         true,
		Memo:                                     map[string]any{memoOperation: p.Operation.String()},
	}, workflows.ProvisionOrganizationName, workflows.ProvisionInput{
		Organization: p.Organization.String(), Operation: p.Operation.String(),
	})
	if err = toFault(err); errors.Is(err, workflow.ErrAlreadyStarted) {
		return o.sameAttempt(ctx, p)
	}
	return notYet(err) // the system namespace is the worker's to register
}

// sameAttempt succeeds when the execution that stands in the way is the very one
// that was to be started. Another one, of an attempt that has failed, is about to
// close: the message must come again.
func (o *Orchestrator) sameAttempt(ctx context.Context, p outbox.ProvisionPayload) error {
	found, err := o.describe(ctx, provisionID(p.Organization))
	if err != nil {
		return notYet(err) // it is gone: then the next delivery starts it
	}
	var operation string
	if memo := found.GetMemo().GetFields()[memoOperation]; memo != nil {
		if err := converter.GetDefaultDataConverter().FromPayload(memo, &operation); err != nil {
			return fmt.Errorf("decode the memo of %s: %w", provisionID(p.Organization), err)
		}
	}
	if found.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING && operation != "" && operation != p.Operation.String() {
		return fault.ErrUnavailable.After(retryAfter)
	}
	return nil
}

// ProvisioningEnded implements ports.Orchestrator.
func (o *Orchestrator) ProvisioningEnded(ctx context.Context, org id.Org) error {
	ctx, cancel := context.WithTimeout(ctx, o.conn.cfg.CallTimeout)
	defer cancel()
	found, err := o.describe(ctx, provisionID(org))
	switch {
	case errors.Is(err, workflow.ErrNotFound):
		return nil
	case err != nil:
		return err
	case found.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return fault.ErrUnavailable.WithPublic("The organization's provisioning has not come to its end yet.").After(retryAfter)
	}
	return nil
}

func (o *Orchestrator) describe(ctx context.Context, workflowID string) (*workflowpb.WorkflowExecutionInfo, error) {
	found, err := o.conn.admin.DescribeWorkflowExecution(ctx, workflowID, "")
	return found.GetWorkflowExecutionInfo(), toFault(err)
}

// ReviewDeletion signals the organization's deletion workflow, and starts it when
// none runs.
func (o *Orchestrator) ReviewDeletion(ctx context.Context, p outbox.DeletionPayload) error {
	return o.review(ctx, deletionID(p.Organization), workflows.DeletionReviewed,
		workflows.DeleteOrganizationName, workflows.DeletionInput{Organization: p.Organization.String()})
}

// ReviewSchedules signals the workflow that keeps the organization's schedules, and
// starts it when none runs.
func (o *Orchestrator) ReviewSchedules(ctx context.Context, p outbox.SchedulesPayload) error {
	return o.review(ctx, schedulesID(p.Organization), workflows.SchedulesReviewed,
		workflows.ReviewSchedulesName, workflows.SchedulesInput{Organization: p.Organization.String()})
}

// ReviewNamespace signals the workflow that makes the organization's namespace as it
// must be, and starts it when none runs.
func (o *Orchestrator) ReviewNamespace(ctx context.Context, p outbox.NamespacePayload) error {
	return o.review(ctx, namespaceID(p.Organization), workflows.NamespaceReviewed,
		workflows.ReviewNamespaceName, workflows.NamespaceInput{Organization: p.Organization.String()})
}

// review signals a workflow, and starts it when none runs.
func (o *Orchestrator) review(ctx context.Context, workflowID, signal, name string, in any) error {
	ctx, cancel := context.WithTimeout(ctx, o.conn.cfg.CallTimeout)
	defer cancel()
	_, err := o.conn.admin.SignalWithStartWorkflow(ctx, workflowID, signal, nil, client.StartWorkflowOptions{
		TaskQueue:             workflows.TaskQueue,
		WorkflowTaskTimeout:   taskTimeout,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, name, in)
	return notYet(toFault(err))
}

func provisionID(o id.Org) string { return "org-provision/" + o.String() }
func deletionID(o id.Org) string  { return "org-delete/" + o.String() }
func schedulesID(o id.Org) string { return "org-schedules/" + o.String() }
func namespaceID(o id.Org) string { return "org-namespace/" + o.String() }
