package httpapi

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
)

// handlers is the operations of the contract. Each parses, calls one use case
// and converts; an error is the use case's own.
type handlers struct {
	Deps
	drain *drain
	waits *waits
}

var _ gen.StrictServerInterface = (*handlers)(nil)

// The paths under which things are found again.
const (
	organizationsPath   = "/api/v0/organizations/"
	usersPath           = "/users/"
	rolesPath           = "/roles/"
	apiKeysPath         = "/api-keys/"
	workflowsPath       = "/workflows/"
	workflowBatchesPath = "/workflow-batches/"
	schedulesPath       = "/schedules/"
	operationsPath      = "/api/v0/operations/"
)

// organization returns who is asking, and the organization that a path names for
// them.
func (h *handlers) organization(ctx context.Context, ref string) (authz.Actor, id.Org, error) {
	e, by := exchangeOf(ctx), actorOf(ctx)
	if ref == e.orgRef && !e.org.IsZero() { // found out before
		return by, e.org, nil
	}
	org, err := h.Orgs.Resolve(ctx, by, ref)
	return by, org, err
}

// parseID reads an identifier that stands in a parameter.
func parseID[K id.Kind](parameter, s string) (id.ID[K], error) {
	v, err := id.Parse[K](s)
	if err != nil {
		return id.ID[K]{}, fault.InvalidField(parameter, ruleFormat, "is not an identifier of this kind")
	}
	return v, nil
}

// listing is one list, to which its cursors are bound.
type listing struct {
	cursors page.Sealer
	binding string
}

// listOf names a list by its operation, its organization and its filters, so that
// a cursor of another is refused.
func (h *handlers) listOf(operation string, org id.Org, filters ...string) listing {
	return listing{cursors: h.Cursors, binding: strings.Join(append([]string{operation, org.String()}, filters...), " ")}
}

// filtered binds the list's cursors to a filter, in its canonical form, as well.
func (l listing) filtered(filter string) listing {
	l.binding += " " + filter
	return l
}

// request reads the parameters of a list.
func (l listing) request(limit *gen.Limit, cursor *gen.Cursor) (page.Request, error) {
	after, err := l.cursors.Open(l.binding, orZero(cursor))
	if err != nil {
		return page.Request{}, err
	}
	return page.NewRequest(int(orZero(limit)), after)
}

// requestToken reads the parameters of a list that Temporal pages.
func (l listing) requestToken(limit *gen.Limit, cursor *gen.TokenCursor) (page.TokenRequest, error) {
	token, err := l.cursors.OpenToken(l.binding, orZero(cursor))
	if err != nil {
		return page.TokenRequest{}, err
	}
	return page.NewTokenRequest(int(orZero(limit)), token)
}

// nextToken is next for a list that Temporal pages.
func (l listing) nextToken(token []byte) *string {
	return optional(l.cursors.SealToken(l.binding, token))
}

// next returns the cursor that goes on after the given item; nil at the end.
func (l listing) next(after uuid.UUID) *string {
	return optional(l.cursors.Seal(l.binding, after))
}
