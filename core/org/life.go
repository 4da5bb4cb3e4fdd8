package org

import (
	"slices"
	"time"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// maxReasonLen is the longest reason for a suspension, in characters.
const maxReasonLen = 500

// Activate ends provisioning. It changes nothing, and says so, when the
// organization is active already: the step that calls it may run twice.
func (o *Org) Activate(now time.Time) (changed bool, err error) {
	if o.s.State == Active {
		return false, nil
	}
	if o.s.State != Provisioning {
		return false, ErrState
	}
	if err := o.move(Active, "", now); err != nil {
		return false, err
	}
	o.s.ActivatedAt = now
	return true, nil
}

// Fail ends provisioning with a reason that a person must look into.
func (o *Org) Fail(reason string, now time.Time) error {
	if o.s.State != Provisioning {
		return ErrState
	}
	return o.move(Failed, reason, now)
}

// Retry starts provisioning again after a failure.
func (o *Org) Retry(now time.Time) error { return o.move(Provisioning, "", now) }

// Suspend blocks the organization, reversibly, for a reason that its members
// see. It does not end a deletion. It fails with fault.ErrInvalid.
func (o *Org) Suspend(reason string, now time.Time) error {
	if err := text.Check("/reason", reason, maxReasonLen); err != nil {
		return err
	}
	switch {
	case o.s.ID == id.SystemOrg:
		return ErrReserved
	case o.s.State != Active:
		return ErrState
	}
	return o.move(Suspended, reason, now)
}

// Resume ends a suspension.
func (o *Org) Resume(now time.Time) error {
	if o.s.State != Suspended {
		return ErrState
	}
	return o.move(Active, "", now)
}

// Delete begins the organization's end: its keys stop, and until the grace is
// over it can be restored. It fails with ErrProtected.
func (o *Org) Delete(grace time.Duration, now time.Time) error {
	switch {
	case o.s.ID == id.SystemOrg:
		return ErrReserved
	case !slices.Contains(transitions[o.s.State], Deleting):
		return ErrState
	case o.s.DeletionProtected:
		return ErrProtected
	}
	o.s.DeleteAfter = now.Add(grace)
	return o.move(Deleting, "", now)
}

// Hasten ends the grace of a deletion now. It fails with ErrState when there is
// no grace to end.
func (o *Org) Hasten(now time.Time) error {
	if o.s.State != Deleting || o.s.DeleteAfter.IsZero() {
		return ErrState
	}
	if o.s.DeleteAfter.After(now) {
		o.s.DeleteAfter = now
		o.touch(now)
	}
	return nil
}

// EndGrace passes the point of no return, once the grace is over: from then on
// nobody restores the organization. It returns how long the grace still lasts,
// and changes nothing as long as it does, or when the point was passed before.
// It fails with ErrState for an organization that is not being deleted.
func (o *Org) EndGrace(now time.Time) (left time.Duration, err error) {
	switch {
	case o.s.State != Deleting:
		return 0, ErrState
	case o.s.DeleteAfter.IsZero():
		return 0, nil
	case o.s.DeleteAfter.After(now):
		return o.s.DeleteAfter.Sub(now), nil
	}
	o.s.DeleteAfter = time.Time{}
	o.touch(now)
	return 0, nil
}

// Undelete restores the organization inside the grace: as suspended, so that an
// operator looks at it before it works again, or as failed when its namespace
// was never usable, so that provisioning can be tried again. It fails with
// ErrGraceOver.
func (o *Org) Undelete(now time.Time) error {
	switch {
	case o.s.State != Deleting:
		return ErrState
	case !o.s.DeleteAfter.After(now): // the zero time, too
		return ErrGraceOver
	}
	o.s.DeleteAfter = time.Time{}
	if o.s.ActivatedAt.IsZero() {
		return o.move(Failed, "Restored from deletion before its namespace was ready.", now)
	}
	return o.move(Suspended, "Restored from deletion.", now)
}

// FailDeletion records why the deletion needs a person. It can be tried again.
func (o *Org) FailDeletion(reason string, now time.Time) error {
	if o.s.State != Deleting {
		return ErrState
	}
	o.s.StateReason = reason
	o.touch(now)
	return nil
}

// RetryDeletion starts the deletion again after a failure.
func (o *Org) RetryDeletion(now time.Time) error {
	if o.s.State != Deleting || o.s.StateReason == "" {
		return ErrState
	}
	o.s.StateReason = ""
	o.touch(now)
	return nil
}

// Bury ends the deletion: what is left is the tombstone, which keeps the slug,
// the identifier and the namespace's name from ever being used again. It
// changes nothing, and says so, for a tombstone.
func (o *Org) Bury(now time.Time) (changed bool, err error) {
	switch {
	case o.s.State == Deleted:
		return false, nil
	case o.s.State == Deleting && !o.s.DeleteAfter.IsZero():
		return false, ErrState // the grace is not over
	}
	if err := o.move(Deleted, "", now); err != nil {
		return false, err
	}
	o.s.Name, o.s.Metadata = o.s.Slug, nil
	return true, nil
}

func (o *Org) move(to State, reason string, now time.Time) error {
	if !slices.Contains(transitions[o.s.State], to) {
		return ErrState
	}
	o.s.State, o.s.StateReason = to, reason
	o.touch(now)
	return nil
}

func (o *Org) touch(now time.Time) {
	o.s.Version++
	o.s.UpdatedAt = now
}
