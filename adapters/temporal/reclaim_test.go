package temporal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
)

// TestReclaimGivenUp takes Temporal's own work on a deleted namespace from it.
func TestReclaimGivenUp(t *testing.T) {
	t.Parallel()
	const of = "temporal-sys-reclaim-namespace-resources-workflow/"
	b := setup(t)
	cluster := b.client(t, "temporal-system", "temporal-system:admin")
	// given deletes a namespace, ends the removal of what was in it, and returns the
	// namespace's name of then.
	given := func(t *testing.T) (mine namespace.Blueprint, work string) {
		t.Helper()
		is := is.New(t)
		owner := id.New[id.OrgKind]()
		mine = namespace.Blueprint{Namespace: "org-given-" + owner.Tail(8), Owner: owner, Retention: 24 * time.Hour}
		is.NoErr(b.namespaces.Ensure(t.Context(), mine))
		eventually(t, "the namespace is deleted", func() bool { return b.namespaces.Delete(t.Context(), mine.Namespace, owner) == nil })
		list, err := cluster.WorkflowService().ListNamespaces(t.Context(), &workflowservice.ListNamespacesRequest{
			PageSize: 1000, NamespaceFilter: &namespacepb.NamespaceFilter{IncludeDeleted: true},
		})
		is.NoErr(err)
		for _, found := range list.GetNamespaces() {
			if info := found.GetNamespaceInfo(); info.GetData()["org_id"] == owner.String() {
				work = of + info.GetName()
			}
		}
		is.True(work != "")
		is.NoErr(cluster.TerminateWorkflow(t.Context(), work, "", "A test's")) // it sleeps for two seconds first
		return mine, work
	}
	gone := func(t *testing.T, mine namespace.Blueprint) {
		t.Helper()
		eventually(t, "the namespace is gone", func() bool { return b.namespaces.Gone(t.Context(), mine.Namespace, mine.Owner) == nil })
	}

	t.Run("Should have it begun again when it has come to an end", func(t *testing.T) {
		t.Parallel()
		mine, _ := given(t)
		gone(t, mine)
	})

	t.Run("Should not wait until it would be begun again", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		mine, work := given(t)
		run, err := cluster.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: work, TaskQueue: "nobody", StartDelay: time.Hour}, "Later")
		is.NoErr(err)
		gone(t, mine)
		ended, err := cluster.WorkflowService().DescribeWorkflowExecution(t.Context(), &workflowservice.DescribeWorkflowExecutionRequest{
			Namespace: "temporal-system", Execution: &commonpb.WorkflowExecution{WorkflowId: work, RunId: run.GetRunID()},
		})
		is.NoErr(err)
		is.Equal(ended.GetWorkflowExecutionInfo().GetStatus(), enums.WORKFLOW_EXECUTION_STATUS_TERMINATED)
	})

	t.Run("Should have it begun when Temporal has renamed the namespace and never begun", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		mine, work := given(t)
		// What is left of a server's death in between: no removal, and a deletion that
		// has looked for the old name.
		_, err := cluster.WorkflowService().DeleteWorkflowExecution(t.Context(), &workflowservice.DeleteWorkflowExecutionRequest{
			Namespace: "temporal-system", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: work},
		})
		is.NoErr(err)
		eventually(t, "the removal is forgotten", func() bool {
			_, err := cluster.DescribeWorkflowExecution(t.Context(), work, "")
			var none *serviceerror.NotFound
			return errors.As(err, &none)
		})
		is.True(b.namespaces.Gone(t.Context(), mine.Namespace, mine.Owner) != nil) // its deletion has gone well: left alone
		_, err = cluster.DescribeWorkflowExecution(t.Context(), work, "")
		is.True(err != nil)
		repeated, err := cluster.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: "temporal-sys-delete-namespace-workflow/" + mine.Namespace, TaskQueue: "default-worker-tq",
		}, "temporal-sys-delete-namespace-workflow", map[string]string{"Namespace": mine.Namespace})
		is.NoErr(err)
		is.True(repeated.Get(t.Context(), nil) != nil)
		gone(t, mine)
	})

	t.Run("Should leave alone what is at work", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		mine, work := given(t)
		run, err := cluster.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: work, TaskQueue: "nobody"}, "AtWork")
		is.NoErr(err)
		for range 5 {
			is.True(b.namespaces.Gone(t.Context(), mine.Namespace, mine.Owner) != nil)
		}
		still, err := cluster.DescribeWorkflowExecution(t.Context(), work, "")
		is.NoErr(err)
		is.Equal(still.GetWorkflowExecutionInfo().GetExecution().GetRunId(), run.GetRunID())
		is.NoErr(cluster.TerminateWorkflow(t.Context(), work, "", "A test's"))
		gone(t, mine)
	})
}
