package temporal

import (
	"context"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/sleep"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// minSlice keeps a frontend that answers long polls at once from being asked in
// a tight loop.
const minSlice = 50 * time.Millisecond

// retryPause is how long a wait rests when Temporal was busy, away or slow.
const retryPause = 500 * time.Millisecond

// Result waits for the execution to close.
//
// It never trusts a single long poll: the server can lose the notification that
// an execution closed, and then leaves the poll waiting for as long as 20
// seconds. So the wait is cut into slices. Each is a request of its own, which
// reads the state afresh before it waits; a lost notification costs the rest of
// its slice.
//
// Once the execution was seen running, that Temporal is busy, away or slow for a
// moment ends no wait: the next look may be answered, and if none is, it runs as far
// as is known.
func (d *Dispatcher) Result(ctx context.Context, namespace, workflowID, runID string, wait time.Duration) (workflow.Result, error) {
	if !validRun(runID) {
		return workflow.Result{}, workflow.ErrNotFound
	}
	caller := ctx
	ctx, err := d.conn.within(ctx, namespace)
	if err != nil {
		return workflow.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, max(wait, 0)+d.conn.cfg.CallTimeout)
	defer cancel()
	w := waiter{d: d, namespace: namespace, workflowID: workflowID, runID: runID, follow: runID == ""}
	if wait <= 0 {
		return w.standing(ctx)
	}
	deadline := time.Now().Add(wait)
	if err := w.look(ctx); err != nil {
		return workflow.Result{}, err
	}
	r, err := w.until(ctx, deadline)
	if err != nil && w.runs() && fault.Passes(err) && caller.Err() == nil { // else nobody waits for it, and that is the fault
		return workflow.Result{ID: workflowID, RunID: w.runID, Status: w.known}, nil
	}
	return r, err
}

// waiter is one wait for a result. Its contexts are within the namespace.
type waiter struct {
	d                     *Dispatcher
	namespace, workflowID string
	runID                 string // "" until the first look: the latest run
	follow                bool
	known                 workflow.Status // of it, at the last look
}

// runs tells whether it runs, as far as is known.
func (w *waiter) runs() bool { return w.known != workflow.Status{} && !w.known.Closed() }

// look finds out which run is waited for, and whether it runs. The first run that
// answers is the one, since "" would mean another after a continuation.
func (w *waiter) look(ctx context.Context) error {
	e, err := w.d.describe(ctx, w.namespace, w.workflowID, w.runID)
	w.runID, w.known = e.RunID, e.Status
	return err
}

// until waits until the deadline, in slices.
func (w *waiter) until(ctx context.Context, deadline time.Time) (workflow.Result, error) {
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return w.standing(ctx)
		}
		began, rest := time.Now(), minSlice
		closed, err := w.poll(ctx, min(left, w.d.conn.cfg.PollSlice))
		switch {
		case err != nil && w.runs() && fault.Passes(err):
			rest = retryPause
		case err != nil:
			return workflow.Result{}, err
		case closed != nil:
			if end := endOf(closed); w.follow && end.next != "" {
				w.runID, w.known = end.next, workflow.Running
				continue
			}
			return w.result(closed)
		}
		if rest -= time.Since(began); rest > 0 && !sleep.For(ctx, min(rest, time.Until(deadline))) {
			return workflow.Result{}, toFault(ctx.Err())
		}
	}
}

// poll waits for at most a slice and returns the event that closed the run, or
// nil when it runs on.
func (w *waiter) poll(ctx context.Context, slice time.Duration) (*historypb.HistoryEvent, error) {
	event, err := w.closeEvent(ctx, slice, true)
	if fault.IsKind(err, fault.Timeout) && ctx.Err() == nil {
		return nil, nil // only the slice is over
	}
	return event, err
}

// standing returns how the execution stands now that the wait is over: its end,
// should it have closed since the last look, or its state.
func (w *waiter) standing(ctx context.Context) (workflow.Result, error) {
	e, err := w.d.describe(ctx, w.namespace, w.workflowID, w.runID)
	if err != nil {
		return workflow.Result{}, err
	}
	if !e.Status.Closed() {
		return workflow.Result{ID: e.ID, RunID: e.RunID, Status: e.Status}, nil
	}
	w.runID, w.known = e.RunID, e.Status
	closed, err := w.closeEvent(ctx, w.d.conn.cfg.CallTimeout, false)
	if err != nil {
		return workflow.Result{}, err
	}
	end := endOf(closed)
	if w.follow && end.next != "" {
		// The continuation began this very moment. There is no time left to look how it fares.
		return workflow.Result{ID: w.workflowID, RunID: end.next, Status: workflow.Running}, nil
	}
	return w.result(closed)
}

// closeEvent returns the event that closed the run, or nil while there is none.
func (w *waiter) closeEvent(ctx context.Context, timeout time.Duration, wait bool) (*historypb.HistoryEvent, error) {
	res, err := invoke(ctx, timeout, w.d.service().GetWorkflowExecutionHistory, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace:              w.namespace,
		Execution:              &commonpb.WorkflowExecution{WorkflowId: w.workflowID, RunId: w.runID},
		WaitNewEvent:           wait,
		HistoryEventFilterType: enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
		SkipArchival:           true,
	})
	if err != nil {
		return nil, err
	}
	events := res.GetHistory().GetEvents()
	if len(events) == 0 {
		return nil, nil
	}
	return events[len(events)-1], nil
}

func (w *waiter) result(closed *historypb.HistoryEvent) (workflow.Result, error) {
	end := endOf(closed)
	output, err := decodeOutput(end.output)
	if err != nil {
		return workflow.Result{}, fault.ErrInternal.Because(err)
	}
	return workflow.Result{ID: w.workflowID, RunID: w.runID, Status: end.status, Output: output, Failure: end.failure}, nil
}
