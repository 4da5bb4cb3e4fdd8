package temporal

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/bulkheadhq/bulkhead/adapters/temporal/workflows"
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

// ProvisionOrganization starts the organization's one provisioning workflow. It
// runs again only after it failed.
func (o *Orchestrator) ProvisionOrganization(ctx context.Context, p outbox.ProvisionPayload) error {
	ctx, cancel := context.WithTimeout(ctx, o.conn.cfg.CallTimeout)
	defer cancel()
	_, err := o.conn.admin.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       "org-provision/" + p.Organization.String(),
		TaskQueue:                workflows.TaskQueue,
		WorkflowTaskTimeout:      taskTimeout,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		EnableEagerStart:         true,
	}, workflows.ProvisionOrganizationName, workflows.ProvisionInput{
		Organization: p.Organization.String(), Operation: p.Operation.String(),
	})
	if err = toFault(err); errors.Is(err, workflow.ErrAlreadyStarted) {
		return nil
	}
	return notYet(err) // the system namespace is the worker's to register
}
