package sdk

import (
	"context"
	"iter"
)

// CreateAPIKey creates an API key. The secret is in this answer and nowhere else.
func (c *Client) CreateAPIKey(ctx context.Context, org string, in APIKeyCreate) (*APIKeyCreated, error) {
	return call[APIKeyCreated](ctx, c, post(organization(org, "api-keys"), in))
}

// APIKey returns an API key by id, without its secret.
func (c *Client) APIKey(ctx context.Context, org, id string) (*APIKey, error) {
	return call[APIKey](ctx, c, get(organization(org, "api-keys", id)))
}

// ListAPIKeys returns a page of an organization's keys, revoked ones too, oldest first.
func (c *Client) ListAPIKeys(ctx context.Context, org string, o ListOptions) (*APIKeyList, error) {
	return call[APIKeyList](ctx, c, get(organization(org, "api-keys")).page(o))
}

// AllAPIKeys walks through an organization's keys, revoked ones too, oldest first.
func (c *Client) AllAPIKeys(ctx context.Context, org string) iter.Seq2[APIKey, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]APIKey, string, error) {
		l, err := c.ListAPIKeys(ctx, org, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}

// RevokeAPIKey revokes an API key for good. Revoking a revoked key is success.
func (c *Client) RevokeAPIKey(ctx context.Context, org, id string) (*APIKey, error) {
	return call[APIKey](ctx, c, post(organization(org, "api-keys", id, "revoke"), nil))
}
