package workflows

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// batchResource is how the trail names a batch.
const batchResource = "workflow_batch"

// batchRules are what each kind of batch takes, which is what the same takes of one
// workflow, and how the trail names it.
var batchRules = map[workflow.BatchKind]struct {
	needs  authz.Permission
	action audit.Action
}{
	workflow.BatchCancel:    {authz.WorkflowsCancel, audit.WorkflowBatchCancelRequested},
	workflow.BatchTerminate: {authz.WorkflowsTerminate, audit.WorkflowBatchTerminateRequested},
	workflow.BatchSignal:    {authz.WorkflowsSignal, audit.WorkflowBatchSignalRequested},
}

// StartBatch does something to every execution that runs and that a query chooses.
// The request stands in the audit trail, with the query and how many it chooses,
// before anything is done. A claimed request has one batch, however often it is
// made. It fails with workflow.ErrBatchRunning, org.ErrNotActive, limit.ErrPayloadTooLarge
// for a signal that is too large and, for a broken rule or a query that Temporal
// does not understand, fault.ErrInvalid.
func (s *Service) StartBatch(ctx context.Context, by authz.Actor, o id.Org, in workflow.BatchStart) (workflow.Batch, error) {
	rules := batchRules[in.Kind]
	if err := by.Require(rules.needs, o); err != nil {
		return workflow.Batch{}, err
	}
	if err := in.Validate(); err != nil {
		return workflow.Batch{}, err
	}
	row, err := s.active(ctx, o)
	if err != nil {
		return workflow.Batch{}, err
	}
	if in.Signal != nil {
		if err := s.admitPayload(row.Snapshot().Limits, part{"/signal/input", in.Signal.Input}); err != nil {
			return workflow.Batch{}, err
		}
	}
	chosen, err := s.countChosen(ctx, row.Namespace(), in.Query)
	if err != nil {
		return workflow.Batch{}, err
	}
	batchID := newBatchID(ctx, in.Kind)
	if err := s.recordBatch(ctx, by, o, rules.action, batchID, batchOnRecord(in, chosen)); err != nil {
		return workflow.Batch{}, err
	}
	b, err := s.batches.Start(ctx, row.Namespace(), by, batchID, in)
	if errors.Is(err, workflow.ErrQuery) {
		return workflow.Batch{}, workflow.ErrBatchQuery.Because(err)
	}
	if err == nil && b.State == workflow.BatchRunning && b.Progress == nil {
		b.Progress = &workflow.BatchProgress{Total: chosen} // until Temporal has counted itself
	}
	return b, err
}

// countChosen counts the executions that a batch is about to reach. It is also how
// a query that can not be one is found out: a batch would fail by it, and not say
// so. It stands in parentheses, as the batch has it, so that it must be whole.
func (s *Service) countChosen(ctx context.Context, namespace, query string) (int64, error) {
	c, err := s.dispatcher.Count(ctx, namespace, "("+query+")", true)
	if fault.IsKind(err, fault.Invalid) {
		return 0, workflow.ErrBatchQuery.Because(err)
	}
	return c.ByStatus[workflow.Running] + c.ByStatus[workflow.Paused], err
}

// newBatchID returns the id of a batch; that of the claim when the request has one,
// so that the request's next attempt starts no other batch.
func newBatchID(ctx context.Context, k workflow.BatchKind) string {
	unique := uuid.New()
	if c, ok := idempotency.From(ctx); ok {
		unique = c.ID()
	}
	return workflow.NewBatchID(k, unique)
}

// batchOnRecord is what the trail holds of a start: never a signal's input, which
// is the tenant's data.
func batchOnRecord(in workflow.BatchStart, chosen int64) map[string]audit.Change {
	changes := map[string]audit.Change{"query": audit.Created(in.Query), "count": audit.Created(chosen)}
	if in.Reason != "" {
		changes["reason"] = audit.Created(in.Reason)
	}
	if in.Signal != nil {
		changes["signal"] = audit.Created(in.Signal.Name)
	}
	return changes
}

// GetBatch shows a batch. It fails with workflow.ErrNotFound.
func (s *Service) GetBatch(ctx context.Context, by authz.Actor, o id.Org, batchID string) (workflow.Batch, error) {
	if err := by.Require(authz.WorkflowsRead, o); err != nil {
		return workflow.Batch{}, err
	}
	namespace, err := s.batchNamespace(ctx, o, batchID)
	if err != nil {
		return workflow.Batch{}, err
	}
	return s.batches.Describe(ctx, namespace, batchID)
}

// ListBatches lists the batches, those that run first.
func (s *Service) ListBatches(ctx context.Context, by authz.Actor, o id.Org, p page.TokenRequest) (page.TokenPage[workflow.Batch], error) {
	namespace, err := s.reading(ctx, by, o, func() error { return nil })
	if err != nil {
		return page.TokenPage[workflow.Batch]{}, err
	}
	return s.batches.List(ctx, namespace, p)
}

// StopBatch ends a batch of any kind, which takes the permission to cancel: it
// keeps things from happening, and undoes nothing. That it was stopped already, or
// has failed, is success. It fails with workflow.ErrNotFound, with
// workflow.ErrBatchEnded when it has completed, and with fault.ErrInvalid.
func (s *Service) StopBatch(ctx context.Context, by authz.Actor, o id.Org, batchID, reason string) error {
	if err := by.Require(authz.WorkflowsCancel, o); err != nil {
		return err
	}
	if err := workflow.CheckBatchStop(reason); err != nil {
		return err
	}
	namespace, err := s.batchNamespace(ctx, o, batchID)
	if err != nil {
		return err
	}
	b, err := s.batches.Describe(ctx, namespace, batchID)
	if err != nil {
		return err
	}
	switch b.State {
	case workflow.BatchCompleted:
		return workflow.ErrBatchEnded
	case workflow.BatchFailed:
		return nil
	}
	changes := map[string]audit.Change{"reason": audit.Created(reason)}
	if err := s.recordBatch(ctx, by, o, audit.WorkflowBatchStopRequested, batchID, changes); err != nil {
		return err
	}
	return s.batches.Stop(ctx, namespace, by, batchID, reason)
}

// batchNamespace returns where a batch would be. How the organization stands comes
// first: an id must not be told from another by its form.
func (s *Service) batchNamespace(ctx context.Context, o id.Org, batchID string) (string, error) {
	namespace, err := s.namespace(ctx, o)
	if err != nil {
		return "", err
	}
	_, err = workflow.BatchKindOf(batchID)
	return namespace, err
}

// recordBatch puts into the trail what is about to be asked of a batch.
func (s *Service) recordBatch(ctx context.Context, by authz.Actor, o id.Org, a audit.Action, batchID string, changes map[string]audit.Change) error {
	now := s.clock.Now()
	return s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		return tx.Audit.Append(ctx, audit.Accepted(o, now, by, a, batchResource, batchID, changes))
	})
}
