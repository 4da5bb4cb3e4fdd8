package e2e

import (
	"fmt"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// hindrance says in one line how far a deletion has come by what both sides have on
// record: its operation, and Temporal's own workflows that remove the namespace.
func hindrance(t *testing.T, s *harness.Stack, operation, namespace string) string {
	t.Helper()
	op, err := s.Operator(t).Operation(t.Context(), operation, 0)
	if err != nil {
		return err.Error()
	}
	said := []string{fmt.Sprintf("%s after %q, %d failures, %q", op.State, op.Step, op.Attempts, op.Failure)}
	temporal := dial(t, &sdk.Token{Token: s.Mint(t, "temporal-system:admin"), TemporalAddress: s.Temporal.Address}, "temporal-system").WorkflowService()
	list, err := temporal.ListNamespaces(t.Context(), &workflowservice.ListNamespacesRequest{
		PageSize: 1000, NamespaceFilter: &namespacepb.NamespaceFilter{IncludeDeleted: true},
	})
	if err != nil {
		return err.Error()
	}
	for _, found := range list.GetNamespaces() {
		info := found.GetNamespaceInfo()
		if !strings.HasPrefix(info.GetName(), namespace) {
			continue
		}
		said = append(said, fmt.Sprintf("%s is %v", info.GetName(), info.GetState()))
		for kind, of := range map[string]string{"delete-namespace": namespace, "reclaim-namespace-resources": info.GetName()} {
			work, err := temporal.DescribeWorkflowExecution(t.Context(), &workflowservice.DescribeWorkflowExecutionRequest{
				Namespace: "temporal-system", Execution: &commonpb.WorkflowExecution{WorkflowId: "temporal-sys-" + kind + "-workflow/" + of},
			})
			if err != nil {
				said = append(said, kind+": "+err.Error())
				continue
			}
			said = append(said, fmt.Sprintf("%s: %v, %d events, activities %v", kind,
				work.GetWorkflowExecutionInfo().GetStatus(), work.GetWorkflowExecutionInfo().GetHistoryLength(), work.GetPendingActivities()))
		}
	}
	return strings.Join(said, "; ")
}
