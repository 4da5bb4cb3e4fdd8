package workflow_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/workflow"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	signal := &workflow.Message{Name: "n"}
	for name, c := range map[string]struct {
		change        func(*workflow.Start)
		pointer, rule string
	}{
		"a task":                 {func(s *workflow.Start) { s.TaskTimeout = workflow.MaxTaskTimeout }, "", ""},
		"a long task":            {func(s *workflow.Start) { s.TaskTimeout = workflow.MaxTaskTimeout + 1 }, "/task_timeout_seconds", "range"},
		"a negative task":        {func(s *workflow.Start) { s.TaskTimeout = -1 }, "/task_timeout_seconds", "range"},
		"a delay":                {func(s *workflow.Start) { s.Delay = workflow.MaxDelay }, "", ""},
		"a delay with a signal":  {func(s *workflow.Start) { s.Delay, s.Signal = 1, signal }, "", ""},
		"a long delay":           {func(s *workflow.Start) { s.Delay = workflow.MaxDelay + 1 }, "/start_delay_seconds", "range"},
		"a negative delay":       {func(s *workflow.Start) { s.Delay = -1 }, "/start_delay_seconds", "range"},
		"a cron":                 {func(s *workflow.Start) { s.Cron = "@daily" }, "/cron_schedule", "unsupported"},
		"what terminates":        {func(s *workflow.Start) { s.Conflict = workflow.TerminateExisting }, "", ""},
		"what terminates, twice": {func(s *workflow.Start) { s.Conflict, s.Reuse = workflow.TerminateExisting, workflow.RejectDuplicate }, "/id_conflict_policy", "combination"},
		"what fails":             {func(s *workflow.Start) { s.Conflict = workflow.FailOnConflict }, "", ""},
		"what fails at a signal": {func(s *workflow.Start) { s.Conflict, s.Signal = workflow.FailOnConflict, signal }, "/id_conflict_policy", "combination"},
		"what uses":              {func(s *workflow.Start) { s.Conflict, s.Reuse = workflow.UseExisting, workflow.RejectDuplicate }, "", ""},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			s := valid()
			c.change(&s)
			judge(is.New(t), s.Validate(), c.pointer, c.rule)
		})
	}

	t.Run("Should say what stands for what is not said", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for want, s := range map[string]workflow.Start{
			"reject_duplicate fail":                    {},
			"reject_duplicate use_existing":            {Signal: signal},
			"allow_duplicate terminate_existing":       {Conflict: workflow.TerminateExisting},
			"allow_duplicate use_existing":             {Reuse: workflow.AllowDuplicate, Conflict: workflow.UseExisting},
			"allow_duplicate_failed_only use_existing": {Reuse: workflow.AllowDuplicateFailedOnly, Signal: signal},
		} {
			reuse, conflict := s.Policies()
			is.Equal(reuse.String()+" "+conflict.String(), want)
		}
	})

	t.Run("Should read the names of policies and types", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, r := range append(workflow.Reuses(), workflow.Reuse{}) {
			got, err := workflow.ParseReuse(r.String())
			is.NoErr(err)
			is.Equal(got, r)
		}
		for _, c := range append(workflow.Conflicts(), workflow.Conflict{}) {
			got, err := workflow.ParseConflict(c.String())
			is.NoErr(err)
			is.Equal(got, c)
		}
		for _, a := range workflow.AttributeTypes() {
			is.Equal(workflow.ParseAttributeType(a.String()), a)
		}
		_, err := workflow.ParseReuse("fail")
		judge(is, err, "/id_reuse_policy", "enum")
		_, err = workflow.ParseConflict("reject_duplicate")
		judge(is, err, "/id_conflict_policy", "enum")
		is.Equal(workflow.ParseAttributeType("unknown"), workflow.AttributeType{})
	})
}

func TestRetryPolicy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		p             workflow.RetryPolicy
		pointer, rule string
	}{
		"none of its own":        {workflow.RetryPolicy{}, "", ""},
		"all of it":              {workflow.RetryPolicy{time.Second, 1, time.Second, 1, []string{"BadLuck", "TemporalTimeout:StartToClose"}}, "", ""},
		"a negative interval":    {workflow.RetryPolicy{InitialInterval: -1}, "initial_interval_seconds", "range"},
		"a negative maximum":     {workflow.RetryPolicy{MaximumInterval: -1}, "maximum_interval_seconds", "range"},
		"a maximum below":        {workflow.RetryPolicy{InitialInterval: 2 * time.Second, MaximumInterval: time.Second}, "maximum_interval_seconds", "range"},
		"a coefficient of less":  {workflow.RetryPolicy{BackoffCoefficient: 0.5}, "backoff_coefficient", "range"},
		"a negative coefficient": {workflow.RetryPolicy{BackoffCoefficient: -1}, "backoff_coefficient", "range"},
		"a large coefficient":    {workflow.RetryPolicy{BackoffCoefficient: 101}, "backoff_coefficient", "range"},
		"negative attempts":      {workflow.RetryPolicy{MaximumAttempts: -1}, "maximum_attempts", "range"},
		"too many attempts":      {workflow.RetryPolicy{MaximumAttempts: workflow.MaxAttempts + 1}, "maximum_attempts", "range"},
		"too many types":         {workflow.RetryPolicy{NonRetryableTypes: make([]string, 33)}, "non_retryable_error_types", "max_items"},
		"an empty type":          {workflow.RetryPolicy{NonRetryableTypes: []string{""}}, "non_retryable_error_types", "required"},
		"no such timeout":        {workflow.RetryPolicy{NonRetryableTypes: []string{"TemporalTimeout:Lunch"}}, "non_retryable_error_types", "format"},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			s := valid()
			s.Retry = &c.p
			pointer := c.pointer
			if pointer != "" {
				pointer = "/retry_policy/" + pointer
			}
			judge(is.New(t), s.Validate(), pointer, c.rule)
		})
	}
}

func TestMemo(t *testing.T) {
	t.Parallel()
	many := workflow.Memo{}
	for i := range 33 {
		many[fmt.Sprint(i)] = json.RawMessage(`1`)
	}
	for name, c := range map[string]struct {
		m             workflow.Memo
		pointer, rule string
	}{
		"words":         {workflow.Memo{"order.id": json.RawMessage(`"x"`), "n": json.RawMessage(`[1]`)}, "", ""},
		"the largest":   {workflow.Memo{"n": json.RawMessage(strings.Repeat("1", workflow.MaxMemoBytes-1))}, "", ""},
		"too large":     {workflow.Memo{"n": json.RawMessage(strings.Repeat("1", workflow.MaxMemoBytes))}, "/memo", "max_size"},
		"too many":      {many, "/memo", "max_properties"},
		"a bad name":    {workflow.Memo{"a/b": json.RawMessage(`1`)}, "/memo", "format"},
		"a null":        {workflow.Memo{"a": json.RawMessage(`null`)}, "/memo/a", "type"},
		"who starts it": {workflow.Memo{"actor": json.RawMessage(`"me"`)}, "/memo/actor", "reserved"},
		"whose key":     {workflow.Memo{"user": json.RawMessage(`"me"`)}, "/memo/user", "reserved"},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			s := valid()
			s.Memo = c.m
			judge(is.New(t), s.Validate(), c.pointer, c.rule)
		})
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	for kind, c := range map[workflow.AttributeType]struct{ good, bad []string }{
		workflow.Keyword:     {[]string{`""`, `"x"`}, []string{`1`, `null`, `["x"]`, `"` + strings.Repeat("x", 256) + `"`}},
		workflow.Text:        {[]string{`"a b"`, `"` + strings.Repeat("x", 1024) + `"`}, []string{`true`, `null`, `"` + strings.Repeat("x", 1025) + `"`}},
		workflow.KeywordList: {[]string{`["x"]`, `["x","y"]`}, []string{`[]`, `"x"`, `[1]`, `[null]`, `null`, `["` + strings.Repeat("x", 256) + `"]`, `[` + strings.Repeat(`"x",`, 32) + `"x"]`}},
		workflow.Int:         {[]string{`0`, `-9223372036854775808`}, []string{`1.5`, `9223372036854775808`, `"1"`, `null`}},
		workflow.Double:      {[]string{`0`, `1.5e3`}, []string{`"1"`, `null`, `[1]`}},
		workflow.Bool:        {[]string{`true`, `false`}, []string{`"true"`, `0`, `null`}},
		workflow.Datetime:    {[]string{`"2026-07-01T12:00:00Z"`, `"2026-07-01T12:00:00.5+02:00"`}, []string{`"2026-07-01"`, `1`, `null`}},
	} {
		t.Run("Should judge the values of "+kind.String(), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			for _, v := range c.good {
				s := valid()
				s.Attributes = workflow.Attributes{"A": {Type: kind, Value: json.RawMessage(v)}}
				is.NoErr(s.Validate())
			}
			for _, v := range c.bad {
				s := valid()
				s.Attributes = workflow.Attributes{"A": {Type: kind, Value: json.RawMessage(v)}}
				judge(is, s.Validate(), "/search_attributes/A/value", "type")
			}
		})
	}

	t.Run("Should judge names and sizes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		good := workflow.Attribute{Type: workflow.Keyword, Value: json.RawMessage(`"x"`)}
		many := workflow.Attributes{}
		for i := range 21 {
			many[fmt.Sprint(i)] = good
		}
		for _, c := range []struct {
			a             workflow.Attributes
			pointer, rule string
		}{
			{workflow.Attributes{"Customer_Id.x-1": good}, "", ""},
			{workflow.Attributes{"a b": good}, "/search_attributes", "format"},
			{workflow.Attributes{"BulkheadActor": good}, "/search_attributes/BulkheadActor", "reserved"},
			{workflow.Attributes{"BulkheadAnything": good}, "/search_attributes/BulkheadAnything", "reserved"},
			{workflow.Attributes{"TemporalNamespaceDivision": good}, "/search_attributes/TemporalNamespaceDivision", "reserved"},
			{workflow.Attributes{"A": {Value: json.RawMessage(`1`)}}, "/search_attributes/A/type", "enum"},
			{workflow.Attributes{"A": {Type: workflow.Text, Value: json.RawMessage(`"` + strings.Repeat(`x`, 2048) + `"`)}}, "/search_attributes/A/value", "max_size"},
			{many, "/search_attributes", "max_properties"},
		} {
			s := valid()
			s.Attributes = c.a
			judge(is, s.Validate(), c.pointer, c.rule)
		}
	})
}
