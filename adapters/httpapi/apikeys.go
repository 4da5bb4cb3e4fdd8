package httpapi

import (
	"context"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
)

// noStoreValue is what every answer says of caches by itself; those that hold a
// secret say it again, as their contract does, so that no later change of the
// default takes it from them.
var noStoreValue = noStore[0]

// apiKey returns who is asking, and the organization and the key that a path
// names for them.
func (h *handlers) apiKey(ctx context.Context, org, key string) (authz.Actor, id.Org, id.APIKey, error) {
	by, o, err := h.organization(ctx, org)
	if err != nil {
		return authz.Actor{}, id.Org{}, id.APIKey{}, err
	}
	k, err := parseID[id.APIKeyKind]("api_key", key)
	return by, o, k, err
}

func (h *handlers) toAPIKey(k apikey.Key) gen.APIKey { return h.toAPIKeys()(k) }

func (h *handlers) apiKeyTag(k apikey.Key) string {
	s := k.Snapshot()
	return h.etag(s.OrgID, s.ID.String(), s.Version)
}

// CreateAPIKey creates an API key. Its secret leaves the process here and from
// RotateAPIKey, and nowhere else.
func (h *handlers) CreateAPIKey(ctx context.Context, req gen.CreateAPIKeyRequestObject) (gen.CreateAPIKeyResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	in := apikeys.CreateInput{
		Name: req.Body.Name, Description: orZero(req.Body.Description), Scopes: orZero(req.Body.Scopes),
		AllowedIPs: orZero(req.Body.AllowedIPs), Metadata: orZero(req.Body.Metadata),
		Limits: toKeyLimits(orZero(req.Body.Limits)), ExpiresAt: req.Body.ExpiresAt,
	}
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
		Body:    gen.APIKeyCreated{APIKey: h.toAPIKey(k), Secret: secret.Reveal()},
		Headers: gen.CreateAPIKey201ResponseHeaders{Location: location, CacheControl: noStoreValue, ETag: h.apiKeyTag(k)},
	}, nil
}

// ListAPIKeys lists the API keys of an organization.
func (h *handlers) ListAPIKeys(ctx context.Context, req gen.ListAPIKeysRequestObject) (gen.ListAPIKeysResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	state, soon := string(orZero(req.Params.State)), orZero(req.Params.ExpiresSoon)
	filter := apikeys.ListFilter{ExpiresSoon: soon != ""}
	filter.State, _ = apikey.ParseState(state) // the contract knows the same ones
	if req.Params.User != nil {
		if filter.UserID, err = parseID[id.UserKind]("user", *req.Params.User); err != nil {
			return nil, err
		}
	}
	l := h.listOf("listAPIKeys", org, "user="+filter.UserID.String(), "state="+state, "expires_soon="+soon)
	asked, err := l.request(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.APIKeys.List(ctx, by, org, filter, asked)
	if err != nil {
		return nil, err
	}
	return gen.ListAPIKeys200JSONResponse{Items: each(p.Items, h.toAPIKeys()), NextCursor: l.next(p.Next)}, nil
}

// GetAPIKey shows an API key.
func (h *handlers) GetAPIKey(ctx context.Context, req gen.GetAPIKeyRequestObject) (gen.GetAPIKeyResponseObject, error) {
	by, org, i, err := h.apiKey(ctx, req.Org, req.APIKey)
	if err != nil {
		return nil, err
	}
	k, err := h.APIKeys.Get(ctx, by, org, i)
	if err != nil {
		return nil, err
	}
	return gen.GetAPIKey200JSONResponse{Body: h.toAPIKey(k), Headers: gen.GetAPIKey200ResponseHeaders{ETag: h.apiKeyTag(k)}}, nil
}

// UpdateAPIKey changes an API key.
func (h *handlers) UpdateAPIKey(ctx context.Context, req gen.UpdateAPIKeyRequestObject) (gen.UpdateAPIKeyResponseObject, error) {
	by, org, i, err := h.apiKey(ctx, req.Org, req.APIKey)
	if err != nil {
		return nil, err
	}
	version, err := h.ifMatch(req.Params.IfMatch, org, i.String())
	if err != nil {
		return nil, err
	}
	in, err := toAPIKeyUpdate(*req.Body)
	if err != nil {
		return nil, err
	}
	k, err := h.APIKeys.Update(ctx, by, org, i, version, in)
	if err != nil {
		return nil, err
	}
	return gen.UpdateAPIKey200JSONResponse{Body: h.toAPIKey(k), Headers: gen.UpdateAPIKey200ResponseHeaders{ETag: h.apiKeyTag(k)}}, nil
}

// DeleteAPIKey removes an API key.
func (h *handlers) DeleteAPIKey(ctx context.Context, req gen.DeleteAPIKeyRequestObject) (gen.DeleteAPIKeyResponseObject, error) {
	by, org, i, err := h.apiKey(ctx, req.Org, req.APIKey)
	if err != nil {
		return nil, err
	}
	version, err := h.ifMatch(req.Params.IfMatch, org, i.String())
	if err != nil {
		return nil, err
	}
	if err := h.APIKeys.Delete(ctx, by, org, i, version); err != nil {
		return nil, err
	}
	return gen.DeleteAPIKey204Response{}, nil
}

// RotateAPIKey gives an API key a new secret.
func (h *handlers) RotateAPIKey(ctx context.Context, req gen.RotateAPIKeyRequestObject) (gen.RotateAPIKeyResponseObject, error) {
	by, org, i, err := h.apiKey(ctx, req.Org, req.APIKey)
	if err != nil {
		return nil, err
	}
	rotation, err := toRotation(*req.Body)
	if err != nil {
		return nil, err
	}
	k, secret, err := h.APIKeys.Rotate(ctx, by, org, i, rotation)
	if err != nil {
		return nil, err
	}
	return gen.RotateAPIKey200JSONResponse{
		Body:    gen.APIKeyCreated{APIKey: h.toAPIKey(k), Secret: secret.Reveal()},
		Headers: gen.RotateAPIKey200ResponseHeaders{CacheControl: noStoreValue, ETag: h.apiKeyTag(k)},
	}, nil
}

// DisableAPIKey switches an API key off.
func (h *handlers) DisableAPIKey(ctx context.Context, req gen.DisableAPIKeyRequestObject) (gen.DisableAPIKeyResponseObject, error) {
	by, org, i, err := h.apiKey(ctx, req.Org, req.APIKey)
	if err != nil {
		return nil, err
	}
	k, err := h.APIKeys.Disable(ctx, by, org, i)
	if err != nil {
		return nil, err
	}
	return gen.DisableAPIKey200JSONResponse{Body: h.toAPIKey(k), Headers: gen.DisableAPIKey200ResponseHeaders{ETag: h.apiKeyTag(k)}}, nil
}

// EnableAPIKey switches an API key on again.
func (h *handlers) EnableAPIKey(ctx context.Context, req gen.EnableAPIKeyRequestObject) (gen.EnableAPIKeyResponseObject, error) {
	by, org, i, err := h.apiKey(ctx, req.Org, req.APIKey)
	if err != nil {
		return nil, err
	}
	k, err := h.APIKeys.Enable(ctx, by, org, i)
	if err != nil {
		return nil, err
	}
	return gen.EnableAPIKey200JSONResponse{Body: h.toAPIKey(k), Headers: gen.EnableAPIKey200ResponseHeaders{ETag: h.apiKeyTag(k)}}, nil
}

// RevokeAPIKey revokes an API key.
func (h *handlers) RevokeAPIKey(ctx context.Context, req gen.RevokeAPIKeyRequestObject) (gen.RevokeAPIKeyResponseObject, error) {
	by, org, i, err := h.apiKey(ctx, req.Org, req.APIKey)
	if err != nil {
		return nil, err
	}
	k, err := h.APIKeys.Revoke(ctx, by, org, i)
	if err != nil {
		return nil, err
	}
	return gen.RevokeAPIKey200JSONResponse{Body: h.toAPIKey(k), Headers: gen.RevokeAPIKey200ResponseHeaders{ETag: h.apiKeyTag(k)}}, nil
}
