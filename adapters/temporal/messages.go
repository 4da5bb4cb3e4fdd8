package temporal

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/serviceerror"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/sleep"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// Query asks the code of a run.
func (d *Dispatcher) Query(ctx context.Context, namespace string, at workflow.Target, m workflow.Message) (json.RawMessage, error) {
	if !validRun(at.RunID) {
		return nil, workflow.ErrNotFound
	}
	ctx, err := d.conn.within(ctx, namespace)
	if err != nil {
		return nil, err
	}
	res, err := invoke(ctx, d.conn.cfg.CallTimeout, d.service().QueryWorkflow, &workflowservice.QueryWorkflowRequest{
		Namespace: namespace,
		Execution: executionAt(at),
		Query:     &querypb.WorkflowQuery{QueryType: m.Name, QueryArgs: encodeInput(m.Input)},
	})
	if err != nil {
		return nil, d.noWorkerOr(ctx, namespace, at, unanswered(err))
	}
	return decoded(res.GetQueryResult())
}

// Update sends an update and waits until the run has taken it.
func (d *Dispatcher) Update(ctx context.Context, namespace string, by authz.Actor, at workflow.Target, id string, m workflow.Message) (workflow.Update, error) {
	ctx, err := d.toChange(ctx, namespace, by, at)
	if err != nil {
		return workflow.Update{}, err
	}
	res, err := invoke(ctx, d.conn.cfg.CallTimeout, d.service().UpdateWorkflowExecution, &workflowservice.UpdateWorkflowExecutionRequest{
		Namespace:         namespace,
		WorkflowExecution: executionAt(at),
		WaitPolicy:        &updatepb.WaitPolicy{LifecycleStage: enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED},
		Request: &updatepb.Request{
			Meta:  &updatepb.Meta{UpdateId: id, Identity: identityOf(by)},
			Input: &updatepb.Input{Name: m.Name, Args: encodeInput(m.Input)},
		},
	})
	if err != nil {
		return workflow.Update{}, d.noWorkerOr(ctx, namespace, at, d.closedOr(ctx, namespace, at, unanswered(err)))
	}
	if res.GetStage() < enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED && res.GetOutcome() == nil {
		return workflow.Update{}, d.noWorkerOr(ctx, namespace, at, workflow.ErrNoAnswer) // Temporal itself has waited long enough
	}
	return updated(id, res.GetUpdateRef().GetWorkflowExecution().GetRunId(), res.GetOutcome())
}

// UpdateResult waits for the answer to an update, in slices as Result does.
func (d *Dispatcher) UpdateResult(ctx context.Context, namespace string, at workflow.Target, id string, wait time.Duration) (workflow.Update, error) {
	if !validRun(at.RunID) {
		return workflow.Update{}, workflow.ErrNotFound
	}
	ctx, err := d.conn.within(ctx, namespace)
	if err != nil {
		return workflow.Update{}, err
	}
	deadline := time.Now().Add(wait)
	for {
		left := time.Until(deadline)
		if left <= 0 { // how it stands: that nobody has told within the wait says nothing
			res, err := d.pollUpdate(ctx, namespace, at, id, enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_UNSPECIFIED, d.conn.cfg.CallTimeout)
			if err != nil {
				return workflow.Update{}, err
			}
			return updated(id, at.RunID, res.GetOutcome())
		}
		began := time.Now()
		slice := min(max(left, minSlice), d.conn.cfg.PollSlice)
		res, err := d.pollUpdate(ctx, namespace, at, id, enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED, slice)
		if err != nil && (!fault.IsKind(err, fault.Timeout) || ctx.Err() != nil) {
			return workflow.Update{}, err
		}
		if res.GetOutcome() != nil {
			return updated(id, at.RunID, res.GetOutcome())
		}
		if rest := minSlice - time.Since(began); rest > 0 && !sleep.For(ctx, min(rest, left)) {
			return workflow.Update{}, toFault(ctx.Err())
		}
	}
}

// pollUpdate waits until an update has come to a stage, or tells how it stands when
// the stage is unspecified.
func (d *Dispatcher) pollUpdate(
	ctx context.Context, namespace string, at workflow.Target, id string, stage enumspb.UpdateWorkflowExecutionLifecycleStage, limit time.Duration,
) (*workflowservice.PollWorkflowExecutionUpdateResponse, error) {
	return invoke(ctx, limit, d.service().PollWorkflowExecutionUpdate, &workflowservice.PollWorkflowExecutionUpdateRequest{
		Namespace:  namespace,
		UpdateRef:  &updatepb.UpdateRef{WorkflowExecution: executionAt(at), UpdateId: id},
		Identity:   identity,
		WaitPolicy: &updatepb.WaitPolicy{LifecycleStage: stage},
	})
}

// updated reads the outcome of an update, which is nil as long as there is none.
func updated(id, runID string, outcome *updatepb.Outcome) (workflow.Update, error) {
	u := workflow.Update{ID: id, RunID: runID, Done: outcome != nil}
	if f := outcome.GetFailure(); f != nil {
		u.Failure = failureOf(f)
		return u, nil
	}
	var err error
	u.Output, err = decoded(outcome.GetSuccess())
	return u, err
}

// decoded is decodeOutput with an error that may cross layers.
func decoded(in *commonpb.Payloads) (json.RawMessage, error) {
	out, err := decodeOutput(in)
	if err != nil {
		return nil, fault.ErrInternal.Because(err)
	}
	return out, nil
}

// unanswered tells what kept the code of an execution from answering.
func unanswered(err error) error {
	precondition, notReady := (*serviceerror.FailedPrecondition)(nil), (*serviceerror.WorkflowNotReady)(nil)
	switch {
	case errors.As(err, &precondition), errors.As(err, &notReady):
		return workflow.ErrNoWorker.Because(err)
	case fault.IsKind(err, fault.Timeout):
		return workflow.ErrNoAnswer.Because(err)
	}
	return err
}

// noWorkerOr tells whether it is for want of a worker that there was no answer: none has
// polled the run's task queue within Temporal's last minutes. Nobody is asked before an
// answer is late, so that one which comes costs nothing more; and what can not be found
// out leaves the fault as it is.
func (d *Dispatcher) noWorkerOr(ctx context.Context, namespace string, at workflow.Target, err error) error {
	if !errors.Is(err, workflow.ErrNoAnswer) {
		return err
	}
	e, failed := d.describe(ctx, namespace, at.ID, at.RunID)
	if failed != nil {
		return err
	}
	if n, failed := d.conn.pollers(ctx, namespace, e.TaskQueue); failed != nil || n > 0 {
		return err
	}
	return workflow.ErrNoWorker.Because(err)
}

// maxSaid bounds what the code of an execution says in a problem, in bytes.
const maxSaid = 500

// queryFailed passes on what the tenant's code says about a query.
func queryFailed(err *serviceerror.QueryFailed) error {
	said := err.Error()
	if len(said) > maxSaid {
		said = strings.ToValidUTF8(said[:maxSaid], "") + "…"
	}
	return workflow.ErrQueryFailed.WithPublic(workflow.ErrQueryFailed.Public + " It says: " + said).Because(err)
}
