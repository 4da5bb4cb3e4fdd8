package workflows

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// History returns a page of the events of a workflow, with what the organization's
// own code has put into them. It fails with workflow.ErrNotFound.
func (s *Service) History(ctx context.Context, by authz.Actor, o id.Org, at workflow.Target, p page.TokenRequest) (workflow.Events, error) {
	namespace, err := s.readable(ctx, by, o, at.ID)
	if err != nil {
		return workflow.Events{}, err
	}
	return s.dispatcher.History(ctx, namespace, at, p)
}

// Tasks returns a page of what a workflow has had done: its activities, timers and
// children, and what came to it. Their history is read from its beginning each time.
// It fails with workflow.ErrNotFound and workflow.ErrHistoryTooLong.
func (s *Service) Tasks(ctx context.Context, by authz.Actor, o id.Org, at workflow.Target, p page.TokenRequest) (runID string, _ page.TokenPage[workflow.Task], _ error) {
	namespace, err := s.readable(ctx, by, o, at.ID)
	if err != nil {
		return "", page.TokenPage[workflow.Task]{}, err
	}
	all, err := s.dispatcher.Tasks(ctx, namespace, at)
	if err != nil {
		return "", page.TokenPage[workflow.Task]{}, err
	}
	items, err := all.Page(p)
	return all.RunID, items, err
}
