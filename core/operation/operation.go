// Package operation is the visible side of long work: what it is doing, how far
// it has come, and why it stopped.
package operation

import (
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// ErrState is returned for a step of an operation that has ended.
var ErrState = fault.Define(fault.Conflict, "operation.state", "The operation has ended.")

// Kind is the sort of work.
type Kind struct{ name string }

// ProvisionOrganization prepares an organization's namespace.
var ProvisionOrganization = Kind{"organization.provision"}

// String returns the kind's name.
func (k Kind) String() string { return k.name }

// ParseKind reads a stored kind.
func ParseKind(s string) (Kind, bool) {
	k := Kind{s}
	return k, k == ProvisionOrganization
}

// State is how the work stands. The zero value is no state.
type State struct{ s string }

// The states.
var (
	Pending   = State{"pending"} // accepted, not yet begun
	Running   = State{"running"}
	Succeeded = State{"succeeded"}
	Failed    = State{"failed"}
)

// ParseState reads a stored state.
func ParseState(s string) (State, bool) {
	st := State{s}
	return st, st == Pending || st == Running || st == Succeeded || st == Failed
}

// String returns the state's name.
func (s State) String() string { return s.s }

// Ended tells whether the work is over.
func (s State) Ended() bool { return s == Succeeded || s == Failed }

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

// Operation is a piece of long work.
type Operation struct{ s Snapshot }

// Snapshot is an operation's data with named fields, to store it and to show it.
type Snapshot struct {
	ID         id.Operation
	OrgID      id.Org
	Kind       Kind
	State      State
	Step       Step // the last one completed
	Attempts   int  // of the step that is under way, counting from 1
	Failure    string
	CreatedAt  time.Time
	UpdatedAt  time.Time
	FinishedAt time.Time // zero: not ended
}

// New returns an operation that is yet to begin.
func New(i id.Operation, org id.Org, kind Kind, now time.Time) Operation {
	return Operation{Snapshot{ID: i, OrgID: org, Kind: kind, State: Pending, CreatedAt: now, UpdatedAt: now}}
}

// Restore returns a stored operation.
func Restore(s Snapshot) Operation { return Operation{s} }

// Snapshot returns the operation's data.
func (o *Operation) Snapshot() Snapshot { return o.s }

// Complete records that a step is done. Recording a step again is harmless.
func (o *Operation) Complete(step Step, now time.Time) error {
	if o.s.State.Ended() {
		return ErrState
	}
	o.s.State, o.s.Step, o.s.Attempts, o.s.Failure, o.s.UpdatedAt = Running, step, 0, "", now
	return nil
}

// Stumble records a failed attempt that will be repeated. The reason is for
// people, and public.
func (o *Operation) Stumble(attempt int, reason string, now time.Time) error {
	if o.s.State.Ended() {
		return ErrState
	}
	o.s.State, o.s.Attempts, o.s.Failure, o.s.UpdatedAt = Running, attempt, reason, now
	return nil
}

// Succeed ends the operation well, with its last step.
func (o *Operation) Succeed(step Step, now time.Time) error {
	if err := o.Complete(step, now); err != nil {
		return err
	}
	o.s.State, o.s.FinishedAt = Succeeded, now
	return nil
}

// Fail ends the operation for good. The reason is for people, and public.
func (o *Operation) Fail(reason string, now time.Time) error {
	if o.s.State.Ended() {
		return ErrState
	}
	o.s.State, o.s.Failure, o.s.UpdatedAt, o.s.FinishedAt = Failed, reason, now, now
	return nil
}
