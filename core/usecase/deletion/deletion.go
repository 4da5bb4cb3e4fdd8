// Package deletion holds the steps that take an organization away. A durable
// workflow calls them, in order and again after any failure, so each may be
// repeated at any time.
package deletion

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/ports"
)

// purgeBatch is how many rows of a table are removed in one transaction: a large
// organization is no reason to hold locks for long, and what was removed stays so.
const purgeBatch = 1000

// Service holds the steps.
type Service struct {
	store        ports.Store
	namespaces   ports.Namespaces
	schedules    ports.Schedules
	orchestrator ports.Orchestrator
	clock        ports.Clock
}

// New returns the service.
func New(store ports.Store, namespaces ports.Namespaces, schedules ports.Schedules, orchestrator ports.Orchestrator, clock ports.Clock) *Service {
	return &Service{store: store, namespaces: namespaces, schedules: schedules, orchestrator: orchestrator, clock: clock}
}

// Plan is what is to be done about a deletion now.
type Plan struct {
	Over bool          // nothing: it was restored, has failed, or is done
	Wait time.Duration // until the grace is over
}

// Plan looks at how the deletion stands. When the grace is over it passes the
// point of no return, from which on nobody restores the organization: that the
// steps may begin is true for ever once it was said.
func (s *Service) Plan(ctx context.Context, p outbox.DeletionPayload) (Plan, error) {
	now := s.clock.Now()
	var plan Plan
	err := s.store.WriteTx(ctx, p.Organization, func(ctx context.Context, tx ports.Tx) error {
		plan = Plan{}
		err := tx.Orgs.Update(ctx, func(o *org.Org) (err error) {
			if o.State() != org.Deleting || o.Snapshot().StateReason != "" {
				plan.Over = true
				return nil
			}
			plan.Wait, err = o.EndGrace(now)
			return err
		})
		if err != nil || plan.Over || plan.Wait > 0 {
			return err
		}
		return tx.Operations.UpdateOpen(ctx, operation.DeleteOrganization, func(op *operation.Operation) error {
			if op.Snapshot().Step != (operation.Step{}) {
				return nil // it is farther already
			}
			return op.Complete(operation.GraceEnded, now)
		})
	})
	if err != nil {
		return Plan{}, err
	}
	return plan, nil
}

// StopProvisioning waits until no provisioning of the organization runs any more:
// one that had just begun to register the namespace would leave it behind. It
// ends by itself, since its organization is in another state.
func (s *Service) StopProvisioning(ctx context.Context, p outbox.DeletionPayload, attempt int) error {
	return s.step(ctx, p, attempt, func(o org.Snapshot) (operation.Step, error) {
		return operation.ProvisioningStopped, s.orchestrator.ProvisioningEnded(ctx, o.ID)
	})
}

// DeleteNamespace deletes the organization's namespace, and its schedules before: what
// one of them started while Temporal removes all that has run would keep it busy for
// minutes. One that never was the organization's is left as it is. It fails with
// ports.ErrNamespaceForeign for one that was, and is not any more.
func (s *Service) DeleteNamespace(ctx context.Context, p outbox.DeletionPayload, attempt int) error {
	return s.step(ctx, p, attempt, func(o org.Snapshot) (operation.Step, error) {
		standing, removal, err := s.removal(ctx, o)
		if err != nil || removal == namespace.Keep {
			return operation.NamespaceNotDeleted, err
		}
		if standing == namespace.Own {
			if err := s.schedules.DeleteAll(ctx, o.Namespace); err != nil {
				return operation.Step{}, err
			}
		}
		return operation.NamespaceDeleted, s.namespaces.Delete(ctx, o.Namespace, o.ID)
	})
}

// removal returns what is done about the namespace of the organization's name, and how
// that stands to it. It fails with ports.ErrNamespaceForeign when a person must look.
func (s *Service) removal(ctx context.Context, o org.Snapshot) (namespace.Standing, namespace.Removal, error) {
	state, err := s.namespaces.State(ctx, o.Namespace)
	if err != nil {
		return namespace.Standing{}, namespace.Removal{}, err
	}
	standing := state.Standing(o.ID)
	removal := standing.Removal(!o.ActivatedAt.IsZero())
	if removal == namespace.Refuse {
		return standing, removal, ports.ErrNamespaceForeign
	}
	return standing, removal, nil
}

// AwaitReclaim waits until Temporal has removed all that was in the namespace. It
// asks for the deletion again each time: one that Temporal lost would be waited
// for in vain.
func (s *Service) AwaitReclaim(ctx context.Context, p outbox.DeletionPayload, attempt int) error {
	return s.step(ctx, p, attempt, func(o org.Snapshot) (operation.Step, error) {
		_, removal, err := s.removal(ctx, o)
		if err != nil || removal == namespace.Keep {
			return operation.NamespaceNotDeleted, err
		}
		if err := s.namespaces.Delete(ctx, o.Namespace, o.ID); err != nil {
			return operation.Step{}, err
		}
		return operation.NamespaceReclaimed, s.namespaces.Gone(ctx, o.Namespace, o.ID)
	})
}

// Purge removes the organization's rows.
func (s *Service) Purge(ctx context.Context, p outbox.DeletionPayload, attempt int) error {
	return s.step(ctx, p, attempt, func(org.Snapshot) (operation.Step, error) {
		for {
			var removed int64
			err := s.store.WriteTx(ctx, p.Organization, func(ctx context.Context, tx ports.Tx) (err error) {
				removed, err = tx.Orgs.Purge(ctx, purgeBatch)
				return err
			})
			if err != nil || removed == 0 {
				return operation.DataPurged, err
			}
		}
	})
}

// step runs one step's effect for an organization that is past the point of no
// return, and records on the operation which step was done, or why none was.
func (s *Service) step(ctx context.Context, p outbox.DeletionPayload, attempt int, effect func(org.Snapshot) (operation.Step, error)) error {
	row, err := s.store.Reads(p.Organization).Org(ctx)
	if err != nil {
		return err
	}
	o := row.Snapshot()
	if o.State == org.Deleted {
		return nil
	}
	if o.State != org.Deleting || !o.DeleteAfter.IsZero() {
		return org.ErrState
	}
	done, failure := effect(o)
	err = s.store.WriteTx(ctx, p.Organization, func(ctx context.Context, tx ports.Tx) error {
		if failure != nil {
			return tx.Operations.UpdateOpen(ctx, operation.DeleteOrganization, func(op *operation.Operation) error {
				return op.Stumble(attempt, fault.From(failure), s.clock.Now())
			})
		}
		return s.complete(ctx, tx, o, done)
	})
	if failure != nil {
		return failure // that it could not be recorded matters less
	}
	return err
}

// complete records that a step is done. That the namespace of its name was not deleted
// stands on the operation for good, and once in the trail: who looks for it there finds
// that it was never the organization's.
func (s *Service) complete(ctx context.Context, tx ports.Tx, o org.Snapshot, done operation.Step) error {
	now, again := s.clock.Now(), false
	err := tx.Operations.UpdateOpen(ctx, operation.DeleteOrganization, func(op *operation.Operation) error {
		again = op.Snapshot().Step == done
		switch done {
		case operation.NamespaceDeleted:
			op.Annotate("") // what an attempt before this one has said
		case operation.NamespaceNotDeleted:
			op.Annotate("The namespace " + o.Namespace + " was not deleted: it is not this organization's.")
		}
		return op.Complete(done, now)
	})
	if err != nil || again || done != operation.NamespaceNotDeleted {
		return err
	}
	return tx.Audit.Append(ctx, audit.Accepted(o.ID, now, authz.Remover, audit.NamespaceNotDeleted, "namespace", o.Namespace,
		map[string]audit.Change{"reason": audit.Created(ports.ErrNamespaceForeign.Public)}))
}

// Finish leaves the tombstone and ends the operation, in one transaction. Doing
// so again changes nothing.
func (s *Service) Finish(ctx context.Context, p outbox.DeletionPayload, _ int) error {
	now := s.clock.Now()
	return s.store.WriteTx(ctx, p.Organization, func(ctx context.Context, tx ports.Tx) error {
		changed := false
		err := tx.Orgs.Update(ctx, func(o *org.Org) (err error) {
			if !o.Snapshot().DeleteAfter.IsZero() {
				return org.ErrState
			}
			if o.State() == org.Deleting {
				// The row is held: what was still being written to the organization is
				// either there now, or will not be.
				if err := purgeAll(ctx, tx); err != nil {
					return err
				}
			}
			changed, err = o.Bury(now)
			return err
		})
		if err != nil || !changed {
			return err
		}
		if err := tx.Operations.UpdateOpen(ctx, operation.DeleteOrganization, func(op *operation.Operation) error {
			return op.Succeed(operation.OrganizationDeleted, now)
		}); err != nil {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(p.Organization, now, authz.Remover, audit.OrganizationDeleted,
			"organization", p.Organization.String(),
			map[string]audit.Change{"state": {Before: org.Deleting.String(), After: org.Deleted.String()}}))
	})
}

func purgeAll(ctx context.Context, tx ports.Tx) error {
	for {
		removed, err := tx.Orgs.Purge(ctx, purgeBatch)
		if err != nil || removed == 0 {
			return err
		}
	}
}

// Fail records that the deletion met something that repeating does not mend. Of
// the cause only its code and public text are kept.
func (s *Service) Fail(ctx context.Context, p outbox.DeletionPayload, cause error) error {
	now := s.clock.Now()
	because := fault.From(cause)
	return s.store.WriteTx(ctx, p.Organization, func(ctx context.Context, tx ports.Tx) error {
		changed := false
		err := tx.Orgs.Update(ctx, func(o *org.Org) error {
			if o.State() != org.Deleting || o.Snapshot().StateReason != "" {
				return nil // restored, done, or recorded before
			}
			changed = true
			return o.FailDeletion(because.Public, now)
		})
		if err != nil || !changed {
			return err
		}
		if err := tx.Operations.UpdateOpen(ctx, operation.DeleteOrganization, func(op *operation.Operation) error {
			return op.Fail(because, now)
		}); err != nil {
			return err
		}
		e := audit.Accepted(p.Organization, now, authz.Remover, audit.OrganizationDeletionFailed,
			"organization", p.Organization.String(), map[string]audit.Change{"reason": audit.Created(because.Public)})
		e.Outcome = audit.Errored
		return tx.Audit.Append(ctx, e)
	})
}
