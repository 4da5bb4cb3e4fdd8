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
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// firstEvents is the length of a history right after its start: the start
// itself, and the first workflow task.
const firstEvents = 2

// The fields of the memo that says who started an execution.
const (
	memoActor = workflow.MemoActor // the subject: an API key's id
	memoUser  = workflow.MemoUser  // the key's user; absent when the key belongs to the organization
)

// Start starts a workflow. Temporal knows a repeated request by its id for as long
// as the run that it has started, or joined, is the latest under its id.
func (d *Dispatcher) Start(ctx context.Context, namespace string, by authz.Actor, s workflow.Start) (workflow.Execution, error) {
	if by.Subject() == "" {
		return workflow.Execution{}, fault.ErrUnauthenticated
	}
	ctx, err := d.conn.within(ctx, namespace)
	if err != nil {
		return workflow.Execution{}, err
	}
	req, err := startRequest(ctx, namespace, by, s)
	if err != nil {
		return workflow.Execution{}, err
	}
	startedAt := d.conn.clock.Now()
	runID, started, err := d.start(ctx, req, s)
	if err != nil {
		return workflow.Execution{}, d.attributeFault(ctx, namespace, s.Attributes, err)
	}
	if !started { // what runs may be of another type
		res, err := d.describeWhole(ctx, namespace, s.ID, runID)
		if err != nil {
			return workflow.Execution{}, err
		}
		e := execution(res.GetWorkflowExecutionInfo())
		info, known := res.GetWorkflowExtendedInfo().GetRequestIdInfos()[req.GetRequestId()]
		e.Joined = !known || info.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
		return e, nil
	}
	// A second call would tell the start to the microsecond, and could fail although the workflow runs.
	e := workflow.Execution{
		ID: s.ID, RunID: runID, Type: s.Type, TaskQueue: s.TaskQueue,
		Status: workflow.Running, StartedAt: startedAt, Events: firstEvents,
	}
	if s.Signal != nil {
		e.Events++
	}
	if s.Delay > 0 {
		e.Events-- // there is no task yet
	}
	return e, nil
}

// start makes the call that the start takes, and returns the run, and whether it is
// a new one.
func (d *Dispatcher) start(ctx context.Context, req *workflowservice.StartWorkflowExecutionRequest, s workflow.Start) (runID string, started bool, err error) {
	if s.Signal == nil {
		res, err := invoke(ctx, d.conn.cfg.CallTimeout, d.service().StartWorkflowExecution, req)
		return res.GetRunId(), res.GetStarted(), err
	}
	call := d.service().SignalWithStartWorkflowExecution
	if reuse, conflict := s.Policies(); reuse != workflow.RejectDuplicate || conflict == workflow.TerminateExisting {
		call = d.signalWithStartOnce
	}
	res, err := invoke(ctx, d.conn.cfg.CallTimeout, call, withSignal(req, s.Signal))
	return res.GetRunId(), res.GetStarted(), err
}

// signalWithStartOnce is a start with a signal that may use an id again. There
// Temporal takes a repetition for another start, and runs the workflow twice; but
// it remembers the requests of a run, so that we can look first.
func (d *Dispatcher) signalWithStartOnce(
	ctx context.Context, req *workflowservice.SignalWithStartWorkflowExecutionRequest, _ ...grpc.CallOption,
) (*workflowservice.SignalWithStartWorkflowExecutionResponse, error) {
	latest, err := d.service().DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: req.GetNamespace(), Execution: &commonpb.WorkflowExecution{WorkflowId: req.GetWorkflowId()},
	})
	if err != nil && !fault.IsKind(toFault(err), fault.NotFound) {
		return nil, err
	}
	if _, done := latest.GetWorkflowExtendedInfo().GetRequestIdInfos()[req.GetRequestId()]; done {
		return &workflowservice.SignalWithStartWorkflowExecutionResponse{
			RunId: latest.GetWorkflowExecutionInfo().GetExecution().GetRunId(),
		}, nil
	}
	return d.service().SignalWithStartWorkflowExecution(ctx, req)
}

func startRequest(ctx context.Context, namespace string, by authz.Actor, s workflow.Start) (*workflowservice.StartWorkflowExecutionRequest, error) {
	memo, attributes, err := attribution(by)
	if err != nil {
		return nil, err
	}
	for name, value := range s.Memo {
		memo.Fields[name] = jsonPayload(value)
	}
	for name, a := range s.Attributes {
		attributes.IndexedFields[name] = attributePayload(a)
	}
	reuse, conflict := s.Policies()
	req := &workflowservice.StartWorkflowExecutionRequest{
		Namespace:                namespace,
		WorkflowId:               s.ID,
		WorkflowType:             &commonpb.WorkflowType{Name: s.Type},
		TaskQueue:                &taskqueuepb.TaskQueue{Name: s.TaskQueue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		Input:                    encodeInput(s.Input),
		WorkflowExecutionTimeout: timeout(s.ExecutionTimeout),
		WorkflowRunTimeout:       timeout(s.RunTimeout),
		WorkflowTaskTimeout:      timeout(s.TaskTimeout),
		WorkflowStartDelay:       timeout(s.Delay),
		RetryPolicy:              retryPolicy(s.Retry),
		Identity:                 identityOf(by),
		RequestId:                nameOf(ctx, s),
		WorkflowIdReusePolicy:    reusePolicies[reuse],
		WorkflowIdConflictPolicy: conflictPolicies[conflict],
		Memo:                     memo,
		SearchAttributes:         attributes,
	}
	if _, claimed := idempotency.From(ctx); claimed && conflict == workflow.UseExisting && s.Signal == nil {
		// So that the request is answered with this run again, even when it has ended.
		req.OnConflictOptions = &workflowpb.OnConflictOptions{AttachRequestId: true}
	}
	return req, nil
}

// withSignal returns the same start with a signal.
func withSignal(req *workflowservice.StartWorkflowExecutionRequest, m *workflow.Message) *workflowservice.SignalWithStartWorkflowExecutionRequest {
	return &workflowservice.SignalWithStartWorkflowExecutionRequest{
		Namespace:                req.GetNamespace(),
		WorkflowId:               req.GetWorkflowId(),
		WorkflowType:             req.GetWorkflowType(),
		TaskQueue:                req.GetTaskQueue(),
		Input:                    req.GetInput(),
		WorkflowExecutionTimeout: req.GetWorkflowExecutionTimeout(),
		WorkflowRunTimeout:       req.GetWorkflowRunTimeout(),
		WorkflowTaskTimeout:      req.GetWorkflowTaskTimeout(),
		WorkflowStartDelay:       req.GetWorkflowStartDelay(),
		RetryPolicy:              req.GetRetryPolicy(),
		Identity:                 req.GetIdentity(),
		RequestId:                req.GetRequestId(),
		WorkflowIdReusePolicy:    req.GetWorkflowIdReusePolicy(),
		WorkflowIdConflictPolicy: req.GetWorkflowIdConflictPolicy(),
		Memo:                     req.GetMemo(),
		SearchAttributes:         req.GetSearchAttributes(),
		SignalName:               m.Name,
		SignalInput:              encodeInput(m.Input),
	}
}

var reusePolicies = map[workflow.Reuse]enumspb.WorkflowIdReusePolicy{
	workflow.RejectDuplicate:          enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	workflow.AllowDuplicate:           enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	workflow.AllowDuplicateFailedOnly: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
}

var conflictPolicies = map[workflow.Conflict]enumspb.WorkflowIdConflictPolicy{
	workflow.FailOnConflict:    enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
	workflow.UseExisting:       enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	workflow.TerminateExisting: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
}

func retryPolicy(p *workflow.RetryPolicy) *commonpb.RetryPolicy {
	if p == nil {
		return nil
	}
	return &commonpb.RetryPolicy{
		InitialInterval:        timeout(p.InitialInterval),
		BackoffCoefficient:     p.BackoffCoefficient,
		MaximumInterval:        timeout(p.MaximumInterval),
		MaximumAttempts:        p.MaximumAttempts,
		NonRetryableErrorTypes: p.NonRetryableTypes,
	}
}

// nameOf is the request's id of a start.
func nameOf(ctx context.Context, s workflow.Start) string {
	if s.Request != uuid.Nil {
		return s.Request.String()
	}
	return requestID(ctx)
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
