// Package namespaces shows how an organization's Temporal namespace is, and repairs
// it where it is not as it must be.
package namespaces

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Service looks after namespaces, for who asks.
type Service struct {
	finder
	dispatcher ports.Dispatcher
	schedules  ports.Schedules
}

// New returns the service. standard is for organizations that have decided nothing.
func New(
	store ports.Store, platform ports.Platform, namespaces ports.Namespaces, dispatcher ports.Dispatcher, schedules ports.Schedules,
	standard namespace.Standard, clock ports.Clock,
) *Service {
	return &Service{
		finder:     finder{&keeper{store: store, namespaces: namespaces, standard: standard, clock: clock}, platform},
		dispatcher: dispatcher, schedules: schedules,
	}
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
	if !hasNamespace(row) {
		return View{}, org.ErrState
	}
	v, _, err := s.repair(ctx, by, b)
	return v, err
}
