package httpapi

import (
	"context"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/usecase/roles"
)

// platformResource is the platform as a whole where an organization can stand. One
// of that slug is named by its id.
const platformResource = "platform"

// ExplainAccess tells why somebody may or may not do something.
func (h *handlers) ExplainAccess(ctx context.Context, req gen.ExplainAccessRequestObject) (gen.ExplainAccessResponseObject, error) {
	by := actorOf(ctx)
	q := roles.Question{Actor: orZero(req.Params.Actor)}
	var err error
	if q.IP, err = parseIP("ip", req.Params.IP); err != nil {
		return nil, err
	}
	if req.Params.Resource != platformResource {
		if q.Resource, err = h.Orgs.Resolve(ctx, by, req.Params.Resource); err != nil {
			return nil, err
		}
	}
	if q.Action, err = authz.ParsePermission(req.Params.Action); err != nil {
		return nil, fault.InvalidField("action", "enum", "must be a permission of the catalogue")
	}
	e, err := h.Roles.Explain(ctx, by, q)
	if err != nil {
		return nil, err
	}
	return gen.ExplainAccess200JSONResponse{
		Allowed: e.Err == nil, DecidedBy: gen.ExplanationDecidedBy(e.Ground), Reason: e.Reason, Permission: optional(authz.Lack(e.Err).String()),
		Role: e.Role.String(), Scopes: e.Scopes.Names(), TemporalPermission: optional(e.Temporal),
		States: gen.ExplanationStates{
			APIKey: optional(e.States.Key.String()), User: optional(e.States.User.String()),
			Organization: e.States.Organization.String(), Resource: optional(e.States.Resource.String()),
		},
	}, nil
}
