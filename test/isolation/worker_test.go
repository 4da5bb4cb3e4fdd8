package isolation

import (
	"testing"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// What a party's workflow answers.
const (
	ownQuery  = "own-query"
	ownUpdate = "own-update"
)

// served starts a workflow of the party's that a worker answers for: what only the
// workflow's code can answer.
func served(t testing.TB, w *world, p *party) map[string]string {
	t.Helper()
	if p.queue == "" {
		w.serve(t, p)
	}
	made := w.call(t, p.key, "POST", "/api/v0/organizations/"+p.ID+"/workflows", map[string]any{
		"workflow_id": p.word("workflow id"), "type": "Answering", "task_queue": p.queue,
	})
	return map[string]string{"workflow_id": text(made, "workflow_id"), "run_id": text(made, "run_id")}
}

// serve runs a worker of the party's as long as the test takes. The first to ask
// for it is newWorld, whose test is the whole.
func (w *world) serve(t testing.TB, p *party) {
	t.Helper()
	temporal, err := sdk.Dial(t.Context(), sdk.Config{URL: w.url, APIKey: p.key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(temporal.Close)
	p.queue = p.word("task queue")
	serving, answer := worker.New(temporal, p.queue, worker.Options{LocalActivityWorkerOnly: true}), p.word("workflow answer")
	serving.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		if err := workflow.SetQueryHandler(ctx, ownQuery, func() (string, error) { return answer, nil }); err != nil {
			return err
		}
		if err := workflow.SetUpdateHandler(ctx, ownUpdate, func(workflow.Context) (string, error) { return answer, nil }); err != nil {
			return err
		}
		return workflow.Await(ctx, func() bool { return false })
	}, workflow.RegisterOptions{Name: "Answering"})
	if err := serving.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(serving.Stop)
}
