package porttest

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// returning is the part of the contract of ports.Dispatcher that resets executions.
func returning(
	t *testing.T, s DispatcherSetup, by authz.Actor,
	start func(*testing.T, string, ...json.RawMessage) workflow.Execution,
	result func(*testing.T, string, string, time.Duration) workflow.Result,
) {
	d := s.Dispatcher
	first := workflow.Reset{To: workflow.FirstWorkflowTask, Reason: "mended"}

	t.Run("Should run again what has ended, once for a request", func(t *testing.T) {
		for name, named := range map[string]bool{"the latest": false, "a run": true} {
			t.Run("Should reset "+name, func(t *testing.T) {
				is := is.New(t)
				e := start(t, EchoType, json.RawMessage(`{"n":1.10}`))
				is.Equal(result(t, e.ID, "", waitLimit).Status, workflow.Completed)
				at := workflow.Target{ID: e.ID}
				if named {
					at.RunID = e.RunID
				}
				attempt := attempts(t)
				run, err := d.Reset(attempt(), s.Namespace, by, at, first)
				is.NoErr(err)
				is.True(run != e.RunID)
				r := result(t, e.ID, run, waitLimit)
				is.Equal([]string{r.Status.String(), string(r.Output)}, []string{"completed", `{"n":1.10}`})
				again, err := d.Reset(attempt(), s.Namespace, by, at, first)
				is.NoErr(err)
				is.Equal(again, run)
				other, err := d.Reset(t.Context(), s.Namespace, by, at, first)
				is.NoErr(err)
				is.True(other != run && other != e.RunID)
				is.True(s.Recorded(t, e.ID, by) > 1) // the start, and the reset
			})
		}
	})

	t.Run("Should end what runs, and keep the signals that came", func(t *testing.T) {
		is := is.New(t)
		e := start(t, CollectType)
		signal := func(arg string) {
			is.NoErr(d.Signal(t.Context(), s.Namespace, by, workflow.Target{ID: e.ID}, workflow.Message{Name: SignalName, Input: []json.RawMessage{json.RawMessage(arg)}}))
		}
		signal("1")
		run, err := d.Reset(t.Context(), s.Namespace, by, workflow.Target{ID: e.ID}, workflow.Reset{To: workflow.LastWorkflowTask, Reason: "mended"})
		is.NoErr(err)
		is.Equal(result(t, e.ID, e.RunID, waitLimit).Status, workflow.Terminated)
		signal("null")
		is.Equal(string(result(t, e.ID, run, waitLimit).Output), "[1]")
	})

	t.Run("Should go back to an event of a workflow task, and to no other", func(t *testing.T) {
		is := is.New(t)
		e := start(t, NothingType)
		is.Equal(result(t, e.ID, "", waitLimit).Status, workflow.Completed)
		to := func(event int64) error {
			_, err := d.Reset(t.Context(), s.Namespace, by, workflow.Target{ID: e.ID, RunID: e.RunID}, workflow.Reset{To: workflow.AtEvent, EventID: event, Reason: "mended"})
			return err
		}
		is.NoErr(to(4)) // the completed task
		for _, event := range []int64{1, 2, 5, 99} {
			err := to(event)
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer, "/event_id")
		}
	})

	t.Run("Should not reset what has no workflow task", func(t *testing.T) {
		is := is.New(t)
		e, err := d.Start(t.Context(), s.Namespace, by, workflow.Start{ID: "suite/" + uuid.NewString(), Type: NothingType, TaskQueue: s.Unserved, Delay: time.Hour})
		is.NoErr(err)
		_, err = d.Reset(t.Context(), s.Namespace, by, workflow.Target{ID: e.ID}, first)
		is.True(errors.Is(err, workflow.ErrNotResettable))
	})

	t.Run("Should reset nothing that is absent or another's, and nothing for nobody", func(t *testing.T) {
		is := is.New(t)
		e := start(t, WaitType)
		defer s.Release(t, e.ID)
		for namespace, at := range map[string]workflow.Target{
			s.Other:     {ID: e.ID},
			s.Absent:    {ID: e.ID, RunID: e.RunID},
			s.Namespace: {ID: e.ID, RunID: uuid.NewString()},
		} {
			_, err := d.Reset(t.Context(), namespace, by, at, first)
			is.True(errors.Is(err, workflow.ErrNotFound))
		}
		_, err := d.Reset(t.Context(), s.Namespace, authz.Actor{}, workflow.Target{ID: e.ID}, first)
		is.True(fault.IsKind(err, fault.Unauthenticated))
		is.Equal(result(t, e.ID, "", 0).RunID, e.RunID)
	})
}
