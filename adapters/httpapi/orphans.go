package httpapi

import (
	"context"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
)

// ListOrphanedNamespaces lists namespaces and organizations that are without each other.
func (h *handlers) ListOrphanedNamespaces(ctx context.Context, req gen.ListOrphanedNamespacesRequestObject) (gen.ListOrphanedNamespacesResponseObject, error) {
	l := h.listOf("listOrphanedNamespaces", id.Org{})
	asked, err := l.requestToken(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Namespaces.Orphans(ctx, actorOf(ctx), asked)
	if err != nil {
		return nil, err
	}
	return gen.ListOrphanedNamespaces200JSONResponse{Items: each(p.Items, toOrphan), NextCursor: l.nextToken(p.Next)}, nil
}

func toOrphan(o namespace.Orphan) gen.Orphan {
	out := gen.Orphan{Side: gen.OrphanSideNamespace, Namespace: o.Namespace, Reason: o.Reason.String(), Since: optional(o.Since), Repair: o.Repair}
	if o.ID == "" {
		out.Side = gen.OrphanSideOrganization
	}
	if !o.Organization.IsZero() {
		out.OrganizationID = optional(o.Organization.String())
	}
	return out
}

// DeleteOrphanedNamespace deletes a namespace that has no organization.
func (h *handlers) DeleteOrphanedNamespace(ctx context.Context, req gen.DeleteOrphanedNamespaceRequestObject) (gen.DeleteOrphanedNamespaceResponseObject, error) {
	if err := h.Namespaces.DeleteOrphan(ctx, actorOf(ctx), req.Namespace, req.Params.Confirm); err != nil {
		return nil, err
	}
	return gen.DeleteOrphanedNamespace204Response{}, nil
}
