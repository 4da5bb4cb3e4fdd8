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

// keeper compares namespaces with their blueprints, and repairs them: for who asks, and
// for Bulkhead itself.
type keeper struct {
	store      ports.Store
	namespaces ports.Namespaces
	standard   namespace.Standard
	clock      ports.Clock
}

// hasNamespace tells whether an organization is to have its namespace: it was made, and
// is not on its way out.
func hasNamespace(row org.Org) bool {
	return row.ID() != id.SystemOrg && (row.State() == org.Active || row.State() == org.Suspended)
}

// blueprint returns what the namespace of an organization must be like.
func (k *keeper) blueprint(row org.Org) (namespace.Blueprint, error) {
	o := row.Snapshot()
	switch {
	case o.ID == id.SystemOrg:
		return namespace.Blueprint{}, org.ErrReserved
	case o.State == org.Deleted:
		return namespace.Blueprint{}, org.ErrState
	}
	b := k.standard.For(o.Namespace, o.ID, o.Settings.WorkflowRetention())
	if o.NamespaceAdopted {
		b = b.Over(o.Settings.WorkflowRetention() > 0)
	}
	return b, nil
}

func (k *keeper) view(ctx context.Context, b namespace.Blueprint) (View, error) {
	state, err := k.namespaces.State(ctx, b.Namespace)
	if err != nil {
		return View{}, err
	}
	return View{Name: b.Namespace, State: state.Seen(b.Owner), Drift: namespace.Diff(b, state)}, nil
}

// repair makes a namespace as it must be in all that can be repaired, and returns how
// it is then, and whether that took anything.
func (k *keeper) repair(ctx context.Context, by authz.Actor, b namespace.Blueprint) (View, bool, error) {
	before, err := k.view(ctx, b)
	if err != nil || !namespace.Repairable(before.Drift) {
		return before, false, err
	}
	// The request stands in the trail before anything is changed.
	if err := k.note(ctx, by, b.Owner, before); err != nil {
		return View{}, false, err
	}
	if err := k.namespaces.Reconcile(ctx, b); err != nil {
		return View{}, false, err
	}
	after, err := k.view(ctx, b)
	return after, true, err
}

// note puts into the trail what is about to be repaired.
func (k *keeper) note(ctx context.Context, by authz.Actor, o id.Org, v View) error {
	changes := map[string]audit.Change{}
	for _, d := range v.Drift {
		if d.Repairable {
			changes[d.Field] = audit.Change{Before: d.Have, After: d.Want}
		}
	}
	now := k.clock.Now()
	return k.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		return tx.Audit.Append(ctx, audit.Accepted(o, now, by, audit.NamespaceReconcileRequested, "namespace", v.Name, changes))
	})
}
