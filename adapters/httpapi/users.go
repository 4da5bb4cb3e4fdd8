package httpapi

import (
	"context"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
)

// CreateUser adds a user.
func (h *handlers) CreateUser(ctx context.Context, req gen.CreateUserRequestObject) (gen.CreateUserResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	role, err := authz.ParseRole(string(req.Body.Role))
	if err != nil { // a role of the contract that the core does not know
		return nil, fault.InvalidField("/role", "enum", "is not a role")
	}
	u, err := h.Users.Add(ctx, by, org, users.AddInput{Email: req.Body.Email, Name: orZero(req.Body.Name), Role: role})
	if err != nil {
		return nil, err
	}
	location := organizationsPath + org.String() + usersPath + u.ID().String()
	return gen.CreateUser201JSONResponse{
		Body: toUser(u), Headers: gen.CreateUser201ResponseHeaders{Location: location},
	}, nil
}

// ListUsers lists the users of an organization.
func (h *handlers) ListUsers(ctx context.Context, req gen.ListUsersRequestObject) (gen.ListUsersResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	l := h.listOf("listUsers", org)
	asked, err := l.request(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Users.List(ctx, by, org, asked)
	if err != nil {
		return nil, err
	}
	return gen.ListUsers200JSONResponse{Items: each(p.Items, toUser), NextCursor: l.next(p.Next)}, nil
}

// GetUser shows a user.
func (h *handlers) GetUser(ctx context.Context, req gen.GetUserRequestObject) (gen.GetUserResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	i, err := parseID[id.UserKind]("user", req.User)
	if err != nil {
		return nil, err
	}
	u, err := h.Users.Get(ctx, by, org, i)
	if err != nil {
		return nil, err
	}
	return gen.GetUser200JSONResponse(toUser(u)), nil
}
