package ports

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// Batches does the same to many of a tenant's executions. It goes on when whoever
// has started it is gone. The namespace is that of the organization's row, and the
// adapter's credential is good for it alone. What is absent, or is no batch of
// these, is workflow.ErrNotFound, whatever is asked of it.
type Batches interface {
	// Start starts a batch under an id of workflow.NewBatchID, and returns the batch
	// as it stands. It reaches the executions of the namespace that the query chooses
	// and that run or are paused, as they are a moment later, and no others. The actor
	// is recorded on the batch. One id is one batch: that it is there already is
	// success, however it has ended. It fails with workflow.ErrBatchRunning while
	// another runs, and with workflow.ErrQuery for a query that is none. A batch whose
	// query names what is not there fails.
	Start(ctx context.Context, namespace string, by authz.Actor, batchID string, b workflow.BatchStart) (workflow.Batch, error)
	// Describe returns the batch as it stands.
	Describe(ctx context.Context, namespace, batchID string) (workflow.Batch, error)
	// List lists the batches, without what Batch says is not known there. One that
	// has just changed may be shown a moment late. A page can hold fewer than were
	// asked for, and none, before the last.
	List(ctx context.Context, namespace string, p page.TokenRequest) (page.TokenPage[workflow.Batch], error)
	// Stop ends a batch; what it has done stays done. That it has ended is success.
	Stop(ctx context.Context, namespace string, by authz.Actor, batchID, reason string) error
}
