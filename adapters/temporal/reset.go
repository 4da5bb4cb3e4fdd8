package temporal

import (
	"context"
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// Reset ends a run and has another go on from a place in its history.
//
// Temporal means to know a repeated request by its id, but compares it with that of
// the start, which the new run inherits: it would reset twice. So the id stands in
// the reason, which the new run's history keeps, and we look for it there.
func (d *Dispatcher) Reset(ctx context.Context, namespace string, by authz.Actor, at workflow.Target, r workflow.Reset) (string, error) {
	ctx, err := d.toChange(ctx, namespace, by, at)
	if err != nil {
		return "", err
	}
	now, err := d.describeWhole(ctx, namespace, at.ID, at.RunID)
	if err != nil {
		return "", err
	}
	base := now.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	request := requestID(ctx)
	mark := fmt.Sprintf("(%s, request %s)", identityOf(by), request)
	found, err := d.resetPoints(ctx, namespace, workflow.Target{ID: at.ID, RunID: base}, mark)
	if err != nil {
		return "", err
	}
	if found.marked { // the latest run is what an earlier attempt has made
		return base, nil
	}
	if made := now.GetWorkflowExtendedInfo().GetResetRunId(); made != "" {
		earlier, err := d.resetPoints(ctx, namespace, workflow.Target{ID: at.ID, RunID: made}, mark)
		if err != nil {
			return "", err
		}
		if earlier.marked {
			return made, nil
		}
	}
	event, err := found.event(r)
	if err != nil {
		return "", err
	}
	res, err := invoke(ctx, d.conn.cfg.CallTimeout, once(d.service().ResetWorkflowExecution), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:                 namespace,
		WorkflowExecution:         executionAt(workflow.Target{ID: at.ID, RunID: base}),
		Reason:                    r.Reason + " " + mark,
		WorkflowTaskFinishEventId: event,
		RequestId:                 request,
		Identity:                  identityOf(by),
	})
	if fault.IsKind(err, fault.Invalid) {
		return "", workflow.ErrNotResettable.Because(err)
	}
	return res.GetRunId(), err
}

// once keeps invoke from making a call again that would do twice what it does.
func once[Req, Res any](call method[Req, Res]) method[Req, Res] {
	return func(ctx context.Context, req *Req, options ...grpc.CallOption) (*Res, error) {
		res, err := call(ctx, req, options...)
		return res, toFault(err)
	}
}

// resetPoints are the events of a run that it can go back to.
type resetPoints struct {
	first, last int64 // with which the first and the last workflow task have ended, or would end; zero: there is none
	all         map[int64]bool
	marked      bool // the run was made by the reset that has the mark
}

func (d *Dispatcher) resetPoints(ctx context.Context, namespace string, at workflow.Target, mark string) (resetPoints, error) {
	found := resetPoints{all: map[int64]bool{}}
	here := place{Run: at.RunID}
	var scheduled int64
	for read := 0; ; {
		events, next, err := d.historyPage(ctx, namespace, at.ID, here, historyPageSize)
		if err != nil {
			return resetPoints{}, err
		}
		if read += len(events); read > workflow.MaxEvents {
			return resetPoints{}, workflow.ErrHistoryTooLong
		}
		for _, e := range events {
			if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED {
				scheduled = e.GetEventId()
			}
			found.add(e, mark)
		}
		if here.Page = next; len(next) == 0 {
			break
		}
	}
	if found.first == 0 && scheduled != 0 { // it has not done anything yet
		found.first, found.last = scheduled+1, scheduled+1
	}
	return found, nil
}

func (p *resetPoints) add(e *historypb.HistoryEvent, mark string) {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		if p.first == 0 {
			p.first = e.GetEventId()
		}
		p.last = e.GetEventId()
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
		a := e.GetWorkflowTaskFailedEventAttributes()
		if a.GetCause() == enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW && strings.HasSuffix(a.GetFailure().GetMessage(), mark) {
			p.marked = true
		}
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
	default:
		return
	}
	p.all[e.GetEventId()] = true
}

// event returns the event that a reset goes back to.
func (p *resetPoints) event(r workflow.Reset) (int64, error) {
	event := r.EventID
	switch r.To {
	case workflow.FirstWorkflowTask:
		event = p.first
	case workflow.LastWorkflowTask:
		event = p.last
	case workflow.AtEvent:
		if !p.all[event] {
			return 0, workflow.ErrResetEvent
		}
	}
	if event == 0 {
		return 0, workflow.ErrNotResettable
	}
	return event, nil
}
