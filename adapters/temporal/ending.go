package temporal

import (
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// The types of the failures that no code of the tenant's has named.
const (
	typeTimeout    = "Timeout"
	typeCanceled   = "Canceled"
	typeTerminated = "Terminated"
)

// ending is what the closing event of a run says.
type ending struct {
	status  workflow.Status
	output  *commonpb.Payloads
	failure *workflow.Failure
	next    string // the run that continues this one: as new, after a failure, or by a schedule
}

func endOf(e *historypb.HistoryEvent) ending {
	switch a := e.GetAttributes().(type) {
	case *historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes:
		v := a.WorkflowExecutionCompletedEventAttributes
		return ending{status: workflow.Completed, output: v.GetResult(), next: v.GetNewExecutionRunId()}
	case *historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes:
		v := a.WorkflowExecutionFailedEventAttributes
		return ending{status: workflow.Failed, failure: failureOf(v.GetFailure()), next: v.GetNewExecutionRunId()}
	case *historypb.HistoryEvent_WorkflowExecutionTimedOutEventAttributes:
		return ending{
			status:  workflow.TimedOut,
			failure: &workflow.Failure{Message: "The workflow did not complete within its timeout.", Type: typeTimeout},
			next:    a.WorkflowExecutionTimedOutEventAttributes.GetNewExecutionRunId(),
		}
	case *historypb.HistoryEvent_WorkflowExecutionCanceledEventAttributes:
		return ending{status: workflow.Canceled, failure: &workflow.Failure{Message: "The workflow was canceled.", Type: typeCanceled}}
	case *historypb.HistoryEvent_WorkflowExecutionTerminatedEventAttributes:
		message := a.WorkflowExecutionTerminatedEventAttributes.GetReason()
		if message == "" {
			message = "The workflow was terminated."
		}
		return ending{status: workflow.Terminated, failure: &workflow.Failure{Message: message, Type: typeTerminated}}
	case *historypb.HistoryEvent_WorkflowExecutionContinuedAsNewEventAttributes:
		return ending{status: workflow.ContinuedAsNew, next: a.WorkflowExecutionContinuedAsNewEventAttributes.GetNewExecutionRunId()}
	}
	return ending{status: workflow.Unknown}
}

// failureOf returns what went wrong in the tenant's own code. Temporal wraps it
// in one layer for each activity and child workflow that it came through, whose
// own texts ("activity error") say nothing.
func failureOf(f *failurepb.Failure) *workflow.Failure {
	for f.GetCause() != nil && (f.GetActivityFailureInfo() != nil || f.GetChildWorkflowExecutionFailureInfo() != nil) {
		f = f.GetCause()
	}
	out := &workflow.Failure{Message: f.GetMessage()}
	switch info := f.GetFailureInfo().(type) {
	case *failurepb.Failure_ApplicationFailureInfo:
		out.Type = info.ApplicationFailureInfo.GetType()
	case *failurepb.Failure_TimeoutFailureInfo:
		out.Type = typeTimeout
	case *failurepb.Failure_CanceledFailureInfo:
		out.Type = typeCanceled
	case *failurepb.Failure_TerminatedFailureInfo:
		out.Type = typeTerminated
	}
	return out
}
