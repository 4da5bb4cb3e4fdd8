package workflows

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// List returns a page of the executions that a query chooses; "" chooses all. It
// fails with workflow.ErrQuery, org.ErrNotActive and fault.ErrInvalid.
func (s *Service) List(ctx context.Context, by authz.Actor, o id.Org, query string, p page.TokenRequest) (page.TokenPage[workflow.Execution], error) {
	namespace, err := s.reading(ctx, by, o, func() error { return workflow.CheckQuery(query) })
	if err != nil {
		return page.TokenPage[workflow.Execution]{}, err
	}
	return s.dispatcher.List(ctx, namespace, query, p)
}

// Count counts what List would return, in all and, if asked for, by status. It
// fails as List does.
func (s *Service) Count(ctx context.Context, by authz.Actor, o id.Org, query string, byStatus bool) (workflow.Count, error) {
	namespace, err := s.reading(ctx, by, o, func() error { return workflow.CheckQuery(query) })
	if err != nil {
		return workflow.Count{}, err
	}
	return s.dispatcher.Count(ctx, namespace, query, byStatus)
}
