package temporal_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports/porttest"
)

func TestDispatcher(t *testing.T) {
	t.Parallel()
	b := setup(t)
	namespace := b.namespace(t)
	tenant := b.serve(t, namespace)
	by := member()
	start := func(t *testing.T, s workflow.Start) workflow.Execution {
		t.Helper()
		s.ID, s.TaskQueue = newID(), taskQueue
		e, err := b.dispatcher.Start(t.Context(), namespace, by, s)
		if err != nil {
			t.Fatalf("start: %v", err)
		}
		return e
	}
	result := func(t *testing.T, e workflow.Execution) workflow.Result {
		t.Helper()
		r, err := b.dispatcher.Result(t.Context(), namespace, e.ID, "", 20*time.Second)
		if err != nil {
			t.Fatalf("result: %v", err)
		}
		return r
	}

	t.Run("Should record who started an execution", func(t *testing.T) {
		is := is.New(t)
		e := start(t, workflow.Start{Type: porttest.NothingType})
		eventually(t, "the execution is found by its actor", func() bool {
			res, err := tenant.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
				Query: `BulkheadActor = "` + by.Key().String() + `" AND WorkflowId = "` + e.ID + `"`,
			})
			return err == nil && len(res.GetExecutions()) == 1
		})
		described, err := tenant.DescribeWorkflowExecution(t.Context(), e.ID, "")
		is.NoErr(err)
		memo := described.GetWorkflowExecutionInfo().GetMemo().GetFields()
		is.Equal(string(memo["actor"].GetData()), `"`+by.Key().String()+`"`)
		is.Equal(string(memo["user"].GetData()), `"`+by.User().String()+`"`)
	})

	t.Run("Should show output that is not JSON as what it is", func(t *testing.T) {
		is := is.New(t)
		r := result(t, start(t, workflow.Start{Type: "Bytes"}))
		is.Equal(string(r.Output), `{"encoding":"binary/plain","data":"AP8="}`)
	})

	t.Run("Should find the tenant's own failure beneath Temporal's layers", func(t *testing.T) {
		is := is.New(t)
		r := result(t, start(t, workflow.Start{Type: "Activity"}))
		is.Equal(r.Status, workflow.Failed)
		is.Equal(*r.Failure, workflow.Failure{Message: "the floor is wet", Type: "Slip"})
	})

	t.Run("Should tell the ends apart", func(t *testing.T) {
		is := is.New(t)
		canceled := start(t, workflow.Start{Type: porttest.WaitType})
		is.NoErr(tenant.CancelWorkflow(t.Context(), canceled.ID, ""))
		r := result(t, canceled)
		is.Equal(r.Status, workflow.Canceled)
		is.Equal(r.Failure.Type, "Canceled")

		terminated := start(t, workflow.Start{Type: porttest.WaitType})
		is.NoErr(tenant.TerminateWorkflow(t.Context(), terminated.ID, "", "enough of it"))
		r = result(t, terminated)
		is.Equal(r.Status, workflow.Terminated)
		is.Equal(*r.Failure, workflow.Failure{Message: "enough of it", Type: "Terminated"})

		r = result(t, start(t, workflow.Start{Type: porttest.WaitType, ExecutionTimeout: time.Second}))
		is.Equal(r.Status, workflow.TimedOut)
		is.Equal(r.Failure.Type, "Timeout")

		e, err := b.dispatcher.Describe(t.Context(), namespace, terminated.ID, "")
		is.NoErr(err)
		is.Equal(e.Status, workflow.Terminated)
	})

	t.Run("Should keep Temporal's own words from its caller", func(t *testing.T) {
		is := is.New(t)
		_, err := b.dispatcher.Start(t.Context(), namespace, by, workflow.Start{
			ID: newID(), Type: porttest.EchoType, TaskQueue: taskQueue, Input: []json.RawMessage{[]byte(`"` + string(make([]byte, 3<<20)) + `"`)},
		})
		is.True(fault.IsKind(err, fault.Invalid))
		is.Equal(fault.From(err).Public, "Temporal refuses the request. Check the identifiers, the timeouts and the size of the input.")
	})

	t.Run("Should see a late close although it waits in slices", func(t *testing.T) {
		is := is.New(t)
		impatient := setup(t).dispatcher
		e := start(t, workflow.Start{Type: porttest.WaitType})
		closes := time.AfterFunc(2500*time.Millisecond, func() { // in the second slice
			_ = tenant.SignalWorkflow(t.Context(), e.ID, "", release, nil)
		})
		defer closes.Stop()
		begun := time.Now()
		r, err := impatient.Result(t.Context(), namespace, e.ID, "", 30*time.Second)
		is.NoErr(err)
		is.Equal(r.Status, workflow.Completed)
		is.True(time.Since(begun) < 10*time.Second) // the server's own bound is 20
	})

	t.Run("Should lose to what was started beside it", func(t *testing.T) {
		is := is.New(t)
		id := newID()
		_, err := tenant.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: taskQueue}, porttest.NothingType)
		is.NoErr(err)
		_, err = b.dispatcher.Start(t.Context(), namespace, by, workflow.Start{ID: id, Type: porttest.NothingType, TaskQueue: taskQueue})
		is.True(errors.Is(err, workflow.ErrAlreadyStarted))
	})
}
