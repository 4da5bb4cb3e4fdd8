package isolation

import "testing"

var _ = add(seeds{
	"startWorkflow": {Body: func(*party) map[string]any {
		return map[string]any{"type": "Made", "task_queue": "made", "workflow_id": "made-" + unique, "input": []any{"made"}}
	}},
	"describeWorkflow":   {Make: makeWorkflow},
	"getWorkflowResult":  {Make: makeResult},
	"getWorkflowHistory": {Make: makeWorkflow},
	"listWorkflows": {Make: func(t testing.TB, w *world, p *party) map[string]string {
		makeWorkflow(t, w, p)
		return nil
	}},
	"countWorkflows": {Make: func(t testing.TB, w *world, p *party) map[string]string {
		makeWorkflow(t, w, p)
		return nil
	}},
	"signalWorkflow": {Make: makeWorkflow, Body: func(*party) map[string]any {
		return map[string]any{"name": "made", "input": []any{"made"}}
	}},
	"queryWorkflow":  {Make: served, Body: func(*party) map[string]any { return map[string]any{"name": ownQuery} }},
	"updateWorkflow": {Make: served, Body: func(*party) map[string]any { return map[string]any{"name": ownUpdate} }},
	"resetWorkflow": {Make: makeResult, Body: func(*party) map[string]any {
		return map[string]any{"to": "first_workflow_task", "reason": "made"}
	}},
	"cancelWorkflow":    {Make: makeWorkflow, Body: func(*party) map[string]any { return map[string]any{"reason": "made"} }},
	"terminateWorkflow": {Make: makeWorkflow, Body: func(*party) map[string]any { return map[string]any{"reason": "made"} }},
})

// makeWorkflow starts a workflow of the party's.
func makeWorkflow(t testing.TB, w *world, p *party) map[string]string {
	t.Helper()
	made := w.call(t, p.key, "POST", "/api/v0/organizations/"+p.ID+"/workflows", map[string]any{
		"workflow_id": p.word("workflow id"), "type": p.word("workflow type"), "task_queue": p.word("task queue"),
		"input": []any{p.word("workflow input")},
	})
	return map[string]string{"workflow_id": text(made, "workflow_id"), "run_id": text(made, "run_id")}
}

// makeResult starts a workflow of the party's and completes it.
func makeResult(t testing.TB, w *world, p *party) map[string]string {
	t.Helper()
	queue := p.word("task queue")
	made := w.call(t, p.key, "POST", "/api/v0/organizations/"+p.ID+"/workflows", map[string]any{
		"workflow_id": p.word("workflow id"), "type": p.word("workflow type"), "task_queue": queue,
	})
	w.complete(t, p, queue, p.word("workflow output"))
	return map[string]string{"workflow_id": text(made, "workflow_id"), "run_id": text(made, "run_id")}
}
