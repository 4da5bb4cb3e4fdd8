// Package workflow says what a tenant may ask of its Temporal namespace. The
// namespace itself never stands here: it comes from the organization's row.
package workflow

import (
	"encoding/json"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// The faults of workflows.
var (
	ErrAlreadyStarted = fault.Define(fault.Conflict, "workflow.already_started", "A workflow with this id is running, or has run.")
	ErrNotFound       = fault.ErrNotFound // foreign, absent and aged out are one answer
)

// The bounds of a start.
const (
	MaxIDLen      = 255        // bytes
	MaxInputBytes = 512 * 1024 // of all arguments together, as JSON
	MaxTimeout    = 10 * 365 * 24 * time.Hour
)

// Start is a request to run a workflow.
type Start struct {
	ID               string // "" : the dispatcher's caller chooses one
	Type             string
	TaskQueue        string
	Input            []json.RawMessage // the arguments, in order
	ExecutionTimeout time.Duration     // zero: none
	RunTimeout       time.Duration     // zero: none
	// Signal goes to the new execution or, when one runs under the id, to that one.
	// nil: an id that runs is refused.
	Signal *Message
}

// Validate checks a start. It fails with fault.ErrInvalid.
func (s Start) Validate() error {
	if err := checkName("/workflow_id", s.ID); err != nil {
		return err
	}
	if s.ID == "." || s.ID == ".." {
		return fault.InvalidField("/workflow_id", "reserved", "would be taken for a step in a path")
	}
	if err := checkName("/type", s.Type); err != nil {
		return err
	}
	if err := checkName("/task_queue", s.TaskQueue); err != nil {
		return err
	}
	if s.ExecutionTimeout < 0 || s.ExecutionTimeout > MaxTimeout {
		return fault.InvalidField("/execution_timeout_seconds", "range", "must be between 0 and ten years")
	}
	if s.RunTimeout < 0 || s.RunTimeout > MaxTimeout {
		return fault.InvalidField("/run_timeout_seconds", "range", "must be between 0 and ten years")
	}
	if s.Signal != nil {
		if err := s.Signal.validateAt("/signal"); err != nil {
			return err
		}
	}
	return checkInput("/input", s.Input)
}

// CheckID checks a workflow id that stands in a path. An id that can not exist
// is simply not found.
func CheckID(s string) error {
	if checkName("", s) != nil {
		return ErrNotFound
	}
	return nil
}

func checkName(pointer, s string) error { return text.CheckIdentifier(pointer, s, MaxIDLen) }

// Status is how an execution stands.
type Status struct{ s string }

// The statuses, as Temporal names them.
var (
	Running        = Status{"running"}
	Completed      = Status{"completed"}
	Failed         = Status{"failed"}
	Canceled       = Status{"canceled"}
	Terminated     = Status{"terminated"}
	ContinuedAsNew = Status{"continued_as_new"}
	TimedOut       = Status{"timed_out"}
	Paused         = Status{"paused"}
	Unknown        = Status{"unknown"} // a status younger than this release
)

// String returns the status's name.
func (s Status) String() string { return s.s }

// Closed tells whether the execution has ended.
func (s Status) Closed() bool { return s != Running && s != Paused && s != Unknown && s.s != "" }

// Execution is one run of a workflow.
type Execution struct {
	ID        string
	RunID     string
	Type      string
	TaskQueue string
	Status    Status
	StartedAt time.Time
	ClosedAt  time.Time // zero: still running
	Events    int64     // the length of its history
}

// Result is how an execution ended, or that it has not.
type Result struct {
	ID     string
	RunID  string
	Status Status
	// Output is what the workflow returned, as JSON; nil when it has not
	// completed or returned nothing.
	Output json.RawMessage
	// Failure is why it did not complete.
	Failure *Failure
}

// Failure is why an execution did not complete. It comes from the tenant's own
// code and is shown to that tenant alone.
type Failure struct {
	Message string
	Type    string
}
