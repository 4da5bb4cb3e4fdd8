package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

const (
	batchesURL = acmeURL + "/workflow-batches"
	goodBatch  = `{"query":"WorkflowType = 'Order'","reason":"stuck"}`
)

// aBatch is a batch with everything that it can hold.
var aBatch = workflow.Batch{
	ID: workflow.NewBatchID(workflow.BatchTerminate, uuid.New()), Kind: workflow.BatchTerminate, State: workflow.BatchRunning,
	Query: "WorkflowType = 'Order'", Reason: "stuck", StartedBy: "key_1",
	Progress:  &workflow.BatchProgress{Total: 7, Done: 5, Failed: 1},
	StartedAt: now, ClosedAt: now.Add(time.Minute),
}

// batching is what batches were last told.
type batching struct {
	started workflow.BatchStart
	stopped string
	after   string
	fails   error
}

// batcher knows one batch, and notes what it is told.
type batcher struct{ *memory }

func (b batcher) Start(_ context.Context, _ string, _ authz.Actor, batchID string, in workflow.BatchStart) (workflow.Batch, error) {
	b.batched.started = in
	return workflow.Batch{ID: batchID, Kind: in.Kind, State: workflow.BatchRunning, StartedAt: now}, b.batched.fails
}

func (batcher) Describe(_ context.Context, _, batchID string) (workflow.Batch, error) {
	if batchID != aBatch.ID {
		return workflow.Batch{}, workflow.ErrNotFound
	}
	return aBatch, nil
}

func (b batcher) List(_ context.Context, _ string, r page.TokenRequest) (page.TokenPage[workflow.Batch], error) {
	b.batched.after = string(r.Token)
	return page.TokenPage[workflow.Batch]{
		Items: []workflow.Batch{{ID: aBatch.ID, Kind: aBatch.Kind, State: aBatch.State, StartedAt: now}}, Next: []byte("here"),
	}, nil
}

func (b batcher) Stop(_ context.Context, _ string, _ authz.Actor, _, reason string) error {
	b.batched.stopped = reason
	return nil
}

func TestWorkflowBatches(t *testing.T) {
	t.Parallel()

	t.Run("Should start what is asked for, and say where it is", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for operation, want := range map[string]workflow.BatchStart{
			"batchCancelWorkflows":    {Kind: workflow.BatchCancel, Query: "WorkflowType = 'Order'", Reason: "stuck"},
			"batchTerminateWorkflows": {Kind: workflow.BatchTerminate, Query: "WorkflowType = 'Order'", Reason: "stuck"},
			"batchSignalWorkflows": {
				Kind: workflow.BatchSignal, Query: "WorkflowType = 'Order'", Signal: &workflow.Message{Name: "approve", Input: []json.RawMessage{[]byte("true")}},
			},
		} {
			is := is.New(t)
			made := b.call(operation)
			is.Equal(made.Code, http.StatusAccepted)
			is.Equal(b.memory.batched.started, want)
			var body map[string]any
			is.NoErr(json.Unmarshal(made.Body.Bytes(), &body))
			is.Equal(made.Header().Get("Location"), "/api/v0/organizations/"+b.acme.ID().String()+"/workflow-batches/"+body["id"].(string))
			is.Equal([]any{body["kind"], body["state"], body["total"], body["done"]}, []any{want.Kind.String(), "running", 2.0, 0.0}) // as many as run
		}
	})

	t.Run("Should show all that is known, and nothing that is not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		var whole, list map[string]any
		is.NoErr(json.Unmarshal(b.call("getWorkflowBatch").Body.Bytes(), &whole))
		is.Equal(whole, map[string]any{
			"id": aBatch.ID, "kind": "terminate", "state": "running", "query": "WorkflowType = 'Order'", "reason": "stuck", "started_by": "key_1",
			"total": 7.0, "done": 5.0, "failed": 1.0, "started_at": now.Format(time.RFC3339), "closed_at": now.Add(time.Minute).Format(time.RFC3339),
		})
		is.NoErr(json.Unmarshal(b.call("listWorkflowBatches").Body.Bytes(), &list))
		is.Equal(list["items"], []any{map[string]any{"id": aBatch.ID, "kind": "terminate", "state": "running", "started_at": now.Format(time.RFC3339)}})
		is.Equal(b.do(request("GET", batchesURL+"?cursor="+list["next_cursor"].(string), b.admin, "")).Code, http.StatusOK)
		is.Equal(b.memory.batched.after, "here")
		is.Equal(b.do(request("GET", schedulesURL+"?cursor="+list["next_cursor"].(string), b.admin, "")).Code, http.StatusBadRequest)
	})

	t.Run("Should stop for a reason", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		is.Equal(b.call("stopWorkflowBatch").Code, http.StatusNoContent)
		is.Equal(b.memory.batched.stopped, "enough")
		absent := b.do(request("POST", batchesURL+"/"+workflow.NewBatchID(workflow.BatchCancel, uuid.New())+"/stop", b.admin, `{"reason":"enough"}`))
		is.Equal(absent.Code, http.StatusNotFound)
	})

	t.Run("Should refuse a second batch with a code of its own", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.memory.batched.fails = workflow.ErrBatchRunning
		second := b.call("batchCancelWorkflows")
		is.Equal(second.Code, http.StatusConflict)
		is.True(strings.Contains(second.Body.String(), `"workflow.batch_running"`))
	})

	t.Run("Should refuse a query that is missing, empty or of Temporal's own executions", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for _, body := range []string{`{}`, `{"query":""}`, `{"query":"TemporalNamespaceDivision = 'TemporalScheduler'"}`} {
			is := is.New(t)
			refused := b.do(request("POST", batchesURL+"/cancel", b.admin, body))
			is.Equal(refused.Code, http.StatusBadRequest)
			is.True(strings.Contains(refused.Body.String(), "/query"))
		}
	})
}
