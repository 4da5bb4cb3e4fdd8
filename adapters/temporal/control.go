package temporal

import (
	"context"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// Signal sends a signal. Temporal forgets the request ids of a run with the run:
// a repetition that finds another run under the same id signals that one.
func (d *Dispatcher) Signal(ctx context.Context, namespace string, by authz.Actor, at workflow.Target, s workflow.Message) error {
	ctx, err := d.toChange(ctx, namespace, by, at)
	if err != nil {
		return err
	}
	_, err = invoke(ctx, d.conn.cfg.CallTimeout, d.service().SignalWorkflowExecution, &workflowservice.SignalWorkflowExecutionRequest{
		Namespace:         namespace,
		WorkflowExecution: executionAt(at),
		SignalName:        s.Name,
		Input:             encodeInput(s.Input),
		Identity:          identityOf(by),
		RequestId:         requestID(ctx),
	})
	return d.closedOr(ctx, namespace, at, err)
}

// Cancel asks a run to cancel what it does. To Temporal, too, a second request
// and one to a run that has ended are successes.
func (d *Dispatcher) Cancel(ctx context.Context, namespace string, by authz.Actor, at workflow.Target, reason string) error {
	ctx, err := d.toChange(ctx, namespace, by, at)
	if err != nil {
		return err
	}
	_, err = invoke(ctx, d.conn.cfg.CallTimeout, d.service().RequestCancelWorkflowExecution, &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace:         namespace,
		WorkflowExecution: executionAt(at),
		Identity:          identityOf(by),
		RequestId:         requestID(ctx),
		Reason:            reason,
	})
	return err
}

// Terminate ends a run at once.
func (d *Dispatcher) Terminate(ctx context.Context, namespace string, by authz.Actor, at workflow.Target, reason string) error {
	ctx, err := d.toChange(ctx, namespace, by, at)
	if err != nil {
		return err
	}
	_, err = invoke(ctx, d.conn.cfg.CallTimeout, d.service().TerminateWorkflowExecution, &workflowservice.TerminateWorkflowExecutionRequest{
		Namespace:         namespace,
		WorkflowExecution: executionAt(at),
		Reason:            reason,
		Identity:          identityOf(by),
	})
	return d.closedOr(ctx, namespace, at, err, workflow.Terminated)
}

// toChange returns a context in which somebody may change an execution.
func (d *Dispatcher) toChange(ctx context.Context, namespace string, by authz.Actor, at workflow.Target) (context.Context, error) {
	if by.Subject() == "" {
		return nil, fault.ErrUnauthenticated
	}
	if !validRun(at.RunID) {
		return nil, workflow.ErrNotFound
	}
	return d.conn.within(ctx, namespace)
}

// closedOr tells an execution that has ended from one that is absent, which
// Temporal calls not found alike. One that has the wanted status is a success: a
// repeated call meets what the first has done.
func (d *Dispatcher) closedOr(ctx context.Context, namespace string, at workflow.Target, err error, wanted ...workflow.Status) error {
	if !fault.IsKind(err, fault.NotFound) {
		return err
	}
	e, failed := d.describe(ctx, namespace, at.ID, at.RunID)
	switch {
	case failed != nil:
		return failed
	case len(wanted) > 0 && e.Status == wanted[0]:
		return nil
	}
	return workflow.ErrClosed.Because(err)
}

func executionAt(at workflow.Target) *commonpb.WorkflowExecution {
	return &commonpb.WorkflowExecution{WorkflowId: at.ID, RunId: at.RunID}
}
