package workflow

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
)

// ErrHistoryTooLong is returned where a whole history would have to be read that is
// longer than Temporal lets any become by itself.
var ErrHistoryTooLong = fault.Define(fault.Conflict, "workflow.history_too_long",
	"The history is too long to be summed up. Read its events, page by page.")

// MaxEvents is how long a history may be that is summed up: Temporal terminates a
// run whose history is longer, unless it is told otherwise.
const MaxEvents = 51_200

// Event is one event in the history of a run.
type Event struct {
	ID   int64
	Type string // as Temporal names it, in small letters: "activity_task_scheduled"
	At   time.Time
	// Attributes is a JSON object of what the event says. The tenant's own data in it
	// is JSON as it was written; what is not JSON, or is large, is marked as such.
	Attributes json.RawMessage
}

// Events is a page of the history of a run.
type Events struct {
	RunID string
	page.TokenPage[Event]
}

// TaskKind is what a run has others do, or waits for.
type TaskKind struct{ s string }

// The kinds of tasks.
var (
	ActivityTask = TaskKind{"activity"}
	TimerTask    = TaskKind{"timer"}
	ChildTask    = TaskKind{"child_workflow"}
	SignalTask   = TaskKind{"signal"} // one that came
	UpdateTask   = TaskKind{"update"} // one that was taken
)

// String returns the kind's name.
func (k TaskKind) String() string { return k.s }

// TaskState is how a task stands.
type TaskState struct{ s string }

// The states of tasks.
var (
	TaskScheduled  = TaskState{"scheduled"} // nobody works at it, for the first time or between two attempts
	TaskStarted    = TaskState{"started"}
	TaskPaused     = TaskState{"paused"}
	TaskCompleted  = TaskState{"completed"}
	TaskFailed     = TaskState{"failed"}
	TaskTimedOut   = TaskState{"timed_out"}
	TaskCanceled   = TaskState{"canceled"}
	TaskTerminated = TaskState{"terminated"}
)

// String returns the state's name.
func (s TaskState) String() string { return s.s }

// Closed tells whether the task has ended.
func (s TaskState) Closed() bool {
	return s != TaskScheduled && s != TaskStarted && s != TaskPaused && s != TaskState{}
}

// Task is what a run has had done, summed up from the events about it.
type Task struct {
	EventID     int64 // of the event that it begins with
	Kind        TaskKind
	ID          string // an activity's, a timer's or an update's, or the child's workflow id; a signal has none
	Type        string // of the activity or child, or the name of the signal or update; a timer has none
	State       TaskState
	Attempts    int32 // of an activity: zero when it has not begun
	ScheduledAt time.Time
	StartedAt   time.Time // zero: not yet; of an activity, its last attempt
	ClosedAt    time.Time // zero: not yet
	Failure     *Failure  // the last one, also of an attempt that was made again
}

// Duration is how long the task took from its start, or where it has none from when
// it was scheduled, to its end. Zero: it has not ended.
func (t Task) Duration() time.Duration {
	from := t.StartedAt
	if from.IsZero() {
		from = t.ScheduledAt
	}
	if t.ClosedAt.IsZero() || from.IsZero() {
		return 0
	}
	return t.ClosedAt.Sub(from)
}

// Tasks is what there is to know of the tasks of a run, in the order in which they
// began.
type Tasks struct {
	RunID string
	Items []Task
}

// Page returns a part of the tasks. Its token is the event after which to go on,
// which stays where it is as tasks are added. It fails with page.ErrCursor.
func (t Tasks) Page(p page.TokenRequest) (page.TokenPage[Task], error) {
	var after int64
	if p.Token != nil {
		var err error
		if after, err = strconv.ParseInt(string(p.Token), 10, 64); err != nil {
			return page.TokenPage[Task]{}, page.ErrCursor.Because(err)
		}
	}
	var out page.TokenPage[Task]
	for _, task := range t.Items {
		if task.EventID <= after {
			continue
		}
		if len(out.Items) == p.Limit {
			out.Next = strconv.AppendInt(nil, out.Items[p.Limit-1].EventID, 10)
			break
		}
		out.Items = append(out.Items, task)
	}
	return out, nil
}
