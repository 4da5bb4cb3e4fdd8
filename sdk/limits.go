package sdk

import (
	"context"
	"net/http"
)

// Limits returns the limits of an organization, with how much of each is used.
func (c *Client) Limits(ctx context.Context, org string) (*OrganizationLimitList, error) {
	return call[OrganizationLimitList](ctx, c, get(organization(org, "limits")))
}

// Limit returns a limit by its name, such as requests.
func (c *Client) Limit(ctx context.Context, org, name string) (*OrganizationLimit, error) {
	return call[OrganizationLimit](ctx, c, get(organization(org, "limits", name)))
}

// AllowList returns which workflows each role may start.
func (c *Client) AllowList(ctx context.Context, org string) (*AllowList, error) {
	return call[AllowList](ctx, c, get(organization(org, "allow-list")))
}

// SetAllowList replaces the rules of which workflows each role may start. The ETag is
// that of the list on which the change was decided.
func (c *Client) SetAllowList(ctx context.Context, org, etag string, in AllowListUpdate) (*AllowList, error) {
	return call[AllowList](ctx, c, request{
		method: http.MethodPut, path: organization(org, "allow-list"), header: ifMatch(etag), body: in,
	})
}

// SetLimit makes a limit the organization's own. All limits of an organization have
// one ETag: it is that on which the change was decided, and the change fails, see
// IsStale, when one of them has changed since. For operators.
func (c *Client) SetLimit(ctx context.Context, org, name, etag string, in LimitUpdate) (*OrganizationLimit, error) {
	return call[OrganizationLimit](ctx, c, request{
		method: http.MethodPut, path: organization(org, "limits", name), header: ifMatch(etag), body: in,
	})
}

// ResetLimit makes a limit as it is by default, and returns it. The ETag is as in
// SetLimit. For operators.
func (c *Client) ResetLimit(ctx context.Context, org, name, etag string) (*OrganizationLimit, error) {
	return call[OrganizationLimit](ctx, c, request{
		method: http.MethodDelete, path: organization(org, "limits", name), header: ifMatch(etag),
	})
}
