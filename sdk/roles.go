package sdk

import (
	"context"
	"iter"
	"net/http"
)

// CreateRole makes a custom role, which can hold no more than one may do oneself.
func (c *Client) CreateRole(ctx context.Context, org string, in RoleCreate) (*RoleDefinition, error) {
	return call[RoleDefinition](ctx, c, post(organization(org, "roles"), in))
}

// Role returns a role by its name, or a custom role by its id.
func (c *Client) Role(ctx context.Context, org, role string) (*RoleDefinition, error) {
	return call[RoleDefinition](ctx, c, get(organization(org, "roles", role)))
}

// UpdateRole changes a custom role. The ETag is that of the role on which the
// change was decided; it fails when the role has changed since.
func (c *Client) UpdateRole(ctx context.Context, org, role, etag string, in RoleUpdate) (*RoleDefinition, error) {
	return call[RoleDefinition](ctx, c, request{
		method: http.MethodPatch, path: organization(org, "roles", role), header: ifMatch(etag), body: in,
	})
}

// DeleteRole deletes a custom role that nobody has. The ETag is as in UpdateRole.
func (c *Client) DeleteRole(ctx context.Context, org, role, etag string) error {
	_, err := c.do(ctx, request{method: http.MethodDelete, path: organization(org, "roles", role), header: ifMatch(etag)})
	return err
}

// ListRoles returns a page of the roles that can be given in an organization: the
// built-in ones, and then its own, oldest first.
func (c *Client) ListRoles(ctx context.Context, org string, o ListOptions) (*RoleList, error) {
	return call[RoleList](ctx, c, get(organization(org, "roles")).page(o))
}

// AllRoles walks through the roles of an organization.
func (c *Client) AllRoles(ctx context.Context, org string) iter.Seq2[RoleDefinition, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]RoleDefinition, string, error) {
		l, err := c.ListRoles(ctx, org, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}

// Permissions returns all that roles and scopes are made of.
func (c *Client) Permissions(ctx context.Context) (*PermissionList, error) {
	return call[PermissionList](ctx, c, get(path("api/v0/authz/permissions")))
}

// Question asks whether somebody may do something.
type Question struct {
	Actor    string // the id of a user or of an API key; "" is the key that asks
	Action   string // a permission, such as workflows:start
	IP       string // the address that a key is used from; "" is, for the key that asks, that of this request
	Resource string // the id or slug of an organization, or "platform"
}

// Explain tells whether somebody may do something, and what decides it. About
// oneself everybody may ask.
func (c *Client) Explain(ctx context.Context, q Question) (*Explanation, error) {
	r := get(path("api/v0/authz/explain")).with("actor", q.Actor).with("ip", q.IP).with("action", q.Action).with("resource", q.Resource)
	return call[Explanation](ctx, c, r)
}
