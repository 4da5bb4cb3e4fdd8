package httpapi

import (
	"context"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/usecase/roles"
)

// toRole shows a role in an organization. The version of a built-in role is what
// it holds, which only a release changes.
func (h *handlers) toRole(org id.Org, r roles.Role) gen.RoleDefinition {
	out := gen.RoleDefinition{Name: r.Authz.String(), BuiltIn: !r.Authz.IsCustom(), Permissions: r.Authz.Permissions().Names()}
	if out.BuiltIn {
		out.Etag = h.etag(org, "role "+out.Name, int64(r.Authz.Permissions())) //nolint:gosec // a Set has fewer than 63 bits
		return out
	}
	s := r.Custom
	out.ID, out.Description = optional(s.ID.String()), optional(s.Description)
	out.CreatedAt, out.UpdatedAt = &s.CreatedAt, &s.UpdatedAt
	out.Etag = h.etag(org, s.ID.String(), s.Version)
	return out
}

// roleVersion reads which version of a role a change is meant for, once it is
// known which role that is.
func (h *handlers) roleVersion(header *string, org id.Org) roles.Precondition {
	return func(i id.Role) (int64, error) { return h.ifMatch(header, org, i.String()) }
}

// CreateRole makes a custom role.
func (h *handlers) CreateRole(ctx context.Context, req gen.CreateRoleRequestObject) (gen.CreateRoleResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	r, err := h.Roles.Create(ctx, by, org, roles.CreateInput{
		Name: req.Body.Name, Description: orZero(req.Body.Description), Permissions: req.Body.Permissions,
	})
	if err != nil {
		return nil, err
	}
	answer := h.toRole(org, r)
	return gen.CreateRole201JSONResponse{Body: answer, Headers: gen.CreateRole201ResponseHeaders{
		Location: organizationsPath + org.String() + rolesPath + *answer.ID, ETag: answer.Etag,
	}}, nil
}

// ListRoles lists the roles that can be given in an organization.
func (h *handlers) ListRoles(ctx context.Context, req gen.ListRolesRequestObject) (gen.ListRolesResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	l := h.listOf("listRoles", org)
	asked, err := l.request(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Roles.List(ctx, by, org, asked)
	if err != nil {
		return nil, err
	}
	show := func(r roles.Role) gen.RoleDefinition { return h.toRole(org, r) }
	return gen.ListRoles200JSONResponse{Items: each(p.Items, show), NextCursor: l.next(p.Next)}, nil
}

// GetRole shows a role.
func (h *handlers) GetRole(ctx context.Context, req gen.GetRoleRequestObject) (gen.GetRoleResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	r, err := h.Roles.Get(ctx, by, org, req.Role)
	if err != nil {
		return nil, err
	}
	answer := h.toRole(org, r)
	return gen.GetRole200JSONResponse{Body: answer, Headers: gen.GetRole200ResponseHeaders{ETag: answer.Etag}}, nil
}

// UpdateRole changes a custom role.
func (h *handlers) UpdateRole(ctx context.Context, req gen.UpdateRoleRequestObject) (gen.UpdateRoleResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	r, err := h.Roles.Update(ctx, by, org, req.Role, h.roleVersion(req.Params.IfMatch, org), roles.UpdateInput{
		Name: req.Body.Name, Description: req.Body.Description, Permissions: req.Body.Permissions,
	})
	if err != nil {
		return nil, err
	}
	answer := h.toRole(org, r)
	return gen.UpdateRole200JSONResponse{Body: answer, Headers: gen.UpdateRole200ResponseHeaders{ETag: answer.Etag}}, nil
}

// DeleteRole deletes a custom role.
func (h *handlers) DeleteRole(ctx context.Context, req gen.DeleteRoleRequestObject) (gen.DeleteRoleResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	if err := h.Roles.Delete(ctx, by, org, req.Role, h.roleVersion(req.Params.IfMatch, org)); err != nil {
		return nil, err
	}
	return gen.DeleteRole204Response{}, nil
}

// ListPermissions shows the catalogue, which is a part of the program.
func (h *handlers) ListPermissions(context.Context, gen.ListPermissionsRequestObject) (gen.ListPermissionsResponseObject, error) {
	return gen.ListPermissions200JSONResponse{Items: each(authz.Permissions(), toPermission)}, nil
}

func toPermission(p authz.Permission) gen.Permission {
	out := gen.Permission{Name: p.String(), Meaning: p.Meaning(), Platform: p.IsPlatform(), Roles: []string{}}
	for _, r := range authz.Roles() {
		if r.Permissions().Has(p) {
			out.Roles = append(out.Roles, r.String())
		}
	}
	if t := p.Temporal(); t != "" {
		out.Temporal = new(gen.PermissionTemporal(t))
	}
	return out
}
