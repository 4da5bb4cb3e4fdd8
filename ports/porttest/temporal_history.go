package porttest

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// remembering is the part of the contract of ports.Dispatcher that shows histories.
func remembering(
	t *testing.T, s DispatcherSetup,
	start func(*testing.T, string, ...json.RawMessage) workflow.Execution,
	result func(*testing.T, string, string, time.Duration) workflow.Result,
) {
	d := s.Dispatcher
	// all reads a history in pages of a size.
	all := func(t *testing.T, at workflow.Target, size int) (events []workflow.Event) {
		t.Helper()
		p := page.TokenRequest{Limit: size}
		for {
			got, err := d.History(t.Context(), s.Namespace, at, p)
			if err != nil {
				t.Fatalf("read the history of %s: %v", at.ID, err)
			}
			if len(got.Items) > size || got.RunID == "" || (got.Next != nil && len(got.Items) == 0) {
				t.Fatalf("a page of %d events of run %q, where %d were asked for", len(got.Items), got.RunID, size)
			}
			events = append(events, got.Items...)
			if p.Token = got.Next; p.Token == nil {
				return events
			}
		}
	}
	attribute := func(t *testing.T, e workflow.Event, name string) string {
		t.Helper()
		var members map[string]json.RawMessage
		if err := json.Unmarshal(e.Attributes, &members); err != nil {
			t.Fatalf("%s: %v", e.Type, err)
		}
		return string(members[name])
	}

	t.Run("Should show each event once, whatever the size of the pages", func(t *testing.T) {
		is := is.New(t)
		const document = `{"n":1152921504606846977,"f":1.10}`
		e := start(t, EchoType, json.RawMessage(document))
		is.Equal(result(t, e.ID, "", waitLimit).Status, workflow.Completed)
		whole := all(t, workflow.Target{ID: e.ID}, 200)
		is.Equal(len(whole), 5)
		is.Equal([]string{whole[0].Type, whole[4].Type}, []string{"workflow_execution_started", "workflow_execution_completed"})
		is.Equal(attribute(t, whole[0], "input"), "["+document+"]")
		is.Equal(attribute(t, whole[0], "workflow_type"), `{"name":"`+EchoType+`"}`)
		is.Equal(attribute(t, whole[4], "result"), "["+document+"]")
		is.True(!whole[4].At.Before(whole[0].At))
		for size := 1; size < 5; size++ {
			is.Equal(all(t, workflow.Target{ID: e.ID, RunID: e.RunID}, size), whole)
		}
		for i, e := range whole {
			is.Equal(e.ID, int64(i+1))
		}
	})

	t.Run("Should mark what is too large to be shown among many", func(t *testing.T) {
		is := is.New(t)
		e := start(t, EchoType, json.RawMessage(`"`+strings.Repeat("x", 20_000)+`"`))
		is.Equal(attribute(t, all(t, workflow.Target{ID: e.ID}, 1)[0], "input"), `[{"encoding":"json/plain","omitted":"too_large","bytes":20002}]`)
	})

	t.Run("Should stay with the run that it began with", func(t *testing.T) {
		is := is.New(t)
		e := start(t, WaitType)
		first, err := d.History(t.Context(), s.Namespace, workflow.Target{ID: e.ID}, page.TokenRequest{Limit: 1})
		is.NoErr(err)
		_, err = d.Start(t.Context(), s.Namespace, aMember(), workflow.Start{ID: e.ID, Type: NothingType, TaskQueue: s.TaskQueue, Conflict: workflow.TerminateExisting})
		is.NoErr(err)
		second, err := d.History(t.Context(), s.Namespace, workflow.Target{ID: e.ID}, page.TokenRequest{Limit: 200, Token: first.Next})
		is.NoErr(err)
		is.Equal(second.RunID, e.RunID)
		is.Equal(second.Items[len(second.Items)-1].Type, "workflow_execution_terminated")
	})

	t.Run("Should sum up what was done, and what is under way", func(t *testing.T) {
		is := is.New(t)
		e := start(t, ChoresType, json.RawMessage(`{"n":1}`), json.RawMessage(`"`+s.Unserved+`"`))
		var got workflow.Tasks
		is.NoErr(untilAvailable(t, func() (err error) {
			got, err = d.Tasks(t.Context(), s.Namespace, workflow.Target{ID: e.ID})
			if err == nil && len(got.Items) < 4 {
				return fault.ErrUnavailable
			}
			return err
		}))
		is.Equal(got.RunID, e.RunID)
		is.True(slices.IsSortedFunc(got.Items, func(a, b workflow.Task) int { return int(a.EventID - b.EventID) }))
		chore, timer, child, waiting := got.Items[0], got.Items[1], got.Items[2], got.Items[3]
		is.Equal([]any{chore.Kind, chore.Type, chore.State, chore.Attempts}, []any{workflow.ActivityTask, ChoreType, workflow.TaskCompleted, int32(2)})
		is.Equal(*chore.Failure, workflow.Failure{Message: FailMessage, Type: FailureType}) // of its first attempt
		is.True(chore.Duration() >= 0 && !chore.ClosedAt.IsZero() && !chore.StartedAt.Before(chore.ScheduledAt))
		is.Equal([]any{timer.Kind, timer.State}, []any{workflow.TimerTask, workflow.TaskCompleted})
		is.True(timer.Duration() >= time.Millisecond)
		is.Equal([]any{child.Kind, child.ID, child.Type, child.State}, []any{workflow.ChildTask, e.ID + "/child", NothingType, workflow.TaskCompleted})
		is.Equal([]any{waiting.Kind, waiting.Type, waiting.State, waiting.Attempts}, []any{workflow.ActivityTask, ChoreType, workflow.TaskScheduled, int32(0)})
		is.True(waiting.StartedAt.IsZero() && waiting.ClosedAt.IsZero())

		of, err := d.Describe(t.Context(), s.Namespace, e.ID+"/child", "")
		is.NoErr(err)
		is.Equal(of.Details.Parent, workflow.Target{ID: e.ID, RunID: e.RunID})
		is.Equal(of.Details.StartedBy, workflow.Starter{}) // by the tenant's own code

		s.Release(t, e.ID)
		is.Equal(result(t, e.ID, "", waitLimit).Status, workflow.Completed)
		got, err = d.Tasks(t.Context(), s.Namespace, workflow.Target{ID: e.ID, RunID: e.RunID})
		is.NoErr(err)
		is.Equal(len(got.Items), 5)
		is.Equal([]any{got.Items[4].Kind, got.Items[4].State}, []any{workflow.SignalTask, workflow.TaskCompleted})
	})

	t.Run("Should show nothing of what is absent or another's", func(t *testing.T) {
		is := is.New(t)
		e := start(t, NothingType)
		for _, c := range []struct {
			namespace string
			at        workflow.Target
		}{
			{s.Other, workflow.Target{ID: e.ID}},
			{s.Other, workflow.Target{ID: e.ID, RunID: e.RunID}},
			{s.Absent, workflow.Target{ID: e.ID, RunID: e.RunID}},
			{s.Namespace, workflow.Target{ID: e.ID, RunID: "not a run"}},
			{s.Namespace, workflow.Target{ID: e.ID, RunID: uuid.NewString()}},
			{s.Namespace, workflow.Target{ID: "suite/" + uuid.NewString()}},
		} {
			_, err := d.History(t.Context(), c.namespace, c.at, page.TokenRequest{Limit: 1})
			is.True(errors.Is(err, workflow.ErrNotFound))
			_, err = d.Tasks(t.Context(), c.namespace, c.at)
			is.True(errors.Is(err, workflow.ErrNotFound))
		}
	})
}
