package httpapi

import (
	"context"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
)

// allowListThing is what the tag of an allow-list is one of: it has the version of
// its organization, and no other thing's tag is good for it.
const allowListThing = "allow-list"

// GetAllowList shows which workflows each role may start.
func (h *handlers) GetAllowList(ctx context.Context, req gen.GetAllowListRequestObject) (gen.GetAllowListResponseObject, error) {
	by, o, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	d, err := h.Orgs.Get(ctx, by, o)
	if err != nil {
		return nil, err
	}
	return gen.GetAllowList200JSONResponse{AllowListJSONResponse: h.toAllowList(d.Org)}, nil
}

// SetAllowList replaces the rules of which workflows each role may start.
func (h *handlers) SetAllowList(ctx context.Context, req gen.SetAllowListRequestObject) (gen.SetAllowListResponseObject, error) {
	by, o, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	version, err := h.ifMatch(req.Params.IfMatch, o, allowListThing)
	if err != nil {
		return nil, err
	}
	rules := org.AllowList(each(req.Body.Rules, fromAllowRule))
	row, err := h.Orgs.Update(ctx, by, o, orgs.UpdateInput{AllowList: &rules, Version: version})
	if err != nil {
		return nil, err
	}
	return gen.SetAllowList200JSONResponse{AllowListJSONResponse: h.toAllowList(row)}, nil
}

func (h *handlers) toAllowList(o org.Org) gen.AllowListJSONResponse {
	s := o.Snapshot()
	tag := h.etag(s.ID, allowListThing, s.Version)
	return gen.AllowListJSONResponse{
		Body:    gen.AllowList{Rules: each(s.Settings.AllowList, toAllowRule), Etag: tag},
		Headers: gen.AllowListResponseHeaders{ETag: tag},
	}
}

func toAllowRule(r org.AllowRule) gen.AllowRule {
	return gen.AllowRule{Role: r.Role, WorkflowTypes: list(r.WorkflowTypes), TaskQueues: list(r.TaskQueues)}
}

func fromAllowRule(r gen.AllowRule) org.AllowRule {
	return org.AllowRule{Role: r.Role, WorkflowTypes: orZero(r.WorkflowTypes), TaskQueues: orZero(r.TaskQueues)}
}
