package temporal

import (
	"context"
	"encoding/json"

	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// place is where a history goes on. Temporal pages by batches of events, which can
// be larger than what was asked for: so it is a page of Temporal's, and how many of
// its events have been shown.
type place struct {
	Run  string `json:"r"`
	Page []byte `json:"p,omitempty"` // absent: the first one
	Skip int    `json:"s,omitempty"`
}

// History returns events of a run, or of the latest.
func (d *Dispatcher) History(ctx context.Context, namespace string, at workflow.Target, p page.TokenRequest) (workflow.Events, error) {
	if !validRun(at.RunID) {
		return workflow.Events{}, workflow.ErrNotFound
	}
	ctx, err := d.conn.within(ctx, namespace)
	if err != nil {
		return workflow.Events{}, err
	}
	here, err := d.begin(ctx, namespace, at, p.Token)
	if err != nil {
		return workflow.Events{}, err
	}
	events, next, err := d.eventsAt(ctx, namespace, at.ID, here, p.Limit)
	if err != nil {
		return workflow.Events{}, err
	}
	out := workflow.Events{RunID: here.Run}
	for _, e := range events {
		shown, err := event(e)
		if err != nil {
			return workflow.Events{}, fault.ErrInternal.Because(err)
		}
		out.Items = append(out.Items, shown)
	}
	if next != nil {
		if out.Next, err = json.Marshal(next); err != nil {
			return workflow.Events{}, fault.ErrInternal.Because(err)
		}
	}
	return out, nil
}

// begin says where to read on. All pages are of the run that was the latest at the
// first one.
func (d *Dispatcher) begin(ctx context.Context, namespace string, at workflow.Target, token []byte) (place, error) {
	var here place
	switch {
	case token != nil:
		if err := json.Unmarshal(token, &here); err != nil {
			return place{}, page.ErrCursor.Because(err)
		}
	case at.RunID != "":
		here.Run = at.RunID
	default:
		e, err := d.describe(ctx, namespace, at.ID, "")
		if err != nil {
			return place{}, err
		}
		here.Run = e.RunID
	}
	return here, nil
}

// eventsAt returns at most limit events from a place on, and the place after them;
// nil at the end.
func (d *Dispatcher) eventsAt(ctx context.Context, namespace, workflowID string, here place, limit int) ([]*historypb.HistoryEvent, *place, error) {
	for {
		events, next, err := d.historyPage(ctx, namespace, workflowID, here, limit)
		if err != nil {
			return nil, nil, err
		}
		rest := len(events) - here.Skip
		switch {
		case rest > limit:
			return events[here.Skip : here.Skip+limit], &place{Run: here.Run, Page: here.Page, Skip: here.Skip + limit}, nil
		case rest > 0 && len(next) > 0:
			return events[here.Skip:], &place{Run: here.Run, Page: next}, nil
		case rest > 0 || len(next) == 0:
			return events[min(here.Skip, len(events)):], nil, nil
		}
		here = place{Run: here.Run, Page: next, Skip: -rest} // the page was smaller this time
	}
}

func (d *Dispatcher) historyPage(ctx context.Context, namespace, workflowID string, at place, size int) ([]*historypb.HistoryEvent, []byte, error) {
	res, err := invoke(ctx, d.conn.cfg.CallTimeout, d.service().GetWorkflowExecutionHistory, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace:       namespace,
		Execution:       &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: at.Run},
		MaximumPageSize: int32(size), //nolint:gosec // at most page.MaxLimit, or historyPageSize
		NextPageToken:   at.Page,
		SkipArchival:    true,
	})
	return res.GetHistory().GetEvents(), res.GetNextPageToken(), err
}

// historyPageSize is how many batches of events are read at once to sum them up.
const historyPageSize = 500

// Tasks sums up a run, or the latest.
func (d *Dispatcher) Tasks(ctx context.Context, namespace string, at workflow.Target) (workflow.Tasks, error) {
	if !validRun(at.RunID) {
		return workflow.Tasks{}, workflow.ErrNotFound
	}
	ctx, err := d.conn.within(ctx, namespace)
	if err != nil {
		return workflow.Tasks{}, err
	}
	// What is under way stands nowhere in the history. It is asked for first, so that what ends meanwhile is seen to have ended.
	now, err := d.describeWhole(ctx, namespace, at.ID, at.RunID)
	if err != nil {
		return workflow.Tasks{}, err
	}
	here := place{Run: now.GetWorkflowExecutionInfo().GetExecution().GetRunId()}
	sum := newSummary()
	for read := 0; ; {
		events, next, err := d.historyPage(ctx, namespace, at.ID, here, historyPageSize)
		if err != nil {
			return workflow.Tasks{}, err
		}
		if read += len(events); read > workflow.MaxEvents {
			return workflow.Tasks{}, workflow.ErrHistoryTooLong
		}
		for _, e := range events {
			sum.add(e)
		}
		if len(next) == 0 {
			break
		}
		here.Page = next
	}
	for _, a := range now.GetPendingActivities() {
		sum.pending(a)
	}
	return workflow.Tasks{RunID: here.Run, Items: sum.tasks()}, nil
}
