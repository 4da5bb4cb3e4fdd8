// Package operation is the visible side of long work: what it is doing, how far
// it has come, and why it stopped.
package operation

import (
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// The faults of operations.
var (
	// ErrState is returned for a step of an operation that has ended.
	ErrState = fault.Define(fault.Conflict, "operation.state", "The operation has ended.")
	// ErrNotRetryable is returned for another attempt that makes no sense.
	ErrNotRetryable = fault.Define(fault.Conflict, "operation.not_retryable",
		"The operation can not be tried again: it has not failed, or another attempt was made since.")
)

// Kind is the sort of work.
type Kind struct{ name string }

// The kinds of work.
var (
	// ProvisionOrganization prepares an organization's namespace.
	ProvisionOrganization = Kind{"organization.provision"}
	// DeleteOrganization takes an organization away, after a time of grace.
	DeleteOrganization = Kind{"organization.delete"}
	// PauseSchedules pauses all of an organization's schedules, and ResumeSchedules lets
	// exactly those go on. Of the two there is one open at most: the later one ends it.
	PauseSchedules  = Kind{"schedules.pause"}
	ResumeSchedules = Kind{"schedules.resume"}
)

// OfSchedules returns the kinds of work that is done to all of an organization's schedules.
func OfSchedules() []Kind { return []Kind{PauseSchedules, ResumeSchedules} }

// OfSchedules tells whether the work is done to all of an organization's schedules.
func (k Kind) OfSchedules() bool { return k == PauseSchedules || k == ResumeSchedules }

// String returns the kind's name.
func (k Kind) String() string { return k.name }

// ParseKind reads a stored kind.
func ParseKind(s string) (Kind, bool) {
	k := Kind{s}
	return k, k == ProvisionOrganization || k == DeleteOrganization || k.OfSchedules()
}

// State is how the work stands. The zero value is no state.
type State struct{ s string }

// The states.
var (
	Pending   = State{"pending"} // accepted, not yet begun
	Running   = State{"running"}
	Succeeded = State{"succeeded"}
	Failed    = State{"failed"}
	Canceled  = State{"canceled"} // overtaken by another decision
)

// ParseState reads a stored state.
func ParseState(s string) (State, bool) {
	st := State{s}
	return st, st == Pending || st == Running || st == Succeeded || st == Failed || st == Canceled
}

// String returns the state's name.
func (s State) String() string { return s.s }

// Ended tells whether the work is over.
func (s State) Ended() bool { return s == Succeeded || s == Failed || s == Canceled }

// Step is a stage that an operation has completed.
type Step struct{ name string }

// String returns the step's name.
func (s Step) String() string { return s.name }

// ParseStep reads a stored step; "" is the zero Step.
func ParseStep(s string) Step { return Step{s} }

// The steps of ProvisionOrganization, in their order.
var (
	NamespaceRegistered   = Step{"namespace_registered"}
	SearchAttributesAdded = Step{"search_attributes_added"}
	NamespaceUsable       = Step{"namespace_usable"}
	OrganizationActivated = Step{"organization_activated"}
)

// The steps of DeleteOrganization, in their order.
var (
	GraceEnded          = Step{"grace_ended"} // from here on nothing restores the organization
	ProvisioningStopped = Step{"provisioning_stopped"}
	NamespaceDeleted    = Step{"namespace_deleted"}
	NamespaceReclaimed  = Step{"namespace_reclaimed"} // Temporal has removed all that was in it
	// NamespaceNotDeleted stands in place of the two: it was never the organization's.
	NamespaceNotDeleted = Step{"namespace_not_deleted"}
	DataPurged          = Step{"data_purged"}
	OrganizationDeleted = Step{"organization_deleted"}
)

// The steps of PauseSchedules, in their order, and that of ResumeSchedules.
var (
	SchedulesFound   = Step{"schedules_found"} // those that were made at Temporal, too
	SchedulesPaused  = Step{"schedules_paused"}
	SchedulesResumed = Step{"schedules_resumed"}
)

// Operation is a piece of long work.
type Operation struct{ s Snapshot }

// Snapshot is an operation's data with named fields, to store it and to show it.
type Snapshot struct {
	ID          id.Operation
	OrgID       id.Org
	Kind        Kind
	State       State
	Step        Step         // the last one completed
	Attempts    int          // of the step that is under way, counting from 1
	Failure     string       // why the last attempt failed, or why it was canceled, for people
	FailureCode string       // of the fault that Failure is the text of; "": none
	RetryOf     id.Operation // the one that this is another attempt at; zero: none
	Note        string       // what whoever asked for it has said, or what it has left undone, for people
	CreatedAt   time.Time
	UpdatedAt   time.Time
	FinishedAt  time.Time // zero: not ended
}

// New returns an operation that is yet to begin.
func New(i id.Operation, org id.Org, kind Kind, now time.Time) Operation {
	return Operation{Snapshot{ID: i, OrgID: org, Kind: kind, State: Pending, CreatedAt: now, UpdatedAt: now}}
}

// Annotate gives the operation its note, in place of one that it has.
func (o *Operation) Annotate(note string) { o.s.Note = note }

// Again returns another attempt at what this operation failed to do. It is an
// operation of its own: the end of this one stays on record. It fails with
// ErrNotRetryable unless this one has ended without success. That no other
// attempt was made is for the thing itself to say.
func (o *Operation) Again(i id.Operation, now time.Time) (Operation, error) {
	if !o.Retryable() {
		return Operation{}, ErrNotRetryable
	}
	next := New(i, o.s.OrgID, o.s.Kind, now)
	next.s.RetryOf, next.s.Note = o.s.ID, o.s.Note
	return next, nil
}

// Retryable tells whether the operation has ended without success.
func (o *Operation) Retryable() bool { return o.s.State == Failed || o.s.State == Canceled }

// Restore returns a stored operation.
func Restore(s Snapshot) Operation { return Operation{s} }

// Snapshot returns the operation's data.
func (o *Operation) Snapshot() Snapshot { return o.s }

// Complete records that a step is done. Recording a step again is harmless.
func (o *Operation) Complete(step Step, now time.Time) error {
	if o.s.State.Ended() {
		return ErrState
	}
	o.s.State, o.s.Step, o.s.Attempts, o.s.UpdatedAt = Running, step, 0, now
	o.blame(nil)
	return nil
}

// blame records the fault that is in the way; nil is none. Of it the code and the
// public text are kept, and never the cause.
func (o *Operation) blame(f *fault.Error) {
	o.s.Failure, o.s.FailureCode = "", ""
	if f != nil {
		o.s.Failure, o.s.FailureCode = f.Public, f.Code
	}
}

// Stumble records a failed attempt that will be repeated.
func (o *Operation) Stumble(attempt int, f *fault.Error, now time.Time) error {
	if o.s.State.Ended() {
		return ErrState
	}
	o.s.State, o.s.Attempts, o.s.UpdatedAt = Running, attempt, now
	o.blame(f)
	return nil
}

// Undelivered records a failed attempt to hand the work over to who does it, which will
// be repeated. It changes nothing when the work has begun.
func (o *Operation) Undelivered(attempt int, f *fault.Error, now time.Time) {
	if o.s.State == Pending {
		o.s.Attempts, o.s.UpdatedAt = attempt, now
		o.blame(f)
	}
}

// Delivered forgets the attempts that came before the work was handed over. It changes
// nothing when the work has begun.
func (o *Operation) Delivered(now time.Time) {
	if o.s.State == Pending && o.s.Attempts > 0 {
		o.s.Attempts, o.s.UpdatedAt = 0, now
		o.blame(nil)
	}
}

// Succeed ends the operation well, with its last step.
func (o *Operation) Succeed(step Step, now time.Time) error {
	if err := o.Complete(step, now); err != nil {
		return err
	}
	o.s.State, o.s.FinishedAt = Succeeded, now
	return nil
}

// Fail ends the operation for good.
func (o *Operation) Fail(f *fault.Error, now time.Time) error {
	if o.s.State.Ended() {
		return ErrState
	}
	o.s.State, o.s.UpdatedAt, o.s.FinishedAt = Failed, now, now
	o.blame(f)
	return nil
}

// Cancel ends the operation because of another decision, which the reason names
// for people. It is public, and no fault.
func (o *Operation) Cancel(reason string, now time.Time) error {
	if o.s.State.Ended() {
		return ErrState
	}
	o.s.State, o.s.Failure, o.s.FailureCode, o.s.UpdatedAt, o.s.FinishedAt = Canceled, reason, "", now, now
	return nil
}
