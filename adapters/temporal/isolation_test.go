package temporal_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	sdkworkflow "go.temporal.io/sdk/workflow"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// These tests are about Temporal's own refusal: the second of two layers, which
// holds when a mistake of ours has opened the first.
func TestTenantToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mine, other := b.namespace(t), b.namespace(t)

	t.Run("Should open its own namespace", func(t *testing.T) {
		is := is.New(t)
		_, err := b.client(t, mine, mine+":write").ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, "Any")
		is.NoErr(err)
	})

	t.Run("Should be refused in another namespace", func(t *testing.T) {
		is := is.New(t)
		intruder := b.client(t, other, mine+":write")
		_, err := intruder.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, "Any")
		is.True(denied(err))
		_, err = intruder.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{})
		is.True(denied(err))
		w := worker.New(intruder, taskQueue, worker.Options{})
		w.RegisterWorkflowWithOptions(waiting, sdkworkflow.RegisterOptions{Name: "Wait"})
		is.True(denied(w.Start()))
	})

	t.Run("Should not administer even its own namespace", func(t *testing.T) {
		is := is.New(t)
		c := b.client(t, mine, mine+":write")
		_, err := c.WorkflowService().UpdateNamespace(t.Context(), &workflowservice.UpdateNamespaceRequest{Namespace: mine})
		is.True(denied(err))
		_, err = c.WorkflowService().ListNamespaces(t.Context(), &workflowservice.ListNamespacesRequest{})
		is.True(denied(err))
	})

	t.Run("Should only read when it is for reading", func(t *testing.T) {
		is := is.New(t)
		c := b.client(t, mine, mine+":read")
		_, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{})
		is.NoErr(err)
		_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, "Any")
		is.True(denied(err))
	})
}

func TestDispatcherScope(t *testing.T) {
	t.Parallel()
	b := setup(t)

	t.Run("Should have no business in the system namespace", func(t *testing.T) {
		is := is.New(t)
		_, err := b.dispatcher.Start(t.Context(), org.SystemNamespace, member(), workflow.Start{ID: newID(), Type: "Any", TaskQueue: taskQueue})
		is.True(fault.IsKind(err, fault.Forbidden))
		_, err = b.dispatcher.Describe(t.Context(), org.SystemNamespace, "any", "")
		is.True(fault.IsKind(err, fault.Forbidden))
		_, err = b.dispatcher.Result(t.Context(), org.SystemNamespace, "any", "", 0)
		is.True(fault.IsKind(err, fault.Forbidden))
	})

	t.Run("Should ask for no token that would open more than a namespace", func(t *testing.T) {
		for _, namespace := range []string{"", "temporal-system", "org-a:admin"} {
			is := is.New(t)
			_, err := b.dispatcher.Describe(t.Context(), namespace, "any", "")
			is.True(fault.IsKind(err, fault.Internal))
		}
	})
}

func denied(err error) bool {
	var d *serviceerror.PermissionDenied
	return errors.As(err, &d)
}
