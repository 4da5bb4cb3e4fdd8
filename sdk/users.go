package sdk

import (
	"context"
	"iter"
	"net/http"
)

// Role is a role's name: one of those below or, where a role is given, also a
// custom role's name or id.
type Role = string

// The built-in roles, the strongest first.
const (
	RoleOperator Role = "operator" // of the system organization: the whole platform
	RoleAdmin    Role = "admin"
	RoleManager  Role = "manager"
	RoleMember   Role = "member"
	RoleViewer   Role = "viewer"
)

// UserFilter chooses users; an empty field chooses all, except that removed users
// have to be asked for.
type UserFilter struct {
	State       UserState
	Kind        UserKind
	Role        string // a role's name
	EmailPrefix string
}

// CreateUser adds a user to an organization. Nobody can give a role with more
// power than their own.
func (c *Client) CreateUser(ctx context.Context, org string, in UserCreate) (*User, error) {
	return call[User](ctx, c, post(organization(org, "users"), in))
}

// User returns a user by id.
func (c *Client) User(ctx context.Context, org, id string) (*User, error) {
	return call[User](ctx, c, get(organization(org, "users", id)))
}

// UpdateUser changes a user's name or role. etag is that of the version which the
// change is meant for, or AnyVersion.
func (c *Client) UpdateUser(ctx context.Context, org, id, etag string, in UserUpdate) (*User, error) {
	return call[User](ctx, c, request{method: http.MethodPatch, path: organization(org, "users", id), header: ifMatch(etag), body: in})
}

// UserActivity returns what a user has been doing.
func (c *Client) UserActivity(ctx context.Context, org, id string) (*UserActivity, error) {
	return call[UserActivity](ctx, c, get(organization(org, "users", id, "activity")))
}

// SuspendUser takes away a user's access until ResumeUser gives it back.
func (c *Client) SuspendUser(ctx context.Context, org, id, reason string) (*User, error) {
	return call[User](ctx, c, post(organization(org, "users", id, "suspend"), UserSuspend{Reason: reason}))
}

// ResumeUser ends a user's suspension.
func (c *Client) ResumeUser(ctx context.Context, org, id string) (*User, error) {
	return call[User](ctx, c, post(organization(org, "users", id, "resume"), nil))
}

// RemoveUser removes a user for good. etag is as in UpdateUser.
func (c *Client) RemoveUser(ctx context.Context, org, id, etag string) (*User, error) {
	return call[User](ctx, c, request{method: http.MethodDelete, path: organization(org, "users", id), header: ifMatch(etag)})
}

// BulkUsers adds and changes up to 1,000 users in one transaction.
func (c *Client) BulkUsers(ctx context.Context, org string, in UserBulk) (*UserBulkResult, error) {
	return call[UserBulkResult](ctx, c, post(organization(org, "users", "bulk"), in))
}

// ListUsers returns a page of an organization's users, oldest first.
func (c *Client) ListUsers(ctx context.Context, org string, f UserFilter, o ListOptions) (*UserList, error) {
	r := get(organization(org, "users")).page(o).with("state", string(f.State)).with("kind", string(f.Kind)).
		with("role", f.Role).with("email_prefix", f.EmailPrefix)
	return call[UserList](ctx, c, r)
}

// AllUsers walks through an organization's users, oldest first.
func (c *Client) AllUsers(ctx context.Context, org string, f UserFilter) iter.Seq2[User, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]User, string, error) {
		l, err := c.ListUsers(ctx, org, f, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}
