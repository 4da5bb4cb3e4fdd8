package httpapi

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

func toWorkflow(e workflow.Execution) gen.Workflow {
	w := gen.Workflow{
		WorkflowID: e.ID, RunID: e.RunID, Type: e.Type, TaskQueue: e.TaskQueue,
		Status: gen.WorkflowStatus(e.Status.String()), StartedAt: e.StartedAt,
		ClosedAt: optional(e.ClosedAt), HistoryLength: optional(e.Events),
	}
	if e.Details != nil {
		showDetails(&w, *e.Details)
	}
	return w
}

func toWorkflowResult(r workflow.Result) gen.WorkflowResult {
	out := gen.WorkflowResult{WorkflowID: r.ID, RunID: r.RunID, Status: gen.WorkflowStatus(r.Status.String())}
	if r.Output != nil {
		out.Output = &r.Output
	}
	if r.Failure != nil {
		out.Failure = &gen.WorkflowFailure{Message: r.Failure.Message, Type: optional(r.Failure.Type)}
	}
	return out
}

func toWorkflowUpdate(workflowID string, u workflow.Update) gen.WorkflowUpdate {
	out := gen.WorkflowUpdate{WorkflowID: workflowID, RunID: u.RunID, UpdateID: u.ID, Status: gen.WorkflowUpdateStatusAccepted}
	switch {
	case u.Failure != nil:
		out.Status = gen.WorkflowUpdateStatusFailed
		out.Failure = &gen.WorkflowFailure{Message: u.Failure.Message, Type: optional(u.Failure.Type)}
	case u.Done:
		out.Status = gen.WorkflowUpdateStatusCompleted
	}
	if u.Output != nil {
		out.Output = &u.Output
	}
	return out
}

func toWorkflowEvent(e workflow.Event) gen.WorkflowEvent {
	return gen.WorkflowEvent{ID: e.ID, Type: e.Type, At: e.At, Attributes: e.Attributes}
}

func toWorkflowTask(t workflow.Task) gen.WorkflowTask {
	out := gen.WorkflowTask{
		EventID: t.EventID, Kind: gen.WorkflowTaskKind(t.Kind.String()), ID: optional(t.ID), Type: optional(t.Type),
		State: gen.WorkflowTaskState(t.State.String()), Attempts: optional(t.Attempts),
		ScheduledAt: t.ScheduledAt, StartedAt: optional(t.StartedAt), ClosedAt: optional(t.ClosedAt),
	}
	if !t.ClosedAt.IsZero() {
		out.DurationMs = new(t.Duration().Milliseconds())
	}
	if t.Failure != nil {
		out.Failure = &gen.WorkflowFailure{Message: t.Failure.Message, Type: optional(t.Failure.Type)}
	}
	return out
}

func toWorkflowCount(c workflow.Count) gen.WorkflowCount {
	out := gen.WorkflowCount{Count: c.Total}
	if c.ByStatus == nil {
		return out
	}
	groups := make([]gen.WorkflowStatusCount, 0, len(c.ByStatus))
	for status, n := range c.ByStatus {
		groups = append(groups, gen.WorkflowStatusCount{Status: gen.WorkflowStatus(status.String()), Count: n})
	}
	slices.SortFunc(groups, func(a, b gen.WorkflowStatusCount) int { return cmp.Compare(a.Status, b.Status) })
	out.ByStatus = &groups
	return out
}

// toStart reads what a request wants started.
func toStart(in gen.WorkflowStart) (workflow.Start, error) {
	reuse, err := workflow.ParseReuse(string(orZero(in.IDReusePolicy)))
	if err != nil {
		return workflow.Start{}, err
	}
	conflict, err := workflow.ParseConflict(string(orZero(in.IDConflictPolicy)))
	if err != nil {
		return workflow.Start{}, err
	}
	start := workflow.Start{
		ID: orZero(in.WorkflowID), Type: in.Type, TaskQueue: in.TaskQueue,
		Input: orZero[[]json.RawMessage](in.Input), Reuse: reuse, Conflict: conflict,
		ExecutionTimeout: ofSeconds(in.ExecutionTimeoutSeconds), RunTimeout: ofSeconds(in.RunTimeoutSeconds),
		TaskTimeout: ofSeconds(in.TaskTimeoutSeconds), Delay: ofSeconds(in.StartDelaySeconds),
		Memo: workflow.Memo(orZero(in.Memo)), Attributes: toAttributes(orZero(in.SearchAttributes)), Cron: orZero(in.CronSchedule),
	}
	if in.RetryPolicy != nil {
		start.Retry = new(toRetryPolicy(*in.RetryPolicy))
	}
	if in.Signal != nil {
		start.Signal = new(message(in.Signal.Name, in.Signal.Input))
	}
	return start, nil
}

func toRetryPolicy(in gen.WorkflowRetryPolicy) workflow.RetryPolicy {
	return workflow.RetryPolicy{
		InitialInterval: ofSeconds(in.InitialIntervalSeconds), BackoffCoefficient: orZero(in.BackoffCoefficient),
		MaximumInterval: ofSeconds(in.MaximumIntervalSeconds), MaximumAttempts: orZero(in.MaximumAttempts),
		NonRetryableTypes: orZero(in.NonRetryableErrorTypes),
	}
}

func toAttributes(in gen.WorkflowSearchAttributes) workflow.Attributes {
	if len(in) == 0 {
		return nil
	}
	out := make(workflow.Attributes, len(in))
	for name, a := range in {
		out[name] = workflow.Attribute{Type: workflow.ParseAttributeType(string(a.Type)), Value: a.Value}
	}
	return out
}

// showDetails adds what is shown of one execution alone.
func showDetails(w *gen.Workflow, d workflow.Details) {
	if d.StartedBy != (workflow.Starter{}) {
		w.StartedBy = &gen.WorkflowStarter{APIKeyID: optional(d.StartedBy.APIKey), UserID: optional(d.StartedBy.User)}
	}
	if len(d.Memo) > 0 {
		w.Memo = new(gen.WorkflowMemo(d.Memo))
	}
	if len(d.Attributes) > 0 {
		shown := make(gen.WorkflowSearchAttributes, len(d.Attributes))
		for name, a := range d.Attributes {
			shown[name] = gen.WorkflowSearchAttribute{Type: gen.WorkflowSearchAttributeType(cmp.Or(a.Type.String(), string(gen.WorkflowSearchAttributeTypeUnknown))), Value: a.Value}
		}
		w.SearchAttributes = &shown
	}
	w.ExecutionTimeoutSeconds, w.RunTimeoutSeconds, w.TaskTimeoutSeconds = inSeconds(d.ExecutionTimeout), inSeconds(d.RunTimeout), inSeconds(d.TaskTimeout)
	if d.Parent != (workflow.Target{}) {
		w.Parent = &gen.WorkflowExecutionRef{WorkflowID: d.Parent.ID, RunID: d.Parent.RunID}
	}
	w.FirstRunID = optional(d.FirstRunID)
}
