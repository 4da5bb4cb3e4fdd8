package sdk

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"time"
)

// CreateOrganization creates an organization with its first admin. The answer
// waits up to wait for its namespace to be ready, 60 seconds at most; with 0 it
// comes at once. Either way, AwaitOperation follows the rest. For operators.
func (c *Client) CreateOrganization(ctx context.Context, in OrganizationCreate, wait time.Duration) (*OrganizationCreated, error) {
	r := post(path("api/v0/organizations"), in)
	if n := waitSeconds(wait); n > 0 {
		r.wait = time.Duration(n) * time.Second
		r.header = http.Header{"Prefer": {fmt.Sprintf("wait=%d", n)}}
	}
	return call[OrganizationCreated](ctx, c, r)
}

// Organization returns an organization by its id or slug.
func (c *Client) Organization(ctx context.Context, org string) (*Organization, error) {
	return call[Organization](ctx, c, get(organization(org)))
}

// ListOrganizations returns a page of organizations, oldest first. For operators.
func (c *Client) ListOrganizations(ctx context.Context, o ListOptions) (*OrganizationList, error) {
	return call[OrganizationList](ctx, c, get(path("api/v0/organizations")).page(o))
}

// AllOrganizations walks through every organization, oldest first. For operators.
func (c *Client) AllOrganizations(ctx context.Context) iter.Seq2[Organization, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]Organization, string, error) {
		l, err := c.ListOrganizations(ctx, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}
