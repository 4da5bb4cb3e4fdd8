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
