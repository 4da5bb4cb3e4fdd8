package workflow_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/workflow"
)

func TestSignal(t *testing.T) {
	t.Parallel()
	for name, c := range names {
		t.Run("Should judge "+name+" as the name of a signal", func(t *testing.T) {
			t.Parallel()
			judge(is.New(t), workflow.Message{Name: c.s}.Validate(), "/name", c.rule)
		})
	}

	t.Run("Should bound the input", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		judge(is, workflow.Message{Name: "n", Input: []json.RawMessage{make([]byte, workflow.MaxInputBytes)}}.Validate(), "", "")
		judge(is, workflow.Message{Name: "n", Input: []json.RawMessage{make([]byte, workflow.MaxInputBytes), {1}}}.Validate(), "/input", "max_size")
	})
}

func TestReset(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r             workflow.Reset
		pointer, rule string
	}{
		"the first task":       {workflow.Reset{To: workflow.FirstWorkflowTask, Reason: "r"}, "", ""},
		"the last task":        {workflow.Reset{To: workflow.LastWorkflowTask, Reason: "r"}, "", ""},
		"an event":             {workflow.Reset{To: workflow.AtEvent, EventID: 4, Reason: "r"}, "", ""},
		"no event":             {workflow.Reset{To: workflow.AtEvent, Reason: "r"}, "/event_id", "required"},
		"an event and a place": {workflow.Reset{To: workflow.LastWorkflowTask, EventID: 4, Reason: "r"}, "/event_id", "combination"},
		"nothing":              {workflow.Reset{Reason: "r"}, "/to", "enum"},
		"no reason":            {workflow.Reset{To: workflow.LastWorkflowTask}, "/reason", "required"},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			judge(is.New(t), c.r.Validate(), c.pointer, c.rule)
		})
	}

	t.Run("Should read the names of places", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, p := range workflow.ResetPoints() {
			is.Equal(workflow.ParseResetPoint(p.String()), p)
		}
		is.Equal(workflow.ParseResetPoint("yesterday"), workflow.ResetPoint{})
	})
}

func TestCheckReason(t *testing.T) {
	t.Parallel()

	t.Run("Should take a reason for people, or none", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for s, rule := range map[string]string{
			"": "", "stuck": "", strings.Repeat("é", 500): "", strings.Repeat("x", 501): "max_length", "\u00a0": "trim", "a\nb": "characters",
		} {
			judge(is, workflow.CheckReason(s), "/reason", rule)
		}
	})
}
