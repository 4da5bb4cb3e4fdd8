package isolation

import (
	"encoding/json"
	"testing"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

var _ = add(seeds{
	"batchCancelWorkflows": {Body: func(*party) map[string]any { return map[string]any{"query": "WorkflowId = 'made-" + unique + "'"} }},
	"batchTerminateWorkflows": {Body: func(*party) map[string]any {
		return map[string]any{"query": "WorkflowId = 'made-" + unique + "'", "reason": "made"}
	}},
	"batchSignalWorkflows": {Body: func(*party) map[string]any {
		return map[string]any{"query": "WorkflowId = 'made-" + unique + "'", "signal": map[string]any{"name": "made", "input": []any{"made"}}}
	}},
	"listWorkflowBatches": {Make: makeBatch},
	"getWorkflowBatch":    {Make: makeBatch},
	"stopWorkflowBatch": {
		Make: makeBatch, Body: func(*party) map[string]any { return map[string]any{"reason": "made"} },
		Never: "a batch with so little to do has ended before it can be stopped",
	},
})

// makeBatch has a batch of the party's, which finds nothing to do, when the one
// before it has ended.
func makeBatch(t testing.TB, w *world, p *party) map[string]string {
	t.Helper()
	r := &request{method: "POST", path: "/api/v0/organizations/" + p.ID + "/workflow-batches/cancel", header: map[string][]string{}}
	r.body = encode(map[string]any{"query": "WorkflowId = '" + p.word("batch query") + "'", "reason": p.word("batch reason")})
	var made map[string]any
	harness.Eventually(t, "a batch can be started", func() bool {
		got, err := w.do(t.Context(), r, &credential{header: bearer(p.key)})
		if err != nil {
			t.Fatal(err)
		}
		if got.status == 409 {
			return false
		}
		if !got.succeeded() || json.Unmarshal(got.body, &made) != nil {
			t.Fatalf("%s", got.bytes())
		}
		return true
	})
	return map[string]string{"batch": text(made, "id")}
}
