package httpapi

import (
	"context"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/signing"
)

// GetWhoami shows who is asking.
func (h *handlers) GetWhoami(ctx context.Context, _ gen.GetWhoamiRequestObject) (gen.GetWhoamiResponseObject, error) {
	return gen.GetWhoami200JSONResponse(toActor(actorOf(ctx))), nil
}

// CreateToken exchanges the API key for a data-plane token, by default for the
// key's own organization.
func (h *handlers) CreateToken(ctx context.Context, req gen.CreateTokenRequestObject) (gen.CreateTokenResponseObject, error) {
	by := actorOf(ctx)
	org := by.Org()
	if req.Body.Organization != nil {
		var err error
		if _, org, err = h.organization(ctx, *req.Body.Organization); err != nil {
			return nil, err
		}
	}
	access, err := signing.ParseAccess(string(orZero(req.Body.Access)))
	if err != nil {
		return nil, err
	}
	t, err := h.Tokens.Exchange(ctx, by, org, access)
	if err != nil {
		return nil, err
	}
	return gen.CreateToken200JSONResponse{
		Body:    toToken(t, h.Config.TemporalAddress),
		Headers: gen.CreateToken200ResponseHeaders{CacheControl: noStoreValue},
	}, nil
}
