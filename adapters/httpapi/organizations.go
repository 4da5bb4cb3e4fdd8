package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
)

// CreateOrganization creates an organization, and waits for its namespace when
// the client prefers so.
func (h *handlers) CreateOrganization(ctx context.Context, req gen.CreateOrganizationRequestObject) (gen.CreateOrganizationResponseObject, error) {
	wait, err := parsePrefer(req.Params.Prefer)
	if err != nil {
		return nil, err
	}
	by := actorOf(ctx)
	made, err := h.Orgs.Create(ctx, by, orgs.CreateInput{
		Slug: req.Body.Slug, Name: orZero(req.Body.Name),
		AdminEmail: req.Body.Admin.Email, AdminName: orZero(req.Body.Admin.Name),
	})
	if err != nil {
		return nil, err
	}
	var answer organizationCreated
	if wait > 0 && h.await(ctx, by, &made, wait) {
		answer.applied = wait
	}
	location := organizationsPath + made.Org.ID().String()
	answer.Headers.Location = location
	answer.Body = gen.OrganizationCreated{
		Organization: toOrganization(made.Org), Admin: toUser(made.Admin), Operation: toOperation(made.Operation),
	}
	return answer, nil
}

// await waits for the operation to end and brings made up to date. The
// organization exists whatever happens here, so a failure to wait is no failure
// of the request: it only means that the preference was not honoured.
func (h *handlers) await(ctx context.Context, by authz.Actor, made *orgs.Created, wait time.Duration) bool {
	op, err := waiting(ctx, h.drain, wait, func(ctx context.Context, wait time.Duration) (operation.Operation, error) {
		return h.Operations.Get(ctx, by, made.Operation.Snapshot().ID, wait)
	})
	if err != nil {
		return false
	}
	o, err := h.Orgs.Get(ctx, by, made.Org.ID())
	if err != nil {
		return false
	}
	made.Operation, made.Org = op, o
	return true
}

// organizationCreated adds to the answer that the preference was honoured.
type organizationCreated struct {
	gen.CreateOrganization201JSONResponse
	applied time.Duration
}

// VisitCreateOrganizationResponse writes the answer.
func (a organizationCreated) VisitCreateOrganizationResponse(w http.ResponseWriter) error {
	if a.applied > 0 {
		w.Header().Set("Preference-Applied", waitParameter+"="+strconv.Itoa(int(a.applied/time.Second)))
	}
	return a.CreateOrganization201JSONResponse.VisitCreateOrganizationResponse(w)
}

// ListOrganizations lists all organizations.
func (h *handlers) ListOrganizations(ctx context.Context, req gen.ListOrganizationsRequestObject) (gen.ListOrganizationsResponseObject, error) {
	l := h.listOf("listOrganizations", id.Org{})
	asked, err := l.request(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Orgs.List(ctx, actorOf(ctx), asked)
	if err != nil {
		return nil, err
	}
	return gen.ListOrganizations200JSONResponse{
		Items: each(p.Items, toOrganization), NextCursor: l.next(p.Next),
	}, nil
}

// GetOrganization shows an organization.
func (h *handlers) GetOrganization(ctx context.Context, req gen.GetOrganizationRequestObject) (gen.GetOrganizationResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	o, err := h.Orgs.Get(ctx, by, org)
	if err != nil {
		return nil, err
	}
	return gen.GetOrganization200JSONResponse(toOrganization(o)), nil
}
