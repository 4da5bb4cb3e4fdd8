package temporal

import (
	"context"
	"errors"
	"strings"

	batchpb "go.temporal.io/api/batch/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// batchType begins the type of the workflows that Temporal runs its batches as.
	batchType = "temporal-sys-batch-workflow"
	// noReason is what Temporal is told when nobody gives a reason: it wants one.
	noReason = "No reason was given."
)

// Batches implements ports.Batches with Temporal's own batch operations, which its
// worker service runs in the tenant's namespace.
type Batches struct{ dispatcher *Dispatcher }

var _ ports.Batches = (*Batches)(nil)

// NewBatches returns the batches behind the dispatcher's connection.
func NewBatches(d *Dispatcher) *Batches { return &Batches{dispatcher: d} }

func (b *Batches) conn() *Connection { return b.dispatcher.conn }

func (b *Batches) service() workflowservice.WorkflowServiceClient { return b.dispatcher.service() }

// Start implements ports.Batches. Temporal refuses a second batch before it looks
// whether the id is that of the first, so we look.
func (b *Batches) Start(ctx context.Context, namespace string, by authz.Actor, batchID string, in workflow.BatchStart) (workflow.Batch, error) {
	if by.Subject() == "" {
		return workflow.Batch{}, fault.ErrUnauthenticated
	}
	within, err := b.conn().within(ctx, namespace)
	if err != nil {
		return workflow.Batch{}, err
	}
	_, err = invoke(within, b.conn().cfg.CallTimeout, b.service().StartBatchOperation, startBatchRequest(namespace, by, batchID, in))
	isBusy := isAnotherRunning(err)
	switch {
	case err == nil: // a second call could fail although the batch runs
		return workflow.Batch{
			ID: batchID, Kind: in.Kind, State: workflow.BatchRunning, Query: in.Query, Reason: in.Reason,
			StartedBy: by.Subject(), StartedAt: b.conn().clock.Now(),
		}, nil
	case !isBusy && !errors.Is(err, workflow.ErrAlreadyStarted):
		return workflow.Batch{}, queryFault(err)
	}
	found, failed := b.describe(within, namespace, batchID)
	if isBusy && errors.Is(failed, workflow.ErrNotFound) {
		return workflow.Batch{}, workflow.ErrBatchRunning.Because(err)
	}
	return found, failed
}

// isAnotherRunning tells Temporal's bound on batches that run from those on rates.
func isAnotherRunning(err error) bool {
	exhausted := (*serviceerror.ResourceExhausted)(nil)
	return errors.As(err, &exhausted) && exhausted.Cause == enumspb.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT
}

func startBatchRequest(namespace string, by authz.Actor, batchID string, in workflow.BatchStart) *workflowservice.StartBatchOperationRequest {
	req := &workflowservice.StartBatchOperationRequest{
		Namespace: namespace, JobId: batchID, VisibilityQuery: in.Query, Reason: reasonOr(in.Reason),
	}
	who := identityOf(by)
	switch in.Kind {
	case workflow.BatchCancel:
		req.Operation = &workflowservice.StartBatchOperationRequest_CancellationOperation{
			CancellationOperation: &batchpb.BatchOperationCancellation{Identity: who},
		}
	case workflow.BatchTerminate:
		req.Operation = &workflowservice.StartBatchOperationRequest_TerminationOperation{
			TerminationOperation: &batchpb.BatchOperationTermination{Identity: who},
		}
	case workflow.BatchSignal:
		req.Operation = &workflowservice.StartBatchOperationRequest_SignalOperation{
			SignalOperation: &batchpb.BatchOperationSignal{Signal: in.Signal.Name, Input: encodeInput(in.Signal.Input), Identity: who},
		}
	}
	return req
}

func reasonOr(reason string) string {
	if reason == "" {
		return noReason
	}
	return reason
}

// Describe implements ports.Batches.
func (b *Batches) Describe(ctx context.Context, namespace, batchID string) (workflow.Batch, error) {
	ctx, err := b.conn().within(ctx, namespace)
	if err != nil {
		return workflow.Batch{}, err
	}
	return b.describe(ctx, namespace, batchID)
}

// describe is Describe in a context that is within the namespace already. To
// Temporal any workflow may be a batch that one has its id, and be ended as one:
// so we look at its type first.
func (b *Batches) describe(ctx context.Context, namespace, batchID string) (workflow.Batch, error) {
	kind, err := workflow.BatchKindOf(batchID)
	if err != nil {
		return workflow.Batch{}, err
	}
	e, err := b.dispatcher.describe(ctx, namespace, batchID, "")
	switch {
	case err != nil:
		return workflow.Batch{}, err
	case !strings.HasPrefix(e.Type, batchType):
		return workflow.Batch{}, workflow.ErrNotFound
	}
	res, err := invoke(ctx, b.conn().cfg.CallTimeout, b.service().DescribeBatchOperation, &workflowservice.DescribeBatchOperationRequest{
		Namespace: namespace, JobId: batchID,
	})
	if err != nil {
		return workflow.Batch{}, err
	}
	found := batchOf(batchID, kind, res.GetState(), res.GetStartTime(), res.GetCloseTime())
	found.Query, found.StartedBy = res.GetQuery(), strings.TrimPrefix(res.GetIdentity(), identity+"/")
	if res.GetReason() != noReason {
		found.Reason = res.GetReason()
	}
	progress := workflow.BatchProgress{
		Total: res.GetTotalOperationCount(), Done: res.GetCompleteOperationCount(), Failed: res.GetFailureOperationCount(),
	}
	// Zeros of one that has not completed are no counts: Temporal has none.
	if found.State == workflow.BatchCompleted || progress != (workflow.BatchProgress{}) {
		found.Progress = &progress
	}
	return found, nil
}

// List implements ports.Batches.
func (b *Batches) List(ctx context.Context, namespace string, p page.TokenRequest) (page.TokenPage[workflow.Batch], error) {
	ctx, err := b.conn().within(ctx, namespace)
	if err != nil {
		return page.TokenPage[workflow.Batch]{}, err
	}
	res, err := invoke(ctx, b.conn().cfg.CallTimeout, b.service().ListBatchOperations, &workflowservice.ListBatchOperationsRequest{
		Namespace: namespace, PageSize: int32(p.Limit), NextPageToken: p.Token, //nolint:gosec // at most page.MaxLimit
	})
	if err != nil {
		return page.TokenPage[workflow.Batch]{}, err
	}
	out := page.TokenPage[workflow.Batch]{}
	for _, info := range res.GetOperationInfo() {
		if kind, err := workflow.BatchKindOf(info.GetJobId()); err == nil {
			out.Items = append(out.Items, batchOf(info.GetJobId(), kind, info.GetState(), info.GetStartTime(), info.GetCloseTime()))
		}
	}
	if len(res.GetNextPageToken()) > 0 {
		out.Next = res.GetNextPageToken()
	}
	return out, nil
}

// Stop implements ports.Batches.
func (b *Batches) Stop(ctx context.Context, namespace string, by authz.Actor, batchID, reason string) error {
	if by.Subject() == "" {
		return fault.ErrUnauthenticated
	}
	ctx, err := b.conn().within(ctx, namespace)
	if err != nil {
		return err
	}
	found, err := b.describe(ctx, namespace, batchID)
	if err != nil || found.State != workflow.BatchRunning {
		return err
	}
	_, err = invoke(ctx, b.conn().cfg.CallTimeout, b.service().StopBatchOperation, &workflowservice.StopBatchOperationRequest{
		Namespace: namespace, JobId: batchID, Reason: reason, Identity: identityOf(by),
	})
	if fault.IsKind(err, fault.NotFound) { // it has ended since: nothing is removed that was just there
		return nil
	}
	return err
}

func batchOf(batchID string, kind workflow.BatchKind, s enumspb.BatchOperationState, started, closed *timestamppb.Timestamp) workflow.Batch {
	return workflow.Batch{ID: batchID, Kind: kind, State: batchStateOf(s), StartedAt: instant(started), ClosedAt: instant(closed)}
}

func batchStateOf(s enumspb.BatchOperationState) workflow.BatchState {
	switch s {
	case enumspb.BATCH_OPERATION_STATE_COMPLETED:
		return workflow.BatchCompleted
	case enumspb.BATCH_OPERATION_STATE_FAILED:
		return workflow.BatchFailed
	case enumspb.BATCH_OPERATION_STATE_RUNNING, enumspb.BATCH_OPERATION_STATE_UNSPECIFIED:
	}
	return workflow.BatchRunning
}
