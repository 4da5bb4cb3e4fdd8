// Package namespaces shows how an organization's Temporal namespace is, and repairs
// it where it is not as it must be.
package namespaces

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Service looks after namespaces.
type Service struct {
	store      ports.Store
	namespaces ports.Namespaces
	dispatcher ports.Dispatcher
	schedules  ports.Schedules
	standard   namespace.Standard
	clock      ports.Clock
}

// New returns the service. standard is for organizations that have decided nothing.
func New(
	store ports.Store, namespaces ports.Namespaces, dispatcher ports.Dispatcher, schedules ports.Schedules, standard namespace.Standard, clock ports.Clock,
) *Service {
	return &Service{store: store, namespaces: namespaces, dispatcher: dispatcher, schedules: schedules, standard: standard, clock: clock}
}

// View is a namespace as it is at Temporal, and in what it is not as it must be.
type View struct {
	Name  string
	State namespace.State // of a foreign one, no more than that it is
	Drift []namespace.Difference
}

// Get shows an organization's namespace. It fails with org.ErrReserved for that of
// Bulkhead itself, and with org.ErrState for an organization that is gone.
func (s *Service) Get(ctx context.Context, by authz.Actor, o id.Org) (View, error) {
	if err := by.Require(authz.OrganizationsRead, o); err != nil {
		return View{}, err
	}
	row, err := s.store.Reads(o).Org(ctx)
	if err != nil {
		return View{}, err
	}
	b, err := s.blueprint(row)
	if err != nil {
		return View{}, err
	}
	return s.view(ctx, b)
}

// Reconcile repairs an organization's namespace in all that can be repaired, and
// shows it then: what is left takes a person, and says so. To do it again changes
// nothing. It fails with org.ErrReserved, and with org.ErrState for an organization
// whose namespace is not ready, or on its way out.
func (s *Service) Reconcile(ctx context.Context, by authz.Actor, o id.Org) (View, error) {
	if err := by.Require(authz.OrganizationsUpdate, o); err != nil {
		return View{}, err
	}
	row, err := s.store.Reads(o).Org(ctx)
	if err != nil {
		return View{}, err
	}
	b, err := s.blueprint(row)
	if err != nil {
		return View{}, err
	}
	if row.State() != org.Active && row.State() != org.Suspended {
		return View{}, org.ErrState
	}
	before, err := s.view(ctx, b)
	if err != nil || !namespace.Repairable(before.Drift) {
		return before, err
	}
	// The request stands in the trail before anything is changed.
	if err := s.note(ctx, by, o, before); err != nil {
		return View{}, err
	}
	if err := s.namespaces.Reconcile(ctx, b); err != nil {
		return View{}, err
	}
	return s.view(ctx, b)
}

// blueprint returns what the namespace of an organization must be like.
func (s *Service) blueprint(row org.Org) (namespace.Blueprint, error) {
	o := row.Snapshot()
	switch {
	case o.ID == id.SystemOrg:
		return namespace.Blueprint{}, org.ErrReserved
	case o.State == org.Deleted:
		return namespace.Blueprint{}, org.ErrState
	}
	return s.standard.For(o.Namespace, o.ID, o.Settings.WorkflowRetention()), nil
}

func (s *Service) view(ctx context.Context, b namespace.Blueprint) (View, error) {
	state, err := s.namespaces.State(ctx, b.Namespace)
	if err != nil {
		return View{}, err
	}
	return View{Name: b.Namespace, State: state.Seen(b.Owner), Drift: namespace.Diff(b, state)}, nil
}

// note puts into the trail what is about to be repaired.
func (s *Service) note(ctx context.Context, by authz.Actor, o id.Org, v View) error {
	changes := map[string]audit.Change{}
	for _, d := range v.Drift {
		if d.Repairable {
			changes[d.Field] = audit.Change{Before: d.Have, After: d.Want}
		}
	}
	now := s.clock.Now()
	return s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		return tx.Audit.Append(ctx, audit.Succeeds(o, now, by, audit.NamespaceReconcileRequested, "namespace", v.Name, changes))
	})
}
