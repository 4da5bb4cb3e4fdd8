package sdk

import (
	"context"
	"iter"
)

// CreateUser adds a user to an organization. Nobody can give a role with more
// power than their own.
func (c *Client) CreateUser(ctx context.Context, org string, in UserCreate) (*User, error) {
	return call[User](ctx, c, post(organization(org, "users"), in))
}

// User returns a user by id.
func (c *Client) User(ctx context.Context, org, id string) (*User, error) {
	return call[User](ctx, c, get(organization(org, "users", id)))
}

// ListUsers returns a page of an organization's users, oldest first.
func (c *Client) ListUsers(ctx context.Context, org string, o ListOptions) (*UserList, error) {
	return call[UserList](ctx, c, get(organization(org, "users")).page(o))
}

// AllUsers walks through an organization's users, oldest first.
func (c *Client) AllUsers(ctx context.Context, org string) iter.Seq2[User, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]User, string, error) {
		l, err := c.ListUsers(ctx, org, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}
