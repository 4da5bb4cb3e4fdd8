package namespaces

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/ports"
)

// finder finds namespaces without an organization, and organizations without their
// namespace. Neither is told of what is just being made or deleted, whatever happens
// between two looks: who is to have the other side is asked again after it was missed.
type finder struct {
	*keeper
	platform ports.Platform
}

// ofNamespace tells whether a namespace that was found is an orphan. An organization's
// row is committed before its namespace is registered: that of a namespace which was
// found is there to be read.
func (f finder) ofNamespace(ctx context.Context, found namespace.Found) (namespace.Orphan, bool, error) {
	if !found.State.Tagged {
		return namespace.Orphan{}, false, nil // it is nobody's of ours
	}
	owner, reason, since, err := f.bereft(ctx, found)
	if err != nil || reason == (namespace.Reason{}) {
		return namespace.Orphan{}, false, err
	}
	// The organization may have been deleted since, and its namespace before it.
	now, err := f.namespaces.State(ctx, found.Name)
	if err != nil || now.ID != found.State.ID || now.Owner != found.State.Owner || now.Status == namespace.Deleted {
		return namespace.Orphan{}, false, err
	}
	return namespace.OrphanOf(found, owner, reason, since), true, nil
}

// bereft returns whom the tag of a namespace names, why no organization stands behind
// it, and since when, as far as that is known. The zero reason is that one does, or that
// other work with it is under way.
func (f finder) bereft(ctx context.Context, found namespace.Found) (id.Org, namespace.Reason, time.Time, error) {
	owner, malformed := id.Parse[id.OrgKind](found.State.Owner)
	if malformed != nil {
		return id.Org{}, namespace.OrganizationUnknown, time.Time{}, nil //nolint:nilerr // a tag that is no identifier names nobody
	}
	row, err := f.platform.Org(ctx, owner)
	switch {
	case fault.IsKind(err, fault.NotFound):
		return owner, namespace.OrganizationUnknown, time.Time{}, nil
	case err != nil:
		return id.Org{}, namespace.Reason{}, time.Time{}, err
	case row.State() == org.Deleted:
		return owner, namespace.OrganizationDeleted, row.Snapshot().UpdatedAt, nil
	case row.Namespace() != found.Name: // that name is set once, whatever is done with it
		return owner, namespace.OtherNamespace, time.Time{}, nil
	}
	return owner, namespace.Reason{}, time.Time{}, nil
}

// ofOrganization tells whether an organization is without its namespace, which it was
// found to have in the given state.
func (f finder) ofOrganization(ctx context.Context, b namespace.Blueprint, s namespace.State) (namespace.Orphan, bool, error) {
	orphan, missing := namespace.Missing(b, s)
	if !missing {
		return namespace.Orphan{}, false, nil
	}
	row, err := f.platform.Org(ctx, b.Owner) // its deletion may have begun since
	if err != nil || !hasNamespace(row) {
		return namespace.Orphan{}, false, err
	}
	return orphan, true, nil
}
