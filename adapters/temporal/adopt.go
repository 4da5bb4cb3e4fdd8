package temporal

import (
	"context"
	"fmt"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/ports"
)

// adopt makes a namespace that is there the owner's, and like its blueprint. Temporal
// offers no change that fails when somebody else was faster, so the tag is read again:
// of two who adopt one namespace at the same time at most one goes on.
func (n *Namespaces) adopt(ctx context.Context, b namespace.Blueprint) error {
	if b.Namespace == n.conn.cfg.SystemNamespace || b.Namespace == clusterScope {
		return ports.ErrNamespaceForeign.Because(fmt.Errorf("namespace %s is the deployment's own", b.Namespace))
	}
	found, err := n.describe(ctx, b.Namespace)
	switch {
	case fault.IsKind(err, fault.NotFound):
		return ports.ErrNamespaceUnregistered.Because(err)
	case err != nil:
		return err
	}
	s := toState(found)
	switch {
	case s.Status != namespace.Registered:
		return ports.ErrNamespaceUnregistered.Because(fmt.Errorf("namespace %s is %v", b.Namespace, s.Status))
	case !s.AdoptableBy(b.Owner):
		return foreign(b.Namespace, s)
	}
	if s.Standing(b.Owner) == namespace.Nobodys {
		s.Owner = b.Owner.String() // what differs but for that
		s.Tagged = false
	}
	if err := n.update(ctx, b, s); err != nil {
		return err
	}
	if found, err = n.describe(ctx, b.Namespace); err != nil {
		return err
	}
	return owned(b.Namespace, b.Owner, toState(found))
}
