// Package workflows runs an organization's workflows in its own namespace.
package workflows

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Service runs workflows.
type Service struct {
	store      ports.Store
	dispatcher ports.Dispatcher
	batches    ports.Batches
	ledger     ports.DispatchRecorder
	limiter    ports.Limiter
	limits     limit.Standard
	clock      ports.Clock
	running    workflow.Tally
}

// New returns the service. limits are those of organizations for which none were set.
func New(store ports.Store, dispatcher ports.Dispatcher, batches ports.Batches, ledger ports.DispatchRecorder, limiter ports.Limiter, limits limit.Standard, clock ports.Clock) *Service {
	return &Service{store: store, dispatcher: dispatcher, batches: batches, ledger: ledger, limiter: limiter, limits: limits, clock: clock}
}

// Start starts a workflow. Without an id it gets a random one. The request
// stands in the audit trail and in the ledger before anything is started. A request
// that is repeated gets the run that it has started or joined, whatever has become of
// the id since. With a signal, which takes
// the permission to send one, a workflow that runs under the id is sent that
// instead. To terminate what runs takes the permission to. It fails with
// workflow.ErrAlreadyStarted, org.ErrNotAllowed, org.ErrNotActive,
// org.ErrReserved, limit.ErrRateExceeded, limit.ErrExceeded, limit.ErrPayloadTooLarge
// and, for a broken rule, fault.ErrInvalid.
func (s *Service) Start(ctx context.Context, by authz.Actor, o id.Org, in workflow.Start) (workflow.Execution, error) {
	if err := by.Require(authz.WorkflowsStart, o); err != nil {
		return workflow.Execution{}, err
	}
	if in.Signal != nil {
		if err := by.Require(authz.WorkflowsSignal, o); err != nil {
			return workflow.Execution{}, err
		}
	}
	if in.Conflict == workflow.TerminateExisting {
		if err := by.Require(authz.WorkflowsTerminate, o); err != nil {
			return workflow.Execution{}, err
		}
	}
	if in.ID == "" {
		in.ID = "wf-" + newID(ctx)
	}
	if err := in.Validate(); err != nil {
		return workflow.Execution{}, err
	}
	row, err := s.active(ctx, o)
	if err != nil {
		return workflow.Execution{}, err
	}
	in.Request = requestOf(ctx)
	if e, ok, err := s.known(ctx, by, o, row.Namespace(), in.Request); ok || err != nil {
		return e, err
	}
	if err := row.Snapshot().Settings.AllowList.Check(by.Role().String(), in.Type, in.TaskQueue); err != nil {
		return workflow.Execution{}, err
	}
	if err := s.admit(ctx, row, in); err != nil {
		return workflow.Execution{}, err
	}
	now, changes := s.clock.Now(), onRecord(in)
	d := entry(by, o, now, in)
	err = s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Dispatches.Request(ctx, d); err != nil {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(o, now, by, audit.WorkflowStartRequested, "workflow", in.ID, changes))
	})
	if err != nil {
		return workflow.Execution{}, err
	}
	e, err := s.dispatcher.Start(ctx, row.Namespace(), by, in)
	s.settle(by, d, e, err)
	return e, err
}

// onRecord is what the trail holds of a start: never its input, memo or search
// attributes, which are the tenant's data.
func onRecord(in workflow.Start) map[string]audit.Change {
	changes := map[string]audit.Change{"type": audit.Created(in.Type), "task_queue": audit.Created(in.TaskQueue)}
	if in.Signal != nil {
		changes["signal"] = audit.Created(in.Signal.Name)
	}
	if in.Reuse != (workflow.Reuse{}) {
		changes["id_reuse_policy"] = audit.Created(in.Reuse.String())
	}
	if in.Conflict != (workflow.Conflict{}) {
		changes["id_conflict_policy"] = audit.Created(in.Conflict.String())
	}
	return changes
}

// newID returns a random id; that of the claim when the request has one, so that
// the request's next attempt starts nothing of another name.
func newID(ctx context.Context) string {
	if c, ok := idempotency.From(ctx); ok {
		return c.ID().String()
	}
	return id.New[id.EventKind]().UUID().String()
}

// Describe shows an execution: the run, or the latest when runID is "". It fails
// with workflow.ErrNotFound.
func (s *Service) Describe(ctx context.Context, by authz.Actor, o id.Org, workflowID, runID string) (workflow.Execution, error) {
	namespace, err := s.readable(ctx, by, o, workflowID)
	if err != nil {
		return workflow.Execution{}, err
	}
	return s.dispatcher.Describe(ctx, namespace, workflowID, runID)
}

// Result returns how an execution ended, or that it still runs after wait. It
// fails with workflow.ErrNotFound.
func (s *Service) Result(ctx context.Context, by authz.Actor, o id.Org, workflowID, runID string, wait time.Duration) (workflow.Result, error) {
	namespace, err := s.readable(ctx, by, o, workflowID)
	if err != nil {
		return workflow.Result{}, err
	}
	return s.dispatcher.Result(ctx, namespace, workflowID, runID, wait)
}

// readable authorizes a read of a workflow and returns the namespace to read in.
func (s *Service) readable(ctx context.Context, by authz.Actor, o id.Org, workflowID string) (string, error) {
	return s.reading(ctx, by, o, func() error { return workflow.CheckID(workflowID) })
}

// reading authorizes a read, checks it, and returns the namespace to read in.
func (s *Service) reading(ctx context.Context, by authz.Actor, o id.Org, check func() error) (string, error) {
	if err := by.Require(authz.WorkflowsRead, o); err != nil {
		return "", err
	}
	if err := check(); err != nil {
		return "", err
	}
	return s.namespace(ctx, o)
}

// namespace returns where the workflows of an active organization are.
func (s *Service) namespace(ctx context.Context, o id.Org) (string, error) {
	row, err := s.active(ctx, o)
	if err != nil {
		return "", err
	}
	return row.Namespace(), nil
}

// active returns an organization whose workflows may run.
func (s *Service) active(ctx context.Context, o id.Org) (org.Org, error) {
	row, err := s.store.Reads(o).Org(ctx)
	if err != nil {
		return org.Org{}, err
	}
	return row, row.RequireActive()
}
