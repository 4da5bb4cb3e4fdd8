// Package workflow says what a tenant may ask of its Temporal namespace. The
// namespace itself never stands here: it comes from the organization's row.
package workflow

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

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
	Reuse            Reuse
	Conflict         Conflict
	ExecutionTimeout time.Duration // of all runs together; zero: none
	RunTimeout       time.Duration // of one run; zero: none
	TaskTimeout      time.Duration // of one workflow task; zero: Temporal's
	Delay            time.Duration // of the first task; a signal ends it
	Retry            *RetryPolicy  // nil: an execution that fails is not run again
	Memo             Memo
	Attributes       Attributes
	// Request names the request, for Temporal to know it again; zero: the dispatcher
	// chooses.
	Request uuid.UUID
	// Cron is there to be refused: a schedule does it, and can be paused and changed.
	Cron string
	// Signal goes to the new execution or, when one runs under the id and is not to
	// be terminated, to that one.
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
	if err := s.checkTimes(); err != nil {
		return err
	}
	if err := s.checkOptions(); err != nil {
		return err
	}
	if s.Signal != nil {
		if err := s.Signal.validateAt("/signal"); err != nil {
			return err
		}
	}
	return checkInput("/input", s.Input)
}

// checkTimes bounds how long a start may let everything take.
func (s Start) checkTimes() error {
	for _, t := range []struct {
		pointer string
		d, most time.Duration
		detail  string
	}{
		{"/execution_timeout_seconds", s.ExecutionTimeout, MaxTimeout, "must be between 0 and ten years"},
		{"/run_timeout_seconds", s.RunTimeout, MaxTimeout, "must be between 0 and ten years"},
		{"/task_timeout_seconds", s.TaskTimeout, MaxTaskTimeout, "must be between 0 and two minutes"},
		{"/start_delay_seconds", s.Delay, MaxDelay, "must be between 0 and a year"},
	} {
		if t.d < 0 || t.d > t.most {
			return fault.InvalidField(t.pointer, "range", t.detail)
		}
	}
	return nil
}

// checkOptions checks what a start asks for beside its input and times.
func (s Start) checkOptions() error {
	if err := s.checkPolicies(); err != nil {
		return err
	}
	if s.Retry != nil {
		if err := s.Retry.check("/retry_policy"); err != nil {
			return err
		}
	}
	if err := s.Memo.check(); err != nil {
		return err
	}
	return s.Attributes.check()
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
	Joined    bool      // by the start that it answers: it was there before
	Details   *Details  // nil where executions are listed, and for one that was just started
}

// Details are what is shown of one execution that is looked at.
type Details struct {
	StartedBy        Starter
	Memo             Memo
	Attributes       Attributes
	ExecutionTimeout time.Duration // zero: none
	RunTimeout       time.Duration // zero: none
	TaskTimeout      time.Duration
	Parent           Target // the execution whose child it is; zero: none
	FirstRunID       string // of the chain that runs again, continuations and resets make
}

// Starter is who started an execution through Bulkhead. What the tenant's own code
// started, a child for instance, has none. A tenant that has data-plane tokens can
// write anything here: the audit trail is the proof.
type Starter struct{ APIKey, User string }

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
