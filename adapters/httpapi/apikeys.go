package httpapi

import (
	"context"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
)

// noStoreValue is what every answer says of caches by itself; those that hold a
// secret say it again, as their contract does, so that no later change of the
// default takes it from them.
var noStoreValue = noStore[0]

// CreateAPIKey creates an API key. Its secret leaves the process here, and
// nowhere else.
func (h *handlers) CreateAPIKey(ctx context.Context, req gen.CreateAPIKeyRequestObject) (gen.CreateAPIKeyResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	in := apikeys.CreateInput{Name: req.Body.Name, Scopes: orZero(req.Body.Scopes), ExpiresAt: orZero(req.Body.ExpiresAt)}
	if req.Body.UserID != nil {
		if in.UserID, err = parseID[id.UserKind]("/user_id", *req.Body.UserID); err != nil {
			return nil, err
		}
	}
	k, secret, err := h.APIKeys.Create(ctx, by, org, in)
	if err != nil {
		return nil, err
	}
	location := organizationsPath + org.String() + apiKeysPath + k.Snapshot().ID.String()
	return gen.CreateAPIKey201JSONResponse{
		Body:    gen.APIKeyCreated{APIKey: toAPIKey(k), Secret: secret.Reveal()},
		Headers: gen.CreateAPIKey201ResponseHeaders{Location: location, CacheControl: noStoreValue},
	}, nil
}

// ListAPIKeys lists the API keys of an organization.
func (h *handlers) ListAPIKeys(ctx context.Context, req gen.ListAPIKeysRequestObject) (gen.ListAPIKeysResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	l := h.listOf("listAPIKeys", org)
	asked, err := l.request(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.APIKeys.List(ctx, by, org, asked)
	if err != nil {
		return nil, err
	}
	return gen.ListAPIKeys200JSONResponse{Items: each(p.Items, toAPIKey), NextCursor: l.next(p.Next)}, nil
}

// GetAPIKey shows an API key.
func (h *handlers) GetAPIKey(ctx context.Context, req gen.GetAPIKeyRequestObject) (gen.GetAPIKeyResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	i, err := parseID[id.APIKeyKind]("api_key", req.APIKey)
	if err != nil {
		return nil, err
	}
	k, err := h.APIKeys.Get(ctx, by, org, i)
	if err != nil {
		return nil, err
	}
	return gen.GetAPIKey200JSONResponse(toAPIKey(k)), nil
}

// RevokeAPIKey revokes an API key.
func (h *handlers) RevokeAPIKey(ctx context.Context, req gen.RevokeAPIKeyRequestObject) (gen.RevokeAPIKeyResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	i, err := parseID[id.APIKeyKind]("api_key", req.APIKey)
	if err != nil {
		return nil, err
	}
	k, err := h.APIKeys.Revoke(ctx, by, org, i)
	if err != nil {
		return nil, err
	}
	return gen.RevokeAPIKey200JSONResponse(toAPIKey(k)), nil
}
