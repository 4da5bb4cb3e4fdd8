package temporal

import (
	"context"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

const (
	// skew is how far Temporal's clock and ours may be apart.
	skew = time.Minute
	// maxRuns bounds how many runs of an id are looked at for a request.
	maxRuns = 1000
)

// Dispatched looks for the run that remembers the request. Temporal says what an id's
// latest run remembers at once; the runs before it, if the id was used again since, are
// in its visibility store. A run that had ended before the request, or the latest when
// it began before, can be the last to look at.
func (d *Dispatcher) Dispatched(ctx context.Context, namespace string, in workflow.Dispatch) (workflow.Dispatch, error) {
	ctx, err := d.conn.within(ctx, namespace)
	if err != nil {
		return workflow.Dispatch{}, err
	}
	latest, err := d.describeWhole(ctx, namespace, in.WorkflowID, "")
	if err != nil {
		return workflow.Dispatch{}, err
	}
	if found, ok := remembered(latest, in); ok {
		return found, nil
	}
	since := in.RequestedAt.Add(-skew)
	if execution(latest.GetWorkflowExecutionInfo()).StartedAt.Before(since) {
		return workflow.Dispatch{}, workflow.ErrNotFound
	}
	query := runsUnder(in.WorkflowID)
	p := page.TokenRequest{Limit: page.MaxLimit}
	for looked := 0; looked < maxRuns; {
		runs, err := d.List(ctx, namespace, query, p)
		if err != nil {
			return workflow.Dispatch{}, err
		}
		for _, run := range runs.Items {
			looked++
			if ended := !run.ClosedAt.IsZero() && run.ClosedAt.Before(since); ended || run.ID != in.WorkflowID {
				continue // the order is the store's own
			}
			res, err := d.describeWhole(ctx, namespace, in.WorkflowID, run.RunID)
			if fault.IsKind(err, fault.NotFound) {
				continue // forgotten meanwhile
			}
			if err != nil {
				return workflow.Dispatch{}, err
			}
			if found, ok := remembered(res, in); ok {
				return found, nil
			}
		}
		if p.Token = runs.Next; len(p.Token) == 0 {
			break
		}
	}
	return workflow.Dispatch{}, workflow.ErrNotFound
}

// runsUnder is the query for the runs of an id, and perhaps of others: Temporal has no
// escape for what its queries write with a backslash.
func runsUnder(workflowID string) string {
	if i := strings.IndexAny(workflowID, `\"'`); i > 0 {
		return `WorkflowId STARTS_WITH "` + workflowID[:i] + `"`
	} else if i == 0 {
		return ""
	}
	return `WorkflowId = "` + workflowID + `"`
}

// remembered tells what a run remembers of a request.
func remembered(run *workflowservice.DescribeWorkflowExecutionResponse, in workflow.Dispatch) (workflow.Dispatch, bool) {
	info, ok := run.GetWorkflowExtendedInfo().GetRequestIdInfos()[in.Request.String()]
	if !ok {
		return workflow.Dispatch{}, false
	}
	in.RunID, in.Outcome = run.GetWorkflowExecutionInfo().GetExecution().GetRunId(), workflow.DispatchStarted
	if info.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED {
		in.Outcome = workflow.DispatchJoined
	}
	return in, true
}
