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

// reclaimID begins the identifier of Temporal's own workflow that removes what was in a
// deleted namespace, in clusterScope. The namespace's name of then follows.
const reclaimID = "temporal-sys-reclaim-namespace-resources-workflow/"

// hasten asks for the deletion of a deleted namespace once more when nobody is at work on
// it. Temporal's own workflow fails when one execution can not be deleted, such as while a
// server that was restarted takes up its shards; it is begun anew after one minute and
// then after two, and after that never. Asked again, Temporal begins a new one in place of
// the old. What is at work is left alone: it would begin from the start each time. So is
// what is not found, as it is called otherwise by another release, or is about to begin.
func (n *Namespaces) hasten(ctx context.Context, name string, s namespace.State) error {
	if s.Status != namespace.Deleted {
		return nil
	}
	work, err := invoke(ctx, n.conn.cfg.CallTimeout, n.conn.adminService().DescribeWorkflowExecution, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: clusterScope, Execution: &commonpb.WorkflowExecution{WorkflowId: reclaimID + name},
	})
	if fault.IsKind(err, fault.NotFound) {
		return nil
	}
	if err != nil || !isIdle(work.GetWorkflowExecutionInfo()) {
		return err
	}
	return n.delete(ctx, name)
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
