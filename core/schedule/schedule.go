// Package schedule says when a tenant wants which workflow started again and
// again. The schedules themselves are Temporal's, in the tenant's own namespace,
// which never stands here: it comes from the organization's row.
package schedule

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// The faults of schedules.
var (
	ErrExists    = fault.Define(fault.Conflict, "schedule.exists", "A schedule with this id exists.")
	ErrNotFound  = fault.ErrNotFound // foreign, absent and deleted are one answer
	ErrBackfills = fault.Define(fault.Conflict, "schedule.backfills_running",
		"Too many backfills of this schedule are running. Wait for some to end.").After(10 * time.Second)
	// ErrSomeLeft is why work on all schedules is not done, or was given up. Of each of
	// them the log has more.
	ErrSomeLeft = fault.Define(fault.Conflict, "schedule.some_left",
		"Temporal refuses to pause some of the schedules, or to let them go on.")
	// ErrOff is returned where Temporal's configuration allows no schedules.
	ErrOff = fault.Define(fault.Conflict, "schedule.off",
		"Schedules are switched off at Temporal. An operator must set frontend.enableSchedules in its dynamic configuration.")
)

// The bounds of a schedule.
const (
	MaxIDLen       = 200 // bytes: Temporal puts more around it
	MaxNameLen     = 255 // bytes, of a type and a task queue
	MaxInputBytes  = 128 * 1024
	MaxTimeout     = 10 * 365 * 24 * time.Hour
	MaxNoteLen     = 500 // characters
	MinCatchup     = 10 * time.Second
	DefaultCatchup = 365 * 24 * time.Hour
)

// Schedule is what is wanted.
type Schedule struct {
	ID     string
	Spec   Spec
	Action Action
	Policy Policy
	Paused bool
	Note   string // why it is paused, or goes on; for people
}

// Action is the workflow that each time of the schedule starts. Its id is the prefix
// and the time.
type Action struct {
	IDPrefix         string // "": the schedule's id
	Type             string
	TaskQueue        string
	Input            []json.RawMessage // the arguments, in order
	ExecutionTimeout time.Duration     // zero: none
	RunTimeout       time.Duration     // zero: none
}

// Policy says what happens when things do not go by the clock.
type Policy struct {
	Overlap        Overlap       // the zero one is Skip
	Catchup        time.Duration // how late a start may be made up for after an outage; zero: DefaultCatchup
	PauseOnFailure bool
}

// Overlap says what becomes of a start while the one before still runs.
type Overlap struct{ s string }

// The overlaps.
var (
	Skip           = Overlap{"skip"}
	BufferOne      = Overlap{"buffer_one"}
	BufferAll      = Overlap{"buffer_all"}
	CancelOther    = Overlap{"cancel_other"}
	TerminateOther = Overlap{"terminate_other"}
	AllowAll       = Overlap{"allow_all"}
)

// Overlaps lists them all.
func Overlaps() []Overlap {
	return []Overlap{Skip, BufferOne, BufferAll, CancelOther, TerminateOther, AllowAll}
}

// String returns the name; "" for the zero value.
func (o Overlap) String() string { return o.s }

// ParseOverlap reads a name; "" is the zero value.
func ParseOverlap(pointer, s string) (Overlap, error) {
	if s == "" {
		return Overlap{}, nil
	}
	for _, o := range Overlaps() {
		if o.s == s {
			return o, nil
		}
	}
	return Overlap{}, fault.InvalidField(pointer, "enum", "is no way to treat an overlap")
}

// Validate checks all of it. It fails with fault.ErrInvalid.
func (s Schedule) Validate() error {
	if err := text.CheckIdentifier("/schedule_id", s.ID, MaxIDLen); err != nil {
		return err
	}
	if s.ID == "." || s.ID == ".." {
		return fault.InvalidField("/schedule_id", "reserved", "would be taken for a step in a path")
	}
	if err := s.Spec.Validate(); err != nil {
		return err
	}
	if err := s.Action.Validate(); err != nil {
		return err
	}
	if err := s.Policy.Validate(); err != nil {
		return err
	}
	return CheckNote(s.Note)
}

// Validate checks the action. It fails with fault.ErrInvalid.
func (a Action) Validate() error {
	if a.IDPrefix != "" {
		if err := text.CheckIdentifier("/action/workflow_id_prefix", a.IDPrefix, MaxIDLen); err != nil {
			return err
		}
	}
	if err := text.CheckIdentifier("/action/type", a.Type, MaxNameLen); err != nil {
		return err
	}
	if err := text.CheckIdentifier("/action/task_queue", a.TaskQueue, MaxNameLen); err != nil {
		return err
	}
	if a.ExecutionTimeout < 0 || a.ExecutionTimeout > MaxTimeout {
		return fault.InvalidField("/action/execution_timeout_seconds", "range", "must be between 0 and ten years")
	}
	if a.RunTimeout < 0 || a.RunTimeout > MaxTimeout {
		return fault.InvalidField("/action/run_timeout_seconds", "range", "must be between 0 and ten years")
	}
	n := 0
	for _, v := range a.Input {
		n += len(v)
	}
	if n > MaxInputBytes {
		return fault.InvalidField("/action/input", "max_size", "must have at most 128 KiB")
	}
	return nil
}

// Validate checks the policy. It fails with fault.ErrInvalid.
func (p Policy) Validate() error {
	if p.Catchup != 0 && (p.Catchup < MinCatchup || p.Catchup > DefaultCatchup) {
		return fault.InvalidField("/policy/catchup_window_seconds", "range", "must be between ten seconds and a year")
	}
	return nil
}

// CheckNote checks a note that somebody gives; "" is none. It may hold no hold's mark:
// whoever could write one would have a schedule let go on that others have paused. It
// fails with fault.ErrInvalid.
func CheckNote(note string) error {
	if note == "" {
		return nil
	}
	if strings.Contains(strings.ToLower(note), beginMark) {
		return fault.InvalidField("/note", "reserved", "must not hold a mark of Bulkhead's own: "+beginMark)
	}
	return text.Check("/note", note, MaxNoteLen)
}

// CheckID checks a schedule's id that stands in a path. An id that can not exist is
// simply not found.
func CheckID(s string) error {
	if text.CheckIdentifier("", s, MaxIDLen) != nil {
		return ErrNotFound
	}
	return nil
}

// Change is a change of a schedule; what is nil stays, and the rest is replaced as a
// whole.
type Change struct {
	Spec   *Spec
	Action *Action
	Policy *Policy
}

// Validate checks the change. It fails with fault.ErrInvalid.
func (c Change) Validate() error {
	if c == (Change{}) {
		return fault.InvalidField("", "required", "names nothing to change")
	}
	if c.Spec != nil {
		if err := c.Spec.Validate(); err != nil {
			return err
		}
	}
	if c.Action != nil {
		if err := c.Action.Validate(); err != nil {
			return err
		}
	}
	if c.Policy != nil {
		return c.Policy.Validate()
	}
	return nil
}

// The bounds of a backfill.
const (
	MaxBackfillSpan = 366 * 24 * time.Hour
	MaxBackfillRuns = 500
)

// Backfill asks for the starts that a schedule would have made, both ends included.
type Backfill struct {
	From, To time.Time
	Overlap  Overlap // the zero one is the schedule's own
}

// ErrBackfillSize refuses a backfill that would start too much.
var ErrBackfillSize = fault.InvalidField("/end_at", "max_runs", "would start more than 500 workflows; ask for a part of it")

// Validate checks the backfill against the present time. It fails with
// fault.ErrInvalid.
func (b Backfill) Validate(now time.Time) error {
	switch {
	case b.From.IsZero():
		return fault.InvalidField("/start_at", "required", "is required")
	case b.To.IsZero():
		return fault.InvalidField("/end_at", "required", "is required")
	case b.To.Before(b.From):
		return fault.InvalidField("/end_at", "order", "must not be before start_at")
	case b.To.After(now):
		return fault.InvalidField("/end_at", "past", "must not be in the future")
	case b.To.Sub(b.From) > MaxBackfillSpan:
		return fault.InvalidField("/end_at", "max_span", "must be at most a year after start_at")
	}
	return nil
}

// Status is a schedule as it stands.
type Status struct {
	Schedule
	Version   int64       // grows with every change, and with every pause; never zero
	Next      []time.Time // when it starts next, a few of them; none while it is paused for good
	Recent    []Run       // what it started last, oldest first
	CreatedAt time.Time
	UpdatedAt time.Time // zero: never
}

// Run is a workflow that a schedule has started.
type Run struct {
	ScheduledAt time.Time
	StartedAt   time.Time
	WorkflowID  string
	RunID       string
}

// Summary is a schedule as a list shows it: a moment late, perhaps.
type Summary struct {
	ID     string
	Type   string // of the workflow
	Paused bool
	Note   string
	Next   []time.Time
	Recent []Run
}
