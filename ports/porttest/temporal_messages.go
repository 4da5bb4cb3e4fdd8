package porttest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// talking is the part of the contract of ports.Dispatcher that waits for what the
// code of an execution says.
func talking(
	t *testing.T, s DispatcherSetup, by authz.Actor,
	start func(*testing.T, string, ...json.RawMessage) workflow.Execution,
	result func(*testing.T, string, string, time.Duration) workflow.Result,
) {
	d := s.Dispatcher
	message := func(name, arg string) workflow.Message {
		return workflow.Message{Name: name, Input: []json.RawMessage{json.RawMessage(arg)}}
	}
	signal := func(t *testing.T, e workflow.Execution, arg string) {
		t.Helper()
		is.New(t).NoErr(d.Signal(t.Context(), s.Namespace, by, workflow.Target{ID: e.ID}, message(SignalName, arg)))
	}
	unserved := func(t *testing.T) workflow.Target {
		t.Helper()
		e, err := d.Start(t.Context(), s.Namespace, by, workflow.Start{ID: "suite/" + uuid.NewString(), Type: CollectType, TaskQueue: s.Unserved})
		is.New(t).NoErr(err)
		return workflow.Target{ID: e.ID}
	}

	t.Run("Should ask an execution that runs, and one that has ended", func(t *testing.T) {
		is := is.New(t)
		e := start(t, CollectType)
		signal(t, e, "1")
		at := workflow.Target{ID: e.ID}
		is.NoErr(untilAvailable(t, func() error {
			got, err := d.Query(t.Context(), s.Namespace, at, message(QueryName, `{"n":1.10}`))
			if err == nil && string(got) != `[{"n":1.10},1]` {
				return fault.ErrUnavailable // the signal comes first
			}
			return err
		}))
		signal(t, e, "null")
		is.Equal(result(t, e.ID, "", waitLimit).Status, workflow.Completed)
		got, err := d.Query(t.Context(), s.Namespace, workflow.Target{ID: e.ID, RunID: e.RunID}, message(QueryName, `"é"`))
		is.NoErr(err)
		is.Equal(string(got), `["é",1]`)
		_, err = d.Query(t.Context(), s.Namespace, at, message("unheard", "1"))
		is.True(errors.Is(err, workflow.ErrQueryFailed))
		is.True(strings.Contains(fault.From(err).Public, "unheard")) // it says why
	})

	t.Run("Should get the answer to an update, once for an id", func(t *testing.T) {
		is := is.New(t)
		e := start(t, CollectType)
		at, id := workflow.Target{ID: e.ID}, uuid.NewString()
		for range 2 {
			u, err := d.Update(t.Context(), s.Namespace, by, at, id, message(UpdateName, `{"n":1.10}`))
			is.NoErr(err)
			is.Equal(u, workflow.Update{ID: id, RunID: e.RunID})
		}
		late := passed(t, slack)
		u, err := d.UpdateResult(t.Context(), s.Namespace, at, id, 100*time.Millisecond)
		is.NoErr(err)
		is.True(!u.Done && !late())
		signal(t, e, "1")
		u, err = d.UpdateResult(t.Context(), s.Namespace, workflow.Target{ID: e.ID, RunID: e.RunID}, id, waitLimit)
		is.NoErr(err)
		is.Equal(u, workflow.Update{ID: id, RunID: e.RunID, Done: true, Output: json.RawMessage(`{"n":1.10}`)})
		again, err := d.Update(t.Context(), s.Namespace, by, at, id, message(UpdateName, `"other"`))
		is.NoErr(err)
		is.Equal(again, u) // what it was the first time
		signal(t, e, "null")
		is.Equal(string(result(t, e.ID, "", waitLimit).Output), "[1]")
		_, err = d.Update(t.Context(), s.Namespace, by, at, uuid.NewString(), message(UpdateName, "1"))
		is.True(errors.Is(err, workflow.ErrClosed))
	})

	t.Run("Should say why an update is refused", func(t *testing.T) {
		is := is.New(t)
		e := start(t, CollectType)
		u, err := d.Update(t.Context(), s.Namespace, by, workflow.Target{ID: e.ID}, "x", message(UpdateName, "null"))
		is.NoErr(err)
		is.True(u.Done && u.Output == nil)
		is.Equal(*u.Failure, workflow.Failure{Message: FailMessage, Type: FailureType})
		u, err = d.Update(t.Context(), s.Namespace, by, workflow.Target{ID: e.ID}, "y", message("unheard", "1"))
		is.NoErr(err)
		is.True(u.Done && strings.Contains(u.Failure.Message, "unheard"))
		signal(t, e, "null")
	})

	t.Run("Should not wait for ever for a worker that is not there, and say that it is not", func(t *testing.T) {
		is := is.New(t)
		at := unserved(t)
		late := passed(t, waitLimit)
		_, err := d.Query(t.Context(), s.Namespace, at, message(QueryName, "1"))
		is.True(errors.Is(err, workflow.ErrNoWorker))
		_, err = d.Update(t.Context(), s.Namespace, by, at, "x", message(UpdateName, "1"))
		is.True(errors.Is(err, workflow.ErrNoWorker))
		is.True(!late())
	})

	t.Run("Should start with a signal what does not run, and signal what does", func(t *testing.T) {
		is := is.New(t)
		begin := func(id, kind, arg string) (workflow.Execution, error) {
			m := message(SignalName, arg)
			return d.Start(t.Context(), s.Namespace, by, workflow.Start{ID: id, Type: kind, TaskQueue: s.TaskQueue, Signal: &m})
		}
		id := "suite/" + uuid.NewString()
		e, err := begin(id, CollectType, "1")
		is.NoErr(err)
		is.Equal(e.Status, workflow.Running)
		again, err := begin(id, NothingType, "2")
		is.NoErr(err)
		is.Equal([]string{again.RunID, again.Type}, []string{e.RunID, CollectType}) // what runs, not what was asked for
		signal(t, e, "null")
		is.Equal(string(result(t, id, "", waitLimit).Output), "[1,2]")
		_, err = begin(id, CollectType, "1")
		is.True(errors.Is(err, workflow.ErrAlreadyStarted)) // has run
	})

	t.Run("Should say nothing to what is absent or another's", func(t *testing.T) {
		is := is.New(t)
		e := start(t, CollectType)
		defer signal(t, e, "null")
		for namespace, at := range map[string]workflow.Target{
			s.Other:     {ID: e.ID},
			s.Absent:    {ID: e.ID, RunID: e.RunID},
			s.Namespace: {ID: e.ID, RunID: "not a run"},
		} {
			_, err := d.Query(t.Context(), namespace, at, message(QueryName, "1"))
			is.True(errors.Is(err, workflow.ErrNotFound))
			_, err = d.Update(t.Context(), namespace, by, at, "x", message(UpdateName, "1"))
			is.True(errors.Is(err, workflow.ErrNotFound))
			_, err = d.UpdateResult(t.Context(), namespace, at, "x", 0)
			is.True(errors.Is(err, workflow.ErrNotFound))
		}
		_, err := d.UpdateResult(t.Context(), s.Namespace, workflow.Target{ID: e.ID}, "unheard", 0)
		is.True(errors.Is(err, workflow.ErrNotFound))
		_, err = d.Update(t.Context(), s.Namespace, authz.Actor{}, workflow.Target{ID: e.ID}, "x", message(UpdateName, "1"))
		is.True(fault.IsKind(err, fault.Unauthenticated))
	})
}
