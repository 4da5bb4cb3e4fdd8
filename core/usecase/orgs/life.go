package orgs

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/ports"
)

// UpdateInput is a change of an organization; nil leaves as it is.
type UpdateInput struct {
	Name              *string
	Slug              *string
	Metadata          *org.Metadata // replaces all of it
	Settings          *org.Settings // replaces all of them
	AllowList         *org.AllowList
	DeletionProtected *bool
	WorkerPool        *string

	Version int64 // that the change is meant for; 0: any
}

// Update changes an organization. The slug is for operators to change, as whether
// another has it is not for a tenant to know, and so is the pool, as a tenant does not
// choose whose machines it runs on. It fails with fault.ErrStale,
// org.ErrSlugTaken, org.ErrState, and with fault.ErrInvalid for a broken rule. The
// namespace follows a changed retention, when the change has happened.
func (s *Service) Update(ctx context.Context, by authz.Actor, o id.Org, in UpdateInput) (org.Org, error) {
	if err := by.Require(authz.OrganizationsUpdate, o); err != nil {
		return org.Org{}, err
	}
	change := org.Change{Name: in.Name, Metadata: in.Metadata, Settings: in.Settings, AllowList: in.AllowList, DeletionProtected: in.DeletionProtected, WorkerPool: in.WorkerPool}
	if in.Slug != nil || in.WorkerPool != nil {
		if err := by.RequirePlatform(authz.OrganizationsUpdate); err != nil {
			return org.Org{}, err
		}
	}
	if in.Slug != nil {
		slug, err := org.ParseSlug(*in.Slug)
		if err != nil {
			return org.Org{}, err
		}
		change.Slug = &slug
	}
	now := s.clock.Now()
	review, err := outbox.NewNamespace(o, now)
	if err != nil {
		return org.Org{}, err
	}
	var result org.Org
	err = s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		var before org.Snapshot
		changed := false
		err := tx.Orgs.Update(ctx, func(row *org.Org) (err error) {
			before = row.Snapshot()
			if err := fault.CheckVersion(before.Version, in.Version); err != nil {
				return err
			}
			if in.Settings != nil && by.RequirePlatform(authz.OrganizationsUpdate) != nil {
				if err := in.Settings.NeedsOperator(before.Settings); err != nil {
					return err
				}
			}
			changed, err = row.Apply(change, now)
			result = *row
			return err
		})
		if err == nil && in.AllowList != nil {
			err = checkRoles(ctx, tx, *in.AllowList)
		}
		if err != nil || !changed {
			return err
		}
		after := result.Snapshot()
		if err := tx.Audit.Append(ctx, audit.Accepted(o, now, by, audit.OrganizationUpdated, resource, o.String(),
			differences(before, after))); err != nil {
			return err
		}
		if before.Settings.WorkflowRetention() == after.Settings.WorkflowRetention() {
			return nil
		}
		return tx.Outbox.Append(ctx, review)
	})
	if err != nil {
		return org.Org{}, err
	}
	return result, nil
}

// Suspend blocks an organization, reversibly: its keys stop working, nobody gets
// a token for its namespace, no worker is assigned to it, and its schedules are
// paused. For operators. It
// fails with org.ErrState, org.ErrReserved, and with fault.ErrInvalid.
func (s *Service) Suspend(ctx context.Context, by authz.Actor, o id.Org, reason string) (org.Org, error) {
	return s.move(ctx, by, o, authz.OrganizationsSuspend, audit.OrganizationSuspended,
		func(row *org.Org, now time.Time) error { return row.Suspend(reason, now) })
}

// Resume ends a suspension, and gives back exactly what it took. For operators.
// It fails with org.ErrState.
func (s *Service) Resume(ctx context.Context, by authz.Actor, o id.Org) (org.Org, error) {
	return s.move(ctx, by, o, authz.OrganizationsSuspend, audit.OrganizationResumed, (*org.Org).Resume)
}

// move makes an operator's change of whether an organization works. Its schedules
// follow, when the change has happened.
func (s *Service) move(ctx context.Context, by authz.Actor, o id.Org, p authz.Permission, a audit.Action, to func(*org.Org, time.Time) error) (org.Org, error) {
	if err := requireOperator(by, p, o); err != nil {
		return org.Org{}, err
	}
	now := s.clock.Now()
	msg, err := outbox.NewSchedules(o, now)
	if err != nil {
		return org.Org{}, err
	}
	var result org.Org
	err = s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		var before org.Snapshot
		if err := tx.Orgs.Update(ctx, func(row *org.Org) error {
			before = row.Snapshot()
			err := to(row, now)
			result = *row
			return err
		}); err != nil {
			return err
		}
		if err := tx.Audit.Append(ctx, audit.Accepted(o, now, by, a, resource, o.String(), moved(before, result.Snapshot()))); err != nil {
			return err
		}
		return tx.Outbox.Append(ctx, msg)
	})
	if err != nil {
		return org.Org{}, err
	}
	return result, nil
}

// requireOperator fails unless the actor is an operator who may do p. To others
// the organization is what it always is: their own, or nothing.
func requireOperator(by authz.Actor, p authz.Permission, o id.Org) error {
	if err := by.Require(p, o); err != nil {
		return err
	}
	return by.RequirePlatform(p)
}

// DeleteInput confirms a deletion.
type DeleteInput struct {
	Confirm string // the organization's slug
	Now     bool   // without a grace, or to its end; for operators
	Version int64  // that the deletion is meant for; 0: any
}

// Deletion is a deletion that has begun.
type Deletion struct {
	Org       org.Org
	Operation operation.Operation
}

// Delete begins the deletion of an organization: its keys stop at once, and when
// the grace is over a workflow takes the rest. An operator can do without the
// grace, also when it has begun. It fails with org.ErrProtected, org.ErrReserved,
// org.ErrState, fault.ErrStale, and with fault.ErrInvalid when it is not confirmed.
func (s *Service) Delete(ctx context.Context, by authz.Actor, o id.Org, in DeleteInput) (Deletion, error) {
	if err := by.Require(authz.OrganizationsDelete, o); err != nil {
		return Deletion{}, err
	}
	if in.Now {
		if err := by.RequirePlatform(authz.OrganizationsRestore); err != nil {
			return Deletion{}, err
		}
	}
	now := s.clock.Now()
	msg, err := outbox.NewDeletion(o, now)
	if err != nil {
		return Deletion{}, err
	}
	pause, err := outbox.NewSchedules(o, now)
	if err != nil {
		return Deletion{}, err
	}
	var d Deletion
	err = s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		d = Deletion{Operation: operation.New(id.New[id.OperationKind](), o, operation.DeleteOrganization, now)}
		var before org.Snapshot
		if err := tx.Orgs.Update(ctx, func(row *org.Org) error {
			before = row.Snapshot()
			err := begin(row, in, now)
			d.Org = *row
			return err
		}); err != nil {
			return err
		}
		action := audit.OrganizationDeletionRequested
		begun := func() error { return s.begun(ctx, tx, d.Operation, now) }
		if before.State == org.Deleting {
			action = audit.OrganizationDeletionHastened
			begun = func() error {
				return tx.Operations.UpdateOpen(ctx, operation.DeleteOrganization, func(op *operation.Operation) error {
					d.Operation = *op
					return nil
				})
			}
		}
		if err := begun(); err != nil {
			return err
		}
		changes := moved(before, d.Org.Snapshot())
		note(changes, "delete_after", before.DeleteAfter, d.Org.Snapshot().DeleteAfter)
		if err := tx.Audit.Append(ctx, audit.Accepted(o, now, by, action, resource, o.String(), changes)); err != nil {
			return err
		}
		if err := tx.Outbox.Append(ctx, msg); err != nil || in.Now {
			return err // without a grace the namespace goes, with all that is in it
		}
		return tx.Outbox.Append(ctx, pause)
	})
	if err != nil {
		return Deletion{}, err
	}
	return d, nil
}

// begin checks what a deletion needs and begins it, or ends the grace of one.
func begin(row *org.Org, in DeleteInput, now time.Time) error {
	s := row.Snapshot()
	if err := fault.CheckVersion(s.Version, in.Version); err != nil {
		return err
	}
	if in.Confirm != s.Slug {
		return fault.InvalidField("confirm", "match", "must be the organization's slug")
	}
	switch {
	case in.Now && s.State == org.Deleting:
		return row.Hasten(now)
	case in.Now:
		return row.Delete(0, now)
	}
	return row.Delete(s.Settings.DeletionGrace(), now)
}

// begun stores the operation of a deletion, and ends all others: their steps find the
// organization in another state, and do nothing more.
func (*Service) begun(ctx context.Context, tx ports.Tx, op operation.Operation, now time.Time) error {
	for _, k := range append(operation.OfSchedules(), operation.ProvisionOrganization) {
		err := tx.Operations.UpdateOpen(ctx, k, func(p *operation.Operation) error {
			return p.Cancel("The organization is being deleted.", now)
		})
		if err != nil && !fault.IsKind(err, fault.NotFound) {
			return err
		}
	}
	return tx.Operations.Insert(ctx, op)
}

// Restore takes a deletion back inside its grace. For operators. It fails with
// org.ErrGraceOver and org.ErrState.
func (s *Service) Restore(ctx context.Context, by authz.Actor, o id.Org) (org.Org, error) {
	if err := requireOperator(by, authz.OrganizationsRestore, o); err != nil {
		return org.Org{}, err
	}
	now := s.clock.Now()
	msg, err := outbox.NewDeletion(o, now)
	if err != nil {
		return org.Org{}, err
	}
	var result org.Org
	err = s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		var before org.Snapshot
		if err := tx.Orgs.Update(ctx, func(row *org.Org) error {
			before = row.Snapshot()
			err := row.Undelete(now)
			result = *row
			return err
		}); err != nil {
			return err
		}
		if err := tx.Operations.UpdateOpen(ctx, operation.DeleteOrganization, func(op *operation.Operation) error {
			return op.Cancel("The organization was restored.", now)
		}); err != nil {
			return err
		}
		if err := tx.Audit.Append(ctx, audit.Accepted(o, now, by, audit.OrganizationRestored, resource, o.String(), moved(before, result.Snapshot()))); err != nil {
			return err
		}
		return tx.Outbox.Append(ctx, msg)
	})
	if err != nil {
		return org.Org{}, err
	}
	return result, nil
}
