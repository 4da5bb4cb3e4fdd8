package temporal

import (
	"context"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
)

// The beginnings of the identifiers of Temporal's own workflows in clusterScope. The one
// marks a namespace as deleted, renames it and begins the other, which removes what was in
// it. The first is named after what was asked to be deleted, the second after the new name.
const (
	disposalID = "temporal-sys-delete-namespace-workflow/"
	reclaimID  = "temporal-sys-reclaim-namespace-resources-workflow/"
)

// hasten asks for the deletion of a deleted namespace once more when nobody is at work on
// it, by the name under which it is listed now. Temporal leaves one so in two ways.
//
// The removal fails when one execution can not be deleted, such as while a server that was
// restarted takes up its shards; it is begun anew after one minute and then after two, and
// after that never. Asked again, Temporal begins a new one in place of the old.
//
// And the removal is never begun when a server dies after it has renamed the namespace and
// before it has noted so: repeated, the deletion looks for the old name, finds nothing, and
// fails. By the new name it repeats well.
//
// What is at work is left alone: it would begin from the start each time. So is a removal
// that is not found after a deletion that has gone well, as another release may call it
// otherwise.
func (n *Namespaces) hasten(ctx context.Context, name, listed string, s namespace.State) error {
	if s.Status != namespace.Deleted {
		return nil
	}
	for _, workflow := range []string{reclaimID + listed, disposalID + listed, disposalID + name} {
		work, err := invoke(ctx, n.conn.cfg.CallTimeout, n.conn.adminService().DescribeWorkflowExecution, &workflowservice.DescribeWorkflowExecutionRequest{
			Namespace: clusterScope, Execution: &commonpb.WorkflowExecution{WorkflowId: workflow},
		})
		if fault.IsKind(err, fault.NotFound) {
			continue
		}
		if err != nil || !isIdle(work.GetWorkflowExecutionInfo()) {
			return err
		}
		return n.delete(ctx, listed)
	}
	return nil
}

// isIdle tells whether an execution has come to an end other than the good one, or waits
// for its time to begin anew: then its history is its start, and that lies before the time
// at which it may run. No clock but Temporal's is asked.
func isIdle(work *workflowpb.WorkflowExecutionInfo) bool {
	switch work.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return work.GetHistoryLength() == 1 && work.GetExecutionTime().AsTime().After(work.GetStartTime().AsTime())
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED,
		enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return true
	default: // done, or going on in another run
		return false
	}
}
