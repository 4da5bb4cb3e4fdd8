package httpapi

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// user returns who is asking, and the user that a path names for them.
func (h *handlers) user(ctx context.Context, org, ref string) (authz.Actor, id.Org, id.User, error) {
	by, o, err := h.organization(ctx, org)
	if err != nil {
		return by, o, id.User{}, err
	}
	u, err := parseID[id.UserKind]("user", ref)
	return by, o, u, err
}

// versioned returns the answer that shows a user.
func (h *handlers) versioned(u user.User) gen.UserJSONResponse {
	body := h.toUser(u)
	return gen.UserJSONResponse{Body: body, Headers: gen.UserResponseHeaders{ETag: body.Etag}}
}

// CreateUser adds a user.
func (h *handlers) CreateUser(ctx context.Context, req gen.CreateUserRequestObject) (gen.CreateUserResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	kind, _ := user.ParseKind(string(orZero(req.Body.Kind)))
	u, err := h.Users.Add(ctx, by, org, users.AddInput{
		Kind: kind, Email: orZero(req.Body.Email), Name: orZero(req.Body.Name), Role: req.Body.Role,
	})
	if err != nil {
		return nil, err
	}
	body := h.toUser(u)
	return gen.CreateUser201JSONResponse{
		Body: body, Headers: gen.CreateUser201ResponseHeaders{
			Location: organizationsPath + org.String() + usersPath + body.ID, ETag: body.Etag,
		},
	}, nil
}

// ListUsers lists the users of an organization.
func (h *handlers) ListUsers(ctx context.Context, req gen.ListUsersRequestObject) (gen.ListUsersResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	f := user.Filter{Role: orZero(req.Params.Role), EmailPrefix: strings.ToLower(orZero(req.Params.EmailPrefix))}
	f.State, _ = user.ParseState(string(orZero(req.Params.State)))
	f.Kind, _ = user.ParseKind(string(orZero(req.Params.Kind)))
	l := h.listOf("listUsers "+f.Canonical(), org)
	asked, err := l.request(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Users.List(ctx, by, org, f, asked)
	if err != nil {
		return nil, err
	}
	return gen.ListUsers200JSONResponse{Items: each(p.Items, h.toUser), NextCursor: l.next(p.Next)}, nil
}

// GetUser shows a user.
func (h *handlers) GetUser(ctx context.Context, req gen.GetUserRequestObject) (gen.GetUserResponseObject, error) {
	by, org, i, err := h.user(ctx, req.Org, req.User)
	if err != nil {
		return nil, err
	}
	u, err := h.Users.Get(ctx, by, org, i)
	if err != nil {
		return nil, err
	}
	return gen.GetUser200JSONResponse{UserJSONResponse: h.versioned(u)}, nil
}

// GetUserActivity shows what a user has been doing.
func (h *handlers) GetUserActivity(ctx context.Context, req gen.GetUserActivityRequestObject) (gen.GetUserActivityResponseObject, error) {
	by, org, i, err := h.user(ctx, req.Org, req.User)
	if err != nil {
		return nil, err
	}
	a, err := h.Users.Activity(ctx, by, org, i)
	if err != nil {
		return nil, err
	}
	return gen.GetUserActivity200JSONResponse{
		LastSeenAt: optional(a.LastSeenAt), APIKeys: each(a.Keys, h.toAPIKey), MoreAPIKeys: a.MoreKeys, Recent: each(a.Recent, toAuditEvent),
	}, nil
}

// UpdateUser changes a user.
func (h *handlers) UpdateUser(ctx context.Context, req gen.UpdateUserRequestObject) (gen.UpdateUserResponseObject, error) {
	by, org, i, err := h.user(ctx, req.Org, req.User)
	if err != nil {
		return nil, err
	}
	version, err := h.ifMatch(req.Params.IfMatch, org, i.String())
	if err != nil {
		return nil, err
	}
	u, err := h.Users.Update(ctx, by, org, i, version, users.UpdateInput{Name: orZero(req.Body.Name), Role: orZero(req.Body.Role)})
	if err != nil {
		return nil, err
	}
	return gen.UpdateUser200JSONResponse{UserJSONResponse: h.versioned(u)}, nil
}

// SuspendUser suspends a user.
func (h *handlers) SuspendUser(ctx context.Context, req gen.SuspendUserRequestObject) (gen.SuspendUserResponseObject, error) {
	by, org, i, err := h.user(ctx, req.Org, req.User)
	if err != nil {
		return nil, err
	}
	u, err := h.Users.Suspend(ctx, by, org, i, orZero(req.Body.Reason))
	if err != nil {
		return nil, err
	}
	return gen.SuspendUser200JSONResponse{UserJSONResponse: h.versioned(u)}, nil
}

// ResumeUser ends a user's suspension.
func (h *handlers) ResumeUser(ctx context.Context, req gen.ResumeUserRequestObject) (gen.ResumeUserResponseObject, error) {
	by, org, i, err := h.user(ctx, req.Org, req.User)
	if err != nil {
		return nil, err
	}
	u, err := h.Users.Resume(ctx, by, org, i)
	if err != nil {
		return nil, err
	}
	return gen.ResumeUser200JSONResponse{UserJSONResponse: h.versioned(u)}, nil
}

// RemoveUser removes a user.
func (h *handlers) RemoveUser(ctx context.Context, req gen.RemoveUserRequestObject) (gen.RemoveUserResponseObject, error) {
	by, org, i, err := h.user(ctx, req.Org, req.User)
	if err != nil {
		return nil, err
	}
	version, err := h.ifMatch(req.Params.IfMatch, org, i.String())
	if err != nil {
		return nil, err
	}
	u, err := h.Users.Remove(ctx, by, org, i, version)
	if err != nil {
		return nil, err
	}
	return gen.RemoveUser200JSONResponse{UserJSONResponse: h.versioned(u)}, nil
}
