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
	in, err := toCreateInput(*req.Body)
	if err != nil {
		return nil, err
	}
	by := actorOf(ctx)
	made, err := h.Orgs.Create(ctx, by, in)
	if err != nil {
		return nil, err
	}
	var answer organizationCreated
	if wait > 0 && h.await(ctx, by, &made, wait) {
		answer.applied = wait
	}
	answer.Headers.Location = organizationsPath + made.Org.ID().String()
	answer.Body = gen.OrganizationCreated{
		Organization: h.toOrganization(made.Org), Admin: h.toUser(made.Admins[0]), Admins: each(made.Admins, h.toUser),
		Operation: toOperation(made.Operation),
	}
	return answer, nil
}

// await waits for the operation to end and brings made up to date. The
// organization exists whatever happens here, so a failure to wait is no failure
// of the request: it only means that the preference was not honoured.
func (h *handlers) await(ctx context.Context, by authz.Actor, made *orgs.Created, wait time.Duration) bool {
	op, err := waiting(ctx, h.waits, wait, func(ctx context.Context, wait time.Duration) (operation.Operation, error) {
		return h.Operations.Get(ctx, by, made.Operation.Snapshot().ID, wait)
	})
	if err != nil {
		return false
	}
	d, err := h.Orgs.Get(ctx, by, made.Org.ID())
	if err != nil {
		return false
	}
	made.Operation, made.Org = op, d.Org
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

// ListOrganizations lists organizations.
func (h *handlers) ListOrganizations(ctx context.Context, req gen.ListOrganizationsRequestObject) (gen.ListOrganizationsResponseObject, error) {
	f, err := toFilter(req.Params)
	if err != nil {
		return nil, err
	}
	l := h.listOf("listOrganizations "+f.String(), id.Org{})
	asked, err := l.request(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Orgs.List(ctx, actorOf(ctx), f, asked)
	if err != nil {
		return nil, err
	}
	return gen.ListOrganizations200JSONResponse{
		Items: each(p.Items, h.toOrganization), NextCursor: l.next(p.Next),
	}, nil
}

// GetOrganization shows an organization.
func (h *handlers) GetOrganization(ctx context.Context, req gen.GetOrganizationRequestObject) (gen.GetOrganizationResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	d, err := h.Orgs.Get(ctx, by, org)
	if err != nil {
		return nil, err
	}
	o := h.toOrganization(d.Org)
	members, keys := number(d.Counts.Members), number(d.Counts.APIKeys)
	o.MemberCount, o.APIKeyCount = &members, &keys
	o.Usage = h.toUsage(d)
	return gen.GetOrganization200JSONResponse{Body: o, Headers: gen.GetOrganization200ResponseHeaders{ETag: o.Etag}}, nil
}

// UpdateOrganization changes an organization.
func (h *handlers) UpdateOrganization(ctx context.Context, req gen.UpdateOrganizationRequestObject) (gen.UpdateOrganizationResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	version, err := h.ifMatch(req.Params.IfMatch, org, org.String())
	if err != nil {
		return nil, err
	}
	o, err := h.Orgs.Update(ctx, by, org, toUpdateInput(*req.Body, version))
	if err != nil {
		return nil, err
	}
	answer := h.toOrganization(o)
	return gen.UpdateOrganization200JSONResponse{Body: answer, Headers: gen.UpdateOrganization200ResponseHeaders{ETag: answer.Etag}}, nil
}

// SuspendOrganization suspends an organization.
func (h *handlers) SuspendOrganization(ctx context.Context, req gen.SuspendOrganizationRequestObject) (gen.SuspendOrganizationResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	o, err := h.Orgs.Suspend(ctx, by, org, req.Body.Reason)
	if err != nil {
		return nil, err
	}
	answer := h.toOrganization(o)
	return gen.SuspendOrganization200JSONResponse{Body: answer, Headers: gen.SuspendOrganization200ResponseHeaders{ETag: answer.Etag}}, nil
}

// ResumeOrganization ends a suspension.
func (h *handlers) ResumeOrganization(ctx context.Context, req gen.ResumeOrganizationRequestObject) (gen.ResumeOrganizationResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	o, err := h.Orgs.Resume(ctx, by, org)
	if err != nil {
		return nil, err
	}
	answer := h.toOrganization(o)
	return gen.ResumeOrganization200JSONResponse{Body: answer, Headers: gen.ResumeOrganization200ResponseHeaders{ETag: answer.Etag}}, nil
}

// RestoreOrganization takes a deletion back.
func (h *handlers) RestoreOrganization(ctx context.Context, req gen.RestoreOrganizationRequestObject) (gen.RestoreOrganizationResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	o, err := h.Orgs.Restore(ctx, by, org)
	if err != nil {
		return nil, err
	}
	answer := h.toOrganization(o)
	return gen.RestoreOrganization200JSONResponse{Body: answer, Headers: gen.RestoreOrganization200ResponseHeaders{ETag: answer.Etag}}, nil
}

// DeleteOrganization begins the deletion of an organization.
func (h *handlers) DeleteOrganization(ctx context.Context, req gen.DeleteOrganizationRequestObject) (gen.DeleteOrganizationResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	version, err := h.ifMatch(req.Params.IfMatch, org, org.String())
	if err != nil {
		return nil, err
	}
	d, err := h.Orgs.Delete(ctx, by, org, orgs.DeleteInput{
		Confirm: req.Params.Confirm, Now: orZero(req.Params.Now), Version: version,
	})
	if err != nil {
		return nil, err
	}
	op := toOperation(d.Operation)
	return gen.DeleteOrganization202JSONResponse{
		Body:    gen.OrganizationDeletion{Organization: h.toOrganization(d.Org), Operation: op},
		Headers: gen.DeleteOrganization202ResponseHeaders{Location: operationsPath + op.ID},
	}, nil
}
