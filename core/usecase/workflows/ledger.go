package workflows

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// entry returns what the ledger holds of a start that is asked for now.
func entry(by authz.Actor, o id.Org, now time.Time, in workflow.Start) workflow.Dispatch {
	return workflow.Dispatch{
		Org: o, Request: in.Request, WorkflowID: in.ID, Type: in.Type, TaskQueue: in.TaskQueue,
		Subject: by.Subject(), RequestedAt: now, Outcome: workflow.DispatchRequested,
	}
}

// requestOf names a request: by its claim, so that its next attempt has the name too.
func requestOf(ctx context.Context) uuid.UUID {
	if c, ok := idempotency.From(ctx); ok {
		return c.ID()
	}
	return uuid.New()
}

// known returns the run that an earlier attempt at the request has started or joined,
// whatever has become of the id since; false when there is none. An attempt that was
// lost before it could say is asked for at Temporal. Only a request that is repeated
// costs anything here.
func (s *Service) known(ctx context.Context, by authz.Actor, o id.Org, namespace string, request uuid.UUID) (workflow.Execution, bool, error) {
	if c, ok := idempotency.From(ctx); !ok || !c.Repeated {
		return workflow.Execution{}, false, nil
	}
	d, err := s.store.Reads(o).Dispatch(ctx, request)
	if errors.Is(err, fault.ErrNotFound) {
		return workflow.Execution{}, false, nil // it never came to ask Temporal
	}
	if err != nil {
		return workflow.Execution{}, false, err
	}
	if d.RunID == "" {
		d, err = s.dispatcher.Dispatched(ctx, namespace, d)
		if errors.Is(err, workflow.ErrNotFound) {
			return workflow.Execution{}, false, nil
		}
		if err != nil {
			return workflow.Execution{}, false, err
		}
		s.ledger.Decided(by, d)
	}
	e, err := s.dispatcher.Describe(ctx, namespace, d.WorkflowID, d.RunID)
	if errors.Is(err, workflow.ErrNotFound) { // Temporal has forgotten it; we have not
		e, err = workflow.Execution{
			ID: d.WorkflowID, RunID: d.RunID, Type: d.Type, TaskQueue: d.TaskQueue, Status: workflow.Unknown, StartedAt: d.RequestedAt,
		}, nil
	}
	e.Details = nil // as the first answer
	return e, true, err
}

// settle tells the ledger what Temporal has answered. What it has not, because it was
// away or too slow, is found out later.
func (s *Service) settle(by authz.Actor, d workflow.Dispatch, e workflow.Execution, err error) {
	switch {
	case err == nil && e.Joined:
		d.Outcome, d.RunID = workflow.DispatchJoined, e.RunID
	case err == nil:
		d.Outcome, d.RunID = workflow.DispatchStarted, e.RunID
	case fault.IsKind(err, fault.Invalid), fault.IsKind(err, fault.Conflict), fault.IsKind(err, fault.NotFound):
		d.Outcome = workflow.DispatchRefused
	default:
		return
	}
	s.ledger.Decided(by, d)
}
