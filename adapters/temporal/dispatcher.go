package temporal

import (
	"context"
	"time"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// The fields of the memo that says who started an execution.
const (
	memoActor = "actor" // the subject: an API key's id
	memoUser  = "user"  // the key's user; absent when the key belongs to the organization
)

// identity is how Temporal shows the control plane in its histories.
const identity = "bulkhead"

// identityOf is how it shows who acts through the control plane.
func identityOf(by authz.Actor) string { return identity + "/" + by.Subject() }

// firstEvents is the length of a history right after its start: the start
// itself, and the first workflow task.
const firstEvents = 2

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

// Start starts a workflow. The id is used up for as long as Temporal remembers
// the execution: a repeated request can not run it twice.
func (d *Dispatcher) Start(ctx context.Context, namespace string, by authz.Actor, s workflow.Start) (workflow.Execution, error) {
	if by.Subject() == "" {
		return workflow.Execution{}, fault.ErrUnauthenticated
	}
	ctx, err := d.conn.within(ctx, namespace)
	if err != nil {
		return workflow.Execution{}, err
	}
	memo, attributes, err := attribution(by)
	if err != nil {
		return workflow.Execution{}, err
	}
	if s.Signal != nil {
		return d.signalWithStart(ctx, namespace, by, s, memo, attributes)
	}
	startedAt := d.conn.clock.Now()
	res, err := invoke(ctx, d.conn.cfg.CallTimeout, d.service().StartWorkflowExecution, &workflowservice.StartWorkflowExecutionRequest{
		Namespace:                namespace,
		WorkflowId:               s.ID,
		WorkflowType:             &commonpb.WorkflowType{Name: s.Type},
		TaskQueue:                &taskqueuepb.TaskQueue{Name: s.TaskQueue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		Input:                    encodeInput(s.Input),
		WorkflowExecutionTimeout: timeout(s.ExecutionTimeout),
		WorkflowRunTimeout:       timeout(s.RunTimeout),
		Identity:                 identityOf(by),
		RequestId:                requestID(ctx),
		WorkflowIdReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowIdConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		Memo:                     memo,
		SearchAttributes:         attributes,
	})
	if err != nil {
		return workflow.Execution{}, err
	}
	// A second call would tell the start to the microsecond, and could fail although the workflow runs.
	return workflow.Execution{
		ID: s.ID, RunID: res.GetRunId(), Type: s.Type, TaskQueue: s.TaskQueue,
		Status: workflow.Running, StartedAt: startedAt, Events: firstEvents,
	}, nil
}

// requestID makes the repetitions of invoke one start, and those of a claimed
// request, too: Temporal answers the second with the first's run.
func requestID(ctx context.Context) string {
	if c, ok := idempotency.From(ctx); ok {
		return c.ID().String()
	}
	return uuid.NewString()
}

// timeout returns nil, which is no timeout, for zero.
func timeout(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

// attribution records on an execution who started it.
func attribution(by authz.Actor) (*commonpb.Memo, *commonpb.SearchAttributes, error) {
	actor, err := keywordPayload(by.Subject())
	if err != nil {
		return nil, nil, err
	}
	memo := &commonpb.Memo{Fields: map[string]*commonpb.Payload{memoActor: actor}}
	if u := by.User(); !u.IsZero() {
		if memo.Fields[memoUser], err = keywordPayload(u.String()); err != nil {
			return nil, nil, err
		}
	}
	return memo, &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{AttributeActor: actor}}, nil
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
	return d.describe(ctx, namespace, workflowID, runID)
}

// describe is Describe in a context that is within the namespace already.
func (d *Dispatcher) describe(ctx context.Context, namespace, workflowID, runID string) (workflow.Execution, error) {
	res, err := invoke(ctx, d.conn.cfg.CallTimeout, d.service().DescribeWorkflowExecution, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: namespace,
		Execution: &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: runID},
	})
	if err != nil {
		return workflow.Execution{}, err
	}
	return execution(res.GetWorkflowExecutionInfo()), nil
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
