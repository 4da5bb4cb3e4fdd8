package httpapi

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/usecase/namespaces"
)

// GetNamespace shows an organization's namespace as it is at Temporal.
func (h *handlers) GetNamespace(ctx context.Context, req gen.GetNamespaceRequestObject) (gen.GetNamespaceResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	v, err := h.Namespaces.Get(ctx, by, org)
	if err != nil {
		return nil, err
	}
	return gen.GetNamespace200JSONResponse{NamespaceJSONResponse: gen.NamespaceJSONResponse(toNamespace(v))}, nil
}

// ReconcileNamespace repairs an organization's namespace.
func (h *handlers) ReconcileNamespace(ctx context.Context, req gen.ReconcileNamespaceRequestObject) (gen.ReconcileNamespaceResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	v, err := h.Namespaces.Reconcile(ctx, by, org)
	if err != nil {
		return nil, err
	}
	return gen.ReconcileNamespace200JSONResponse{NamespaceJSONResponse: gen.NamespaceJSONResponse(toNamespace(v))}, nil
}

func toNamespace(v namespaces.View) gen.Namespace {
	attributes := v.State.Attributes
	if attributes == nil {
		attributes = map[string]string{}
	}
	return gen.Namespace{
		Name: v.Name, Status: gen.NamespaceStatus(v.State.Status.String()), Description: optional(v.State.Description),
		RetentionSeconds: optional(int64(v.State.Retention / time.Second)), SearchAttributes: attributes, Archival: v.State.Archival,
		Drift: each(v.Drift, toDifference),
	}
}

func toDifference(d namespace.Difference) gen.NamespaceDifference {
	return gen.NamespaceDifference{Field: d.Field, Want: d.Want, Have: d.Have, Repairable: d.Repairable, Repair: optional(d.Repair)}
}

// ExamineOrganization proves that an organization works.
func (h *handlers) ExamineOrganization(ctx context.Context, req gen.ExamineOrganizationRequestObject) (gen.ExamineOrganizationResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	checks, err := h.Namespaces.Examine(ctx, by, org, orZero(req.Body.TaskQueues))
	if err != nil {
		return nil, err
	}
	return gen.ExamineOrganization200JSONResponse{Healthy: namespace.Healthy(checks), Checks: each(checks, toCheck)}, nil
}

func toCheck(c namespace.Check) gen.ExaminationCheck {
	return gen.ExaminationCheck{
		Name: c.Name, Status: gen.ExaminationCheckStatus(c.Verdict.String()), Detail: c.Detail, Repair: optional(c.Repair),
		DurationMs: c.Duration.Milliseconds(),
	}
}
