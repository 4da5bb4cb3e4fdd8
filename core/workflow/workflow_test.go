package workflow_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// names states how a name of any sort is judged.
var names = map[string]struct{ s, rule string }{
	"a word":                       {"order-42", ""},
	"a path":                       {"orders/eu/42", ""},
	"inner spaces":                 {"order number 42", ""},
	"other scripts":                {"注文-42", ""},
	"255 bytes":                    {strings.Repeat("x", 255), ""},
	"256 bytes":                    {strings.Repeat("x", 256), "max_length"},
	"128 letters of two bytes":     {strings.Repeat("é", 128), "max_length"},
	"nothing":                      {"", "required"},
	"a space in front":             {" x", "trim"},
	"a space at the end":           {"x ", "trim"},
	"a NUL":                        {"x\x00y", "characters"},
	"a line break":                 {"x\ny", "characters"},
	"a tabulator":                  {"x\ty", "characters"},
	"a delete":                     {"x\x7fy", "characters"},
	"a C1 control":                 {"x\u0085y", "characters"},
	"a space of no width":          {"x\u200by", "characters"},
	"a direction override":         {"x\u202ey", "characters"},
	"broken UTF-8":                 {"x\xffy", "characters"},
	"a system workflow":            {"temporal-sys-scheduler:x", "reserved"},
	"a system prefix":              {"__temporal_x", "reserved"},
	"a sticky or partitioned task": {"/_sys/queue/1", "reserved"},
	"a system queue":               {"/__temporal_sys/x", "reserved"},
	"a system word inside":         {"my-temporal-sys", ""},
}

func valid() workflow.Start {
	return workflow.Start{ID: "id", Type: "type", TaskQueue: "queue", Input: []json.RawMessage{[]byte(`1`)}}
}

func TestValidate(t *testing.T) {
	t.Parallel()

	for pointer, set := range map[string]func(*workflow.Start, string){
		"/workflow_id": func(s *workflow.Start, v string) { s.ID = v },
		"/type":        func(s *workflow.Start, v string) { s.Type = v },
		"/task_queue":  func(s *workflow.Start, v string) { s.TaskQueue = v },
	} {
		for name, c := range names {
			t.Run("Should judge "+name+" at "+pointer, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				s := valid()
				set(&s, c.s)
				judge(is, s.Validate(), pointer, c.rule)
			})
		}
	}

	for name, c := range map[string]struct {
		change        func(*workflow.Start)
		pointer, rule string
	}{
		"no input":             {func(s *workflow.Start) { s.Input = nil }, "", ""},
		"no time limits":       {func(*workflow.Start) {}, "", ""},
		"the longest limits":   {func(s *workflow.Start) { s.ExecutionTimeout, s.RunTimeout = workflow.MaxTimeout, workflow.MaxTimeout }, "", ""},
		"a long execution":     {func(s *workflow.Start) { s.ExecutionTimeout = workflow.MaxTimeout + 1 }, "/execution_timeout_seconds", "range"},
		"a negative execution": {func(s *workflow.Start) { s.ExecutionTimeout = -1 }, "/execution_timeout_seconds", "range"},
		"a long run":           {func(s *workflow.Start) { s.RunTimeout = workflow.MaxTimeout + time.Second }, "/run_timeout_seconds", "range"},
		"a negative run":       {func(s *workflow.Start) { s.RunTimeout = -1 }, "/run_timeout_seconds", "range"},
		"the largest input": {func(s *workflow.Start) {
			s.Input = []json.RawMessage{make([]byte, workflow.MaxInputBytes/2), make([]byte, workflow.MaxInputBytes/2)}
		}, "", ""},
		"a byte too much in all": {func(s *workflow.Start) {
			s.Input = []json.RawMessage{make([]byte, workflow.MaxInputBytes/2), make([]byte, workflow.MaxInputBytes/2+1)}
		}, "/input", "max_size"},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			s := valid()
			c.change(&s)
			judge(is, s.Validate(), c.pointer, c.rule)
		})
	}
}

func judge(is *is.I, err error, pointer, rule string) {
	is.Helper()
	if rule == "" {
		is.NoErr(err)
		return
	}
	is.True(errors.Is(err, fault.ErrInvalid))
	is.Equal(fault.From(err).Fields[0].Rule, rule)
	is.Equal(fault.From(err).Fields[0].Pointer, pointer)
}

func TestCheckID(t *testing.T) {
	t.Parallel()

	t.Run("Should find nothing under an id that cannot exist", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, c := range names {
			if c.rule == "" {
				is.NoErr(workflow.CheckID(c.s))
			} else {
				is.Equal(workflow.CheckID(c.s), error(fault.ErrNotFound)) // the very answer for an absent one
			}
		}
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()

	t.Run("Should tell the ends from the rest", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for s, closed := range map[workflow.Status]bool{
			workflow.Running: false, workflow.Paused: false, workflow.Unknown: false, {}: false,
			workflow.Completed: true, workflow.Failed: true, workflow.Canceled: true, workflow.Terminated: true,
			workflow.ContinuedAsNew: true, workflow.TimedOut: true,
		} {
			is.Equal(s.Closed(), closed)
			is.Equal(s.String() == "", s == workflow.Status{})
		}
	})
}
