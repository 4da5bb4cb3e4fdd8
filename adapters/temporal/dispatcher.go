package temporal

import (
	"context"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// identity is how Temporal shows the control plane in its histories.
const identity = "bulkhead"

// identityOf is how it shows who acts through the control plane.
func identityOf(by authz.Actor) string { return identity + "/" + by.Subject() }

// Dispatcher implements ports.Dispatcher. It speaks to Temporal's service
// itself: the SDK's workflow client repeats a call until its deadline, which
// would make every outage look like slowness, and decodes what we only pass on.
type Dispatcher struct{ conn *Connection }

var _ ports.Dispatcher = (*Dispatcher)(nil)

// NewDispatcher returns a dispatcher on the tenant connection.
func NewDispatcher(conn *Connection) *Dispatcher { return &Dispatcher{conn: conn} }

func (d *Dispatcher) service() workflowservice.WorkflowServiceClient {
	return d.conn.tenant.WorkflowService()
}

// Describe returns the run, or the latest when runID is "".
func (d *Dispatcher) Describe(ctx context.Context, namespace, workflowID, runID string) (workflow.Execution, error) {
	if !validRun(runID) {
		return workflow.Execution{}, workflow.ErrNotFound
	}
	ctx, err := d.conn.within(ctx, namespace)
	if err != nil {
		return workflow.Execution{}, err
	}
	res, err := d.describeWhole(ctx, namespace, workflowID, runID)
	if err != nil {
		return workflow.Execution{}, err
	}
	e := execution(res.GetWorkflowExecutionInfo())
	e.Details, err = details(res)
	return e, err
}

// describe is Describe in a context that is within the namespace already.
func (d *Dispatcher) describe(ctx context.Context, namespace, workflowID, runID string) (workflow.Execution, error) {
	res, err := d.describeWhole(ctx, namespace, workflowID, runID)
	if err != nil {
		return workflow.Execution{}, err
	}
	return execution(res.GetWorkflowExecutionInfo()), nil
}

// describeWhole returns all that Temporal says of a run, or of the latest.
func (d *Dispatcher) describeWhole(ctx context.Context, namespace, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return invoke(ctx, d.conn.cfg.CallTimeout, d.service().DescribeWorkflowExecution, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: namespace,
		Execution: &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: runID},
	})
}

// validRun tells whether a run can have the id. Temporal calls others invalid;
// to us they are simply not found.
func validRun(runID string) bool { return runID == "" || uuid.Validate(runID) == nil }

func execution(info *workflowpb.WorkflowExecutionInfo) workflow.Execution {
	e := workflow.Execution{
		ID:        info.GetExecution().GetWorkflowId(),
		RunID:     info.GetExecution().GetRunId(),
		Type:      info.GetType().GetName(),
		TaskQueue: info.GetTaskQueue(),
		Status:    statusOf(info.GetStatus()),
		StartedAt: info.GetStartTime().AsTime(),
		Events:    info.GetHistoryLength(),
	}
	if at := info.GetCloseTime(); at != nil {
		e.ClosedAt = at.AsTime()
	}
	return e
}

func statusOf(s enumspb.WorkflowExecutionStatus) workflow.Status {
	switch s {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return workflow.Running
	case enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:
		return workflow.Paused
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return workflow.Completed
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		return workflow.Failed
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return workflow.Canceled
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return workflow.Terminated
	case enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		return workflow.ContinuedAsNew
	case enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return workflow.TimedOut
	}
	return workflow.Unknown
}
