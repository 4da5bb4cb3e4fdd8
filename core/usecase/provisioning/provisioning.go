// Package provisioning holds the steps that give an organization its namespace.
// A durable workflow calls them, in order and again after any failure, so each
// may be repeated at any time.
package provisioning

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Service holds the steps.
type Service struct {
	store      ports.Store
	namespaces ports.Namespaces
	clock      ports.Clock
	standard   namespace.Standard
}

// New returns the service. standard is for organizations that have decided nothing.
func New(store ports.Store, namespaces ports.Namespaces, clock ports.Clock, standard namespace.Standard) *Service {
	return &Service{store: store, namespaces: namespaces, clock: clock, standard: standard}
}

// EnsureNamespace registers the organization's namespace, or adopts it. It fails with
// ports.ErrNamespaceForeign and ports.ErrNamespaceUnregistered.
func (s *Service) EnsureNamespace(ctx context.Context, p outbox.ProvisionPayload, attempt int) error {
	return s.step(ctx, p, attempt, operation.NamespaceRegistered, func(o org.Snapshot) error {
		b := s.standard.For(o.Namespace, o.ID, o.Settings.WorkflowRetention())
		if o.NamespaceAdopted {
			b = b.Over(o.Settings.WorkflowRetention() > 0)
		}
		return s.namespaces.Ensure(ctx, b)
	})
}

// EnsureSearchAttributes adds the search attributes that starts carry.
func (s *Service) EnsureSearchAttributes(ctx context.Context, p outbox.ProvisionPayload, attempt int) error {
	return s.step(ctx, p, attempt, operation.SearchAttributesAdded, func(o org.Snapshot) error {
		return s.namespaces.EnsureSearchAttributes(ctx, o.Namespace)
	})
}

// Probe checks that workflows can be started in the namespace.
func (s *Service) Probe(ctx context.Context, p outbox.ProvisionPayload, attempt int) error {
	return s.step(ctx, p, attempt, operation.NamespaceUsable, func(o org.Snapshot) error {
		return s.namespaces.Probe(ctx, o.Namespace)
	})
}

// step runs one step's effect for an organization that still needs it, and
// records on the operation that it was done, or why it was not.
func (s *Service) step(ctx context.Context, p outbox.ProvisionPayload, attempt int, done operation.Step, effect func(org.Snapshot) error) error {
	o, err := s.store.Reads(p.Organization).Org(ctx)
	if err != nil {
		return err
	}
	if o.State() == org.Active {
		return nil
	}
	if o.State() != org.Provisioning {
		return org.ErrState
	}
	failure := effect(o.Snapshot())
	record := func(op *operation.Operation) error { return op.Complete(done, s.clock.Now()) }
	if failure != nil {
		record = func(op *operation.Operation) error {
			return op.Stumble(attempt, fault.From(failure), s.clock.Now())
		}
	}
	err = s.store.WriteTx(ctx, p.Organization, func(ctx context.Context, tx ports.Tx) error {
		return tx.Operations.Update(ctx, p.Operation, record)
	})
	if failure != nil {
		return failure // that it could not be recorded matters less
	}
	return err
}

// Activate makes the organization active and ends the operation, in one
// transaction. Doing so again changes nothing. The probe is removed then, when nobody waits
// for that any more: Temporal lists what was started late.
func (s *Service) Activate(ctx context.Context, p outbox.ProvisionPayload, _ int) error {
	namespace, err := s.activate(ctx, p)
	if err == nil {
		_ = s.namespaces.ForgetProbe(ctx, namespace) // nor does it matter to provisioning
	}
	return err
}

// activate returns the organization's namespace.
func (s *Service) activate(ctx context.Context, p outbox.ProvisionPayload) (namespace string, err error) {
	now := s.clock.Now()
	err = s.store.WriteTx(ctx, p.Organization, func(ctx context.Context, tx ports.Tx) error {
		changed := false
		err := tx.Orgs.Update(ctx, func(o *org.Org) (err error) {
			changed, err = o.Activate(now)
			namespace = o.Namespace()
			return err
		})
		if err != nil || !changed {
			return err
		}
		if err := tx.Operations.Update(ctx, p.Operation, func(op *operation.Operation) error {
			return op.Succeed(operation.OrganizationActivated, now)
		}); err != nil {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(p.Organization, now, authz.Provisioner, audit.OrganizationActivated,
			"organization", p.Organization.String(),
			map[string]audit.Change{"state": {Before: org.Provisioning.String(), After: org.Active.String()}}))
	})
	return namespace, err
}

// Fail records that provisioning met something that repeating does not mend. Of
// the cause only its code and public text are kept. A deletion that came in between has
// ended the operation already.
func (s *Service) Fail(ctx context.Context, p outbox.ProvisionPayload, cause error) error {
	now := s.clock.Now()
	because := fault.From(cause)
	return s.store.WriteTx(ctx, p.Organization, func(ctx context.Context, tx ports.Tx) error {
		changed := false
		err := tx.Orgs.Update(ctx, func(o *org.Org) error {
			if o.State() != org.Provisioning {
				return nil // recorded before
			}
			changed = true
			return o.Fail(because.Public, now)
		})
		if err != nil || !changed {
			return err
		}
		if err := tx.Operations.Update(ctx, p.Operation, func(op *operation.Operation) error {
			return op.Fail(because, now)
		}); err != nil {
			return err
		}
		e := audit.Accepted(p.Organization, now, authz.Provisioner, audit.OrganizationProvisioningFailed,
			"organization", p.Organization.String(), map[string]audit.Change{"reason": audit.Created(because.Public)})
		e.Outcome = audit.Errored
		return tx.Audit.Append(ctx, e)
	})
}
