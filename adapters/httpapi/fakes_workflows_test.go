package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// List returns a list of two pages.
func (m *memory) List(_ context.Context, namespace, query string, p page.TokenRequest) (page.TokenPage[workflow.Execution], error) {
	m.listed = fmt.Sprintf("%s %s %d %s", namespace, query, p.Limit, p.Token)
	e := workflow.Execution{ID: "order/1", RunID: "run", Type: "Order", TaskQueue: "orders", Status: workflow.Running, StartedAt: now}
	if p.Token != nil {
		return page.TokenPage[workflow.Execution]{Items: []workflow.Execution{e}}, nil
	}
	return page.TokenPage[workflow.Execution]{Items: []workflow.Execution{e}, Next: []byte("temporal's own")}, nil
}

// History returns a history of two pages.
func (m *memory) History(_ context.Context, namespace string, at workflow.Target, p page.TokenRequest) (workflow.Events, error) {
	m.listed = fmt.Sprintf("%s %s %s %d %s", namespace, at.ID, at.RunID, p.Limit, p.Token)
	out := workflow.Events{RunID: "run"}
	out.Items = []workflow.Event{{ID: 1, Type: "workflow_execution_started", At: now, Attributes: json.RawMessage(`{"input":[{"n":1.10}]}`)}}
	if p.Token == nil {
		out.Next = []byte("temporal's own")
	}
	return out, nil
}

func (m *memory) Reset(_ context.Context, _ string, _ authz.Actor, at workflow.Target, r workflow.Reset) (string, error) {
	m.controlled = fmt.Sprintf("reset %s %s %s %d %s", at.ID, at.RunID, r.To, r.EventID, r.Reason)
	return "other", nil
}

func (m *memory) Tasks(_ context.Context, namespace string, at workflow.Target) (workflow.Tasks, error) {
	m.listed = fmt.Sprintf("%s %s %s", namespace, at.ID, at.RunID)
	return workflow.Tasks{RunID: "run", Items: []workflow.Task{wholeTask, {EventID: 9, Kind: workflow.TimerTask, State: workflow.TaskStarted, ScheduledAt: now}}}, nil
}

func (m *memory) Count(_ context.Context, namespace, query string, byStatus bool) (workflow.Count, error) {
	m.listed = fmt.Sprintf("%s %s %t", namespace, query, byStatus)
	return workflow.Count{Total: 3, ByStatus: map[workflow.Status]int64{workflow.Running: 2, workflow.Failed: 1}}, nil
}

func (m *memory) Signal(_ context.Context, _ string, _ authz.Actor, at workflow.Target, s workflow.Message) error {
	m.controlled = fmt.Sprintf("signal %s %s %s %s", at.ID, at.RunID, s.Name, s.Input)
	return nil
}

func (m *memory) Query(_ context.Context, _ string, at workflow.Target, s workflow.Message) (json.RawMessage, error) {
	m.controlled = fmt.Sprintf("query %s %s %s %s", at.ID, at.RunID, s.Name, s.Input)
	return json.RawMessage(`{"n":1.10}`), nil
}

func (m *memory) Update(_ context.Context, _ string, _ authz.Actor, at workflow.Target, id string, s workflow.Message) (workflow.Update, error) {
	m.controlled = fmt.Sprintf("update %s %s %s %s", at.ID, at.RunID, s.Name, s.Input)
	return workflow.Update{ID: id, RunID: "run"}, nil
}

func (m *memory) UpdateResult(_ context.Context, _ string, at workflow.Target, id string, wait time.Duration) (workflow.Update, error) {
	m.controlled += fmt.Sprintf(", wait %s %s %s", at.ID, at.RunID, wait)
	return workflow.Update{ID: id, RunID: at.RunID, Done: true, Output: json.RawMessage(`true`)}, m.answerFailure
}

func (m *memory) Cancel(_ context.Context, _ string, _ authz.Actor, at workflow.Target, reason string) error {
	m.controlled = fmt.Sprintf("cancel %s %s %s", at.ID, at.RunID, reason)
	return nil
}

func (m *memory) Terminate(_ context.Context, _ string, _ authz.Actor, at workflow.Target, reason string) error {
	m.controlled = fmt.Sprintf("terminate %s %s %s", at.ID, at.RunID, reason)
	return nil
}
