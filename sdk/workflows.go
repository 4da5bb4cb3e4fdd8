package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"
)

// StartWorkflow starts a workflow in the organization's own namespace. An id
// that is running or has run is refused with a conflict, so that starting the
// same thing twice starts it once.
func (c *Client) StartWorkflow(ctx context.Context, org string, in WorkflowStart) (*Workflow, error) {
	return call[Workflow](ctx, c, post(organization(org, "workflows"), in))
}

// DescribeWorkflow returns an execution. Without a run id it is the latest.
func (c *Client) DescribeWorkflow(ctx context.Context, org, workflowID, runID string) (*Workflow, error) {
	return call[Workflow](ctx, c, get(organization(org, "workflows", workflowID)).with("run_id", runID))
}

// ListWorkflows returns a page of the executions that a query chooses: a list
// filter of Temporal, such as `ExecutionStatus = "Running"`; "" chooses all. A
// change is seen a moment after it has happened.
func (c *Client) ListWorkflows(ctx context.Context, org, query string, o ListOptions) (*WorkflowList, error) {
	return call[WorkflowList](ctx, c, get(organization(org, "workflows")).page(o).with("query", query))
}

// AllWorkflows walks through the executions that a query chooses.
func (c *Client) AllWorkflows(ctx context.Context, org, query string) iter.Seq2[Workflow, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]Workflow, string, error) {
		l, err := c.ListWorkflows(ctx, org, query, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}

// WorkflowHistory returns a page of the history of an execution: its events, or in
// the view of tasks what it has had done. Without a run id it is the latest.
func (c *Client) WorkflowHistory(ctx context.Context, org, workflowID, runID string, view WorkflowHistoryView, o ListOptions) (*WorkflowHistory, error) {
	return call[WorkflowHistory](ctx, c,
		get(organization(org, "workflows", workflowID, "history")).page(o).with("run_id", runID).with("view", string(view)))
}

// WorkflowEvents walks through the events of an execution, oldest first.
func (c *Client) WorkflowEvents(ctx context.Context, org, workflowID, runID string) iter.Seq2[WorkflowEvent, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]WorkflowEvent, string, error) {
		h, err := c.WorkflowHistory(ctx, org, workflowID, runID, WorkflowHistoryViewEvents, o)
		if err != nil {
			return nil, "", err
		}
		return h.Events, h.NextCursor, nil
	})
}

// WorkflowTasks walks through what an execution has had done, in the order in which
// it began.
func (c *Client) WorkflowTasks(ctx context.Context, org, workflowID, runID string) iter.Seq2[WorkflowTask, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]WorkflowTask, string, error) {
		h, err := c.WorkflowHistory(ctx, org, workflowID, runID, WorkflowHistoryViewTasks, o)
		if err != nil {
			return nil, "", err
		}
		return h.Tasks, h.NextCursor, nil
	})
}

// CountWorkflows counts the executions that a query chooses, in all and by status.
func (c *Client) CountWorkflows(ctx context.Context, org, query string) (*WorkflowCount, error) {
	return call[WorkflowCount](ctx, c, get(organization(org, "workflow-count")).with("query", query).with("group_by", "status"))
}

// WorkflowResult returns how an execution ended, after waiting up to wait for
// it, 60 seconds at most. One that still runs has a status that is not Closed.
// Without a run id it is the latest.
func (c *Client) WorkflowResult(ctx context.Context, org, workflowID, runID string, wait time.Duration) (*WorkflowResult, error) {
	return call[WorkflowResult](ctx, c,
		get(organization(org, "workflows", workflowID, "result")).with("run_id", runID).waiting(wait))
}

// awaitWait is how long one question of many waits: shorter than the minute after
// which proxies commonly cut an idle connection.
const awaitWait = 30 * time.Second

// AwaitResult waits until an execution has closed, however long that takes: the
// context bounds it. Without a run id it follows the chain of runs to its end.
func (c *Client) AwaitResult(ctx context.Context, org, workflowID, runID string) (*WorkflowResult, error) {
	return poll(ctx, c, func() (*WorkflowResult, bool, error) {
		r, err := c.WorkflowResult(ctx, org, workflowID, runID, awaitWait)
		if err != nil {
			return nil, false, err
		}
		followed := runID == "" && r.Status == WorkflowStatusContinuedAsNew // the next run is about to be the latest
		return r, r.Status.Closed() && !followed, nil
	})
}

// leastPause keeps a server that answers at once from being asked in a tight loop.
const leastPause = 100 * time.Millisecond

// poll asks until the answer is final, an error, or the context ends.
func poll[T any](ctx context.Context, c *Client, ask func() (*T, bool, error)) (*T, error) {
	for {
		answer, final, err := ask()
		if err != nil || final {
			return answer, err
		}
		if err := c.sleep(ctx, leastPause); err != nil {
			return nil, err
		}
	}
}

// Closed tells whether the execution is over, well or not.
func (s WorkflowStatus) Closed() bool {
	switch s {
	case WorkflowStatusCompleted, WorkflowStatusFailed, WorkflowStatusCanceled, WorkflowStatusTerminated,
		WorkflowStatusContinuedAsNew, WorkflowStatusTimedOut:
		return true
	case WorkflowStatusRunning, WorkflowStatusPaused, WorkflowStatusUnknown:
	}
	return false
}

// WorkflowError says that an execution has not completed.
type WorkflowError struct {
	WorkflowID string
	RunID      string
	Status     WorkflowStatus
	Failure    WorkflowFailure // zero unless the workflow itself failed
}

// Error returns the reason in one line.
func (e *WorkflowError) Error() string {
	s := fmt.Sprintf("workflow %s: %s", e.WorkflowID, e.Status)
	if e.Failure.Message != "" {
		s += ": " + e.Failure.Message
	}
	return s
}

// Decode reads what the workflow returned into a pointer. Unless the execution
// has completed it fails with a WorkflowError.
func (r *WorkflowResult) Decode(into any) error {
	if r.Status != WorkflowStatusCompleted {
		return &WorkflowError{WorkflowID: r.WorkflowID, RunID: r.RunID, Status: r.Status, Failure: r.Failure}
	}
	if len(r.Output) == 0 {
		return nil
	}
	if err := json.Unmarshal(r.Output, into); err != nil {
		return fmt.Errorf("decode the result of workflow %s: %w", r.WorkflowID, err)
	}
	return nil
}

// Arguments encodes values as the input of a workflow, in their order.
func Arguments(values ...any) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, 0, len(values))
	for i, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("encode argument %d: %w", i+1, err)
		}
		out = append(out, b)
	}
	return out, nil
}
