package temporal

import (
	"cmp"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// summary sums up a history, event by event.
type summary struct{ byEvent map[int64]*workflow.Task }

func newSummary() *summary { return &summary{byEvent: map[int64]*workflow.Task{}} }

// begins reads the events that a task begins with.
func begins(e *historypb.HistoryEvent) (workflow.Task, bool) {
	t := workflow.Task{EventID: e.GetEventId(), ScheduledAt: e.GetEventTime().AsTime(), State: workflow.TaskScheduled}
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		a := e.GetActivityTaskScheduledEventAttributes()
		t.Kind, t.ID, t.Type = workflow.ActivityTask, a.GetActivityId(), a.GetActivityType().GetName()
	case enumspb.EVENT_TYPE_TIMER_STARTED:
		t.Kind, t.ID, t.State, t.StartedAt = workflow.TimerTask, e.GetTimerStartedEventAttributes().GetTimerId(), workflow.TaskStarted, t.ScheduledAt
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
		a := e.GetStartChildWorkflowExecutionInitiatedEventAttributes()
		t.Kind, t.ID, t.Type = workflow.ChildTask, a.GetWorkflowId(), a.GetWorkflowType().GetName()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		t.Kind, t.Type = workflow.SignalTask, e.GetWorkflowExecutionSignaledEventAttributes().GetSignalName()
		t.State, t.StartedAt, t.ClosedAt = workflow.TaskCompleted, t.ScheduledAt, t.ScheduledAt
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		a := e.GetWorkflowExecutionUpdateAcceptedEventAttributes()
		t.Kind, t.ID, t.Type = workflow.UpdateTask, a.GetProtocolInstanceId(), a.GetAcceptedRequest().GetInput().GetName()
		t.State, t.StartedAt = workflow.TaskStarted, t.ScheduledAt
	default:
		return workflow.Task{}, false
	}
	return t, true
}

// step is what an event says of a task that has begun: by which event, how it stands
// since, and what went wrong.
type step struct {
	of      int64
	state   workflow.TaskState
	failure *failurepb.Failure
}

// steps read the events that are about a task.
var steps = map[enumspb.EventType]func(*historypb.HistoryEvent) step{
	enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED: func(e *historypb.HistoryEvent) step {
		a := e.GetActivityTaskStartedEventAttributes()
		return step{a.GetScheduledEventId(), workflow.TaskStarted, a.GetLastFailure()}
	},
	enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: func(e *historypb.HistoryEvent) step {
		return step{e.GetActivityTaskCompletedEventAttributes().GetScheduledEventId(), workflow.TaskCompleted, nil}
	},
	enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED: func(e *historypb.HistoryEvent) step {
		a := e.GetActivityTaskFailedEventAttributes()
		return step{a.GetScheduledEventId(), workflow.TaskFailed, a.GetFailure()}
	},
	enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: func(e *historypb.HistoryEvent) step {
		a := e.GetActivityTaskTimedOutEventAttributes()
		return step{a.GetScheduledEventId(), workflow.TaskTimedOut, a.GetFailure()}
	},
	enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED: func(e *historypb.HistoryEvent) step {
		return step{e.GetActivityTaskCanceledEventAttributes().GetScheduledEventId(), workflow.TaskCanceled, nil}
	},
	enumspb.EVENT_TYPE_TIMER_FIRED: func(e *historypb.HistoryEvent) step {
		return step{e.GetTimerFiredEventAttributes().GetStartedEventId(), workflow.TaskCompleted, nil}
	},
	enumspb.EVENT_TYPE_TIMER_CANCELED: func(e *historypb.HistoryEvent) step {
		return step{e.GetTimerCanceledEventAttributes().GetStartedEventId(), workflow.TaskCanceled, nil}
	},
	enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED: func(e *historypb.HistoryEvent) step {
		a := e.GetStartChildWorkflowExecutionFailedEventAttributes()
		cause := small(a.GetCause().Descriptor(), a.GetCause().Number())
		return step{a.GetInitiatedEventId(), workflow.TaskFailed, &failurepb.Failure{Message: "the child was not started: " + cause}}
	},
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: func(e *historypb.HistoryEvent) step {
		return step{e.GetChildWorkflowExecutionStartedEventAttributes().GetInitiatedEventId(), workflow.TaskStarted, nil}
	},
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: func(e *historypb.HistoryEvent) step {
		return step{e.GetChildWorkflowExecutionCompletedEventAttributes().GetInitiatedEventId(), workflow.TaskCompleted, nil}
	},
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: func(e *historypb.HistoryEvent) step {
		a := e.GetChildWorkflowExecutionFailedEventAttributes()
		return step{a.GetInitiatedEventId(), workflow.TaskFailed, a.GetFailure()}
	},
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED: func(e *historypb.HistoryEvent) step {
		return step{e.GetChildWorkflowExecutionCanceledEventAttributes().GetInitiatedEventId(), workflow.TaskCanceled, nil}
	},
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT: func(e *historypb.HistoryEvent) step {
		return step{e.GetChildWorkflowExecutionTimedOutEventAttributes().GetInitiatedEventId(), workflow.TaskTimedOut, nil}
	},
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED: func(e *historypb.HistoryEvent) step {
		return step{e.GetChildWorkflowExecutionTerminatedEventAttributes().GetInitiatedEventId(), workflow.TaskTerminated, nil}
	},
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED: func(e *historypb.HistoryEvent) step {
		a := e.GetWorkflowExecutionUpdateCompletedEventAttributes()
		if f := a.GetOutcome().GetFailure(); f != nil {
			return step{a.GetAcceptedEventId(), workflow.TaskFailed, f}
		}
		return step{a.GetAcceptedEventId(), workflow.TaskCompleted, nil}
	},
}

func (s *summary) add(e *historypb.HistoryEvent) {
	if t, ok := begins(e); ok {
		s.byEvent[t.EventID] = &t
		return
	}
	read := steps[e.GetEventType()]
	if read == nil {
		return
	}
	next := read(e)
	t := s.byEvent[next.of]
	if t == nil {
		return // it began in events that a reset has left behind
	}
	t.State = next.state
	if next.failure != nil {
		t.Failure = failureOf(next.failure)
	}
	if at := e.GetEventTime().AsTime(); t.State.Closed() {
		t.ClosedAt = at
	} else {
		t.StartedAt = at
	}
	t.Attempts = max(t.Attempts, e.GetActivityTaskStartedEventAttributes().GetAttempt())
}

// pending adds what is known of an activity that has not ended: its attempts are in
// no event before the last one ends.
func (s *summary) pending(a *workflowpb.PendingActivityInfo) {
	for _, t := range s.byEvent {
		if t.Kind != workflow.ActivityTask || t.ID != a.GetActivityId() || t.State.Closed() {
			continue
		}
		t.State, t.Attempts, t.StartedAt = pendingState(a.GetState()), a.GetAttempt(), instant(a.GetLastStartedTime())
		if t.StartedAt.IsZero() {
			t.Attempts = 0
		}
		if f := a.GetLastFailure(); f != nil {
			t.Failure = failureOf(f)
		}
	}
}

func pendingState(s enumspb.PendingActivityState) workflow.TaskState {
	switch s {
	case enumspb.PENDING_ACTIVITY_STATE_STARTED, enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED, enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED:
		return workflow.TaskStarted
	case enumspb.PENDING_ACTIVITY_STATE_PAUSED:
		return workflow.TaskPaused
	case enumspb.PENDING_ACTIVITY_STATE_UNSPECIFIED, enumspb.PENDING_ACTIVITY_STATE_SCHEDULED:
	}
	return workflow.TaskScheduled
}

// tasks returns all of them in the order in which they began.
func (s *summary) tasks() []workflow.Task {
	out := make([]workflow.Task, 0, len(s.byEvent))
	for _, t := range s.byEvent {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b workflow.Task) int { return cmp.Compare(a.EventID, b.EventID) })
	return out
}
