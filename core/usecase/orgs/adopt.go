package orgs

import (
	"context"
	"errors"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/ports"
)

// adoptable fails unless the namespace that an organization is to adopt is there to be
// adopted. Provisioning looks again when it takes it: this is for whoever asks, who is
// told at once.
func (s *Service) adoptable(ctx context.Context, o org.Snapshot) error {
	if !o.NamespaceAdopted {
		return nil
	}
	state, err := s.namespaces.State(ctx, o.Namespace)
	switch {
	case err != nil:
		return err
	case state.Status != namespace.Registered:
		return ports.ErrNamespaceUnregistered
	case !state.AdoptableBy(o.ID):
		return ports.ErrNamespaceForeign
	}
	return nil
}

// taken tells an identifier that is in use from a namespace that another organization
// has, be it a deleted one: the database says no more than that something is.
func (s *Service) taken(ctx context.Context, o org.Snapshot, failure error) error {
	if !o.NamespaceAdopted || !errors.Is(failure, org.ErrIDTaken) {
		return failure
	}
	_, err := s.platform.Org(ctx, o.ID)
	switch {
	case fault.IsKind(err, fault.NotFound):
		return org.ErrNamespaceTaken
	case err != nil:
		return err
	}
	return failure
}
