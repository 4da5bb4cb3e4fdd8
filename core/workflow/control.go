package workflow

import (
	"encoding/json"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// The faults of what is asked of an execution.
var (
	// ErrClosed is returned for what can only be done to one that has not ended.
	ErrClosed = fault.Define(fault.Conflict, "workflow.closed", "The workflow has ended.")
	// ErrNoWorker and ErrNoAnswer are returned for what only the execution's own
	// code can answer, when nobody runs it, or it takes too long.
	ErrNoWorker = fault.Define(fault.Unavailable, "workflow.no_worker",
		"No worker runs the workflow's code. Start one that serves its task queue.").After(noWorkerRetry)
	ErrNoAnswer = fault.Define(fault.Timeout, "workflow.no_answer",
		"The workflow has not answered in time. See that a worker runs that serves its task queue.")
	// ErrUpdatesOff is returned where Temporal's configuration allows no updates.
	ErrUpdatesOff = fault.Define(fault.Conflict, "workflow.updates_off",
		"Updates are switched off at Temporal. An operator must set frontend.enableUpdateWorkflowExecution in its dynamic configuration.")
	// ErrQueryFailed is returned when the code refuses a query, or fails at it. Its
	// public text holds what the code says, which is the tenant's own.
	ErrQueryFailed = fault.Define(fault.Conflict, "workflow.query_failed", "The workflow's code does not answer the query.")
)

// noWorkerRetry is how soon a worker may be there.
const noWorkerRetry = 5 * time.Second

// maxReasonLen is the longest reason, in characters.
const maxReasonLen = 500

// Target names an execution: a run, or the latest when RunID is "".
type Target struct{ ID, RunID string }

// Message is what is said to the code of an execution: a signal, a query or an
// update, by its name.
type Message struct {
	Name  string
	Input []json.RawMessage // the arguments, in order
}

// Validate checks a message. It fails with fault.ErrInvalid.
func (m Message) Validate() error { return m.validateAt("") }

// validateAt checks a message that stands at a pointer in its request.
func (m Message) validateAt(pointer string) error {
	if err := checkName(pointer+"/name", m.Name); err != nil {
		return err
	}
	return checkInput(pointer+"/input", m.Input)
}

// CheckReason checks why an execution is ended; "" is no reason, and fine. It
// fails with fault.ErrInvalid.
func CheckReason(s string) error {
	if s == "" {
		return nil
	}
	return text.Check("/reason", s, maxReasonLen)
}

// checkInput bounds the arguments of a call, all together.
func checkInput(pointer string, args []json.RawMessage) error {
	n := 0
	for _, a := range args {
		n += len(a)
	}
	if n > MaxInputBytes {
		return fault.InvalidField(pointer, "max_size", "must have at most 512 KiB")
	}
	return nil
}

// Update is how an update stands: a message whose answer its sender waits for.
type Update struct {
	ID    string
	RunID string // the run that took it
	Done  bool   // it was answered, or refused: Failure says so
	// Output is the answer, as JSON; nil when there is none.
	Output  json.RawMessage
	Failure *Failure
}

// CheckUpdateID checks an id by which an update is done once.
func CheckUpdateID(s string) error { return checkName("/update_id", s) }
