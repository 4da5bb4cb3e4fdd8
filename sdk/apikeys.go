package sdk

import (
	"context"
	"iter"
	"net/http"
)

// CreateAPIKey creates an API key. The secret is in this answer and nowhere else.
func (c *Client) CreateAPIKey(ctx context.Context, org string, in APIKeyCreate) (*APIKeyCreated, error) {
	return call[APIKeyCreated](ctx, c, post(organization(org, "api-keys"), in))
}

// APIKey returns an API key by id, without its secret.
func (c *Client) APIKey(ctx context.Context, org, id string) (*APIKey, error) {
	return call[APIKey](ctx, c, get(organization(org, "api-keys", id)))
}

// APIKeyFilter chooses keys. The zero value is all of them.
type APIKeyFilter struct {
	// User is the id of the user whose keys they are.
	User string
	// State is the state that they are in.
	State APIKeyState
	// ExpiresSoon chooses those that expire within 30 days.
	ExpiresSoon bool
}

func (r request) keys(f APIKeyFilter) request {
	r = r.with("user", f.User).with("state", string(f.State))
	if f.ExpiresSoon {
		r = r.with("expires_soon", "true")
	}
	return r
}

// ListAPIKeys returns a page of an organization's keys, revoked ones too, oldest first.
func (c *Client) ListAPIKeys(ctx context.Context, org string, f APIKeyFilter, o ListOptions) (*APIKeyList, error) {
	return call[APIKeyList](ctx, c, get(organization(org, "api-keys")).keys(f).page(o))
}

// AllAPIKeys walks through an organization's keys, revoked ones too, oldest first.
func (c *Client) AllAPIKeys(ctx context.Context, org string, f APIKeyFilter) iter.Seq2[APIKey, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]APIKey, string, error) {
		l, err := c.ListAPIKeys(ctx, org, f, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}

// UpdateAPIKey changes an API key that still has the version of the given ETag;
// AnyVersion is whichever it has. What is nil in the change stays.
func (c *Client) UpdateAPIKey(ctx context.Context, org, id, etag string, in APIKeyUpdate) (*APIKey, error) {
	return call[APIKey](ctx, c, request{method: http.MethodPatch, path: organization(org, "api-keys", id), header: ifMatch(etag), body: in})
}

// DeleteAPIKey removes an API key that is revoked or has expired.
func (c *Client) DeleteAPIKey(ctx context.Context, org, id, etag string) error {
	_, err := c.do(ctx, request{method: http.MethodDelete, path: organization(org, "api-keys", id), header: ifMatch(etag)})
	return err
}

// RotateAPIKey gives an API key a new secret, which is in this answer and nowhere
// else. The old one lives on as the request says, a day by default.
func (c *Client) RotateAPIKey(ctx context.Context, org, id string, in APIKeyRotate) (*APIKeyCreated, error) {
	return call[APIKeyCreated](ctx, c, post(organization(org, "api-keys", id, "rotate"), in))
}

// DisableAPIKey switches an API key off, reversibly.
func (c *Client) DisableAPIKey(ctx context.Context, org, id string) (*APIKey, error) {
	return call[APIKey](ctx, c, post(organization(org, "api-keys", id, "disable"), nil))
}

// EnableAPIKey switches an API key on again.
func (c *Client) EnableAPIKey(ctx context.Context, org, id string) (*APIKey, error) {
	return call[APIKey](ctx, c, post(organization(org, "api-keys", id, "enable"), nil))
}

// RevokeAPIKey revokes an API key for good. Revoking a revoked key is success.
func (c *Client) RevokeAPIKey(ctx context.Context, org, id string) (*APIKey, error) {
	return call[APIKey](ctx, c, post(organization(org, "api-keys", id, "revoke"), nil))
}

// VerifyAPIKey says what a key is worth that was presented to another service.
func (c *Client) VerifyAPIKey(ctx context.Context, in VerifyRequest) (*Verification, error) {
	return call[Verification](ctx, c, post(path("api/v0/auth/verify"), in))
}

// ReportLeakedAPIKey revokes an API key that has leaked, whichever organization
// it belongs to. It is for operators.
func (c *Client) ReportLeakedAPIKey(ctx context.Context, in LeakReport) (*LeakReported, error) {
	return call[LeakReported](ctx, c, post(path("api/v0/api-keys/report-leak"), in))
}
