package workflow

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// The bounds of what a start may ask for beside its input.
const (
	MaxTaskTimeout = 2 * time.Minute // Temporal's own
	MaxDelay       = 365 * 24 * time.Hour
	MaxBackoff     = 100
	MaxAttempts    = 1_000_000
	MaxMemoBytes   = 16 * 1024 // names and values together
	maxMemoFields  = 32
	maxErrorTypes  = 32
)

// Reuse says whether an id may be used again whose execution has ended. The zero
// value is RejectDuplicate, so that starting the same twice starts it once; beside
// TerminateExisting it is AllowDuplicate.
type Reuse struct{ s string }

// The ways to treat an id that has run.
var (
	RejectDuplicate          = Reuse{"reject_duplicate"}
	AllowDuplicate           = Reuse{"allow_duplicate"}
	AllowDuplicateFailedOnly = Reuse{"allow_duplicate_failed_only"} // unless it has completed
)

// Reuses lists them all.
func Reuses() []Reuse { return []Reuse{RejectDuplicate, AllowDuplicate, AllowDuplicateFailedOnly} }

// String returns the name; "" for the zero value.
func (r Reuse) String() string { return r.s }

// ParseReuse reads a name; "" is the zero value.
func ParseReuse(s string) (Reuse, error) {
	if r := (Reuse{s}); s == "" || slices.Contains(Reuses(), r) {
		return r, nil
	}
	return Reuse{}, fault.InvalidField("/id_reuse_policy", "enum", "is no way to treat an id that has run")
}

// Conflict says what becomes of a start whose id is running. The zero value is
// FailOnConflict; beside a signal, which is for what runs, it is UseExisting.
type Conflict struct{ s string }

// The ways to treat an id that is running.
var (
	FailOnConflict    = Conflict{"fail"}
	UseExisting       = Conflict{"use_existing"}
	TerminateExisting = Conflict{"terminate_existing"}
)

// Conflicts lists them all.
func Conflicts() []Conflict { return []Conflict{FailOnConflict, UseExisting, TerminateExisting} }

// String returns the name; "" for the zero value.
func (c Conflict) String() string { return c.s }

// ParseConflict reads a name; "" is the zero value.
func ParseConflict(s string) (Conflict, error) {
	if c := (Conflict{s}); s == "" || slices.Contains(Conflicts(), c) {
		return c, nil
	}
	return Conflict{}, fault.InvalidField("/id_conflict_policy", "enum", "is no way to treat an id that is running")
}

// Policies returns how a start treats its id, with what the zero values stand for.
func (s Start) Policies() (Reuse, Conflict) {
	reuse, conflict := s.Reuse, s.Conflict
	if conflict == (Conflict{}) {
		if conflict = FailOnConflict; s.Signal != nil {
			conflict = UseExisting
		}
	}
	if reuse == (Reuse{}) {
		if reuse = RejectDuplicate; conflict == TerminateExisting {
			reuse = AllowDuplicate
		}
	}
	return reuse, conflict
}

// checkPolicies refuses what Temporal refuses, or makes no sense of.
func (s Start) checkPolicies() error {
	reuse, conflict := s.Policies()
	switch {
	case conflict == TerminateExisting && reuse == RejectDuplicate:
		return fault.InvalidField("/id_conflict_policy", "combination",
			"must not be terminate_existing when id_reuse_policy is reject_duplicate: the id would have run")
	case conflict == FailOnConflict && s.Signal != nil:
		return fault.InvalidField("/id_conflict_policy", "combination", "must not be fail beside a signal, which is for what runs")
	case s.Cron != "":
		return fault.InvalidField("/cron_schedule", "unsupported",
			"is not supported: create a schedule with it, by POST /api/v0/organizations/{org}/schedules")
	}
	return nil
}

// RetryPolicy says how an execution that fails is run again. What is zero is
// Temporal's to choose.
type RetryPolicy struct {
	InitialInterval    time.Duration // before the second run; zero: a second
	BackoffCoefficient float64       // by which each interval is longer than the one before; zero: 2
	MaximumInterval    time.Duration // zero: a hundred times the first
	MaximumAttempts    int32         // runs in all; zero: as many as it takes
	NonRetryableTypes  []string      // of failures after which it is not run again
}

// timeoutType begins the names of failures that are timeouts.
const timeoutType = "TemporalTimeout:"

var timeoutTypes = []string{"StartToClose", "ScheduleToStart", "ScheduleToClose", "Heartbeat"}

func (p RetryPolicy) check(pointer string) error {
	switch {
	case p.InitialInterval < 0 || p.InitialInterval > MaxTimeout:
		return fault.InvalidField(pointer+"/initial_interval_seconds", "range", "must be between 0 and ten years")
	case p.MaximumInterval < 0 || p.MaximumInterval > MaxTimeout:
		return fault.InvalidField(pointer+"/maximum_interval_seconds", "range", "must be between 0 and ten years")
	case p.MaximumInterval != 0 && p.MaximumInterval < max(p.InitialInterval, time.Second):
		return fault.InvalidField(pointer+"/maximum_interval_seconds", "range", "must not be less than initial_interval_seconds, which is 1 when absent")
	case p.BackoffCoefficient != 0 && !(p.BackoffCoefficient >= 1 && p.BackoffCoefficient <= MaxBackoff):
		return fault.InvalidField(pointer+"/backoff_coefficient", "range", "must be between 1 and 100")
	case p.MaximumAttempts < 0 || p.MaximumAttempts > MaxAttempts:
		return fault.InvalidField(pointer+"/maximum_attempts", "range", "must be between 0 and 1000000")
	case len(p.NonRetryableTypes) > maxErrorTypes:
		return fault.InvalidField(pointer+"/non_retryable_error_types", "max_items", "must have at most 32 items")
	}
	for _, t := range p.NonRetryableTypes {
		name, ofTimeout := strings.CutPrefix(t, timeoutType)
		if ofTimeout && !slices.Contains(timeoutTypes, name) {
			return fault.InvalidField(pointer+"/non_retryable_error_types", "format",
				"a timeout is one of TemporalTimeout:StartToClose, :ScheduleToStart, :ScheduleToClose and :Heartbeat")
		}
		if err := text.CheckIdentifier(pointer+"/non_retryable_error_types", t, MaxIDLen); err != nil {
			return err
		}
	}
	return nil
}

// Memo is what whoever starts an execution notes on it, each field any JSON. It is
// shown, and not searched.
type Memo map[string]json.RawMessage

// The fields of a memo that are Bulkhead's: who started the execution.
const (
	MemoActor = "actor"
	MemoUser  = "user"
)

func (m Memo) check() error {
	if len(m) > maxMemoFields {
		return fault.InvalidField("/memo", "max_properties", "must have at most 32 fields")
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(m)) { // the same answer to the same request
		if !memberName.MatchString(name) {
			return fault.InvalidField("/memo", "format", "a field's name must have 1 to 64 of the characters a-z, A-Z, 0-9, _, . and -")
		}
		if name == MemoActor || name == MemoUser {
			return fault.InvalidField("/memo/"+name, "reserved", "is Bulkhead's own: it says who started the workflow")
		}
		if string(m[name]) == "null" {
			return fault.InvalidField("/memo/"+name, "type", "must not be null, which Temporal does not keep")
		}
		size += len(name) + len(m[name])
	}
	if size > MaxMemoBytes {
		return fault.InvalidField("/memo", "max_size", "must have at most 16 KiB")
	}
	return nil
}
