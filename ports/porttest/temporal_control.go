package porttest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// attempts returns the contexts of one claimed request's attempts.
func attempts(t *testing.T) func() context.Context {
	t.Helper()
	c := aClaim(id.New[id.OrgKind]())
	return func() context.Context {
		c.Token = uuid.New()
		return idempotency.With(t.Context(), *c)
	}
}

// control is the part of the contract of ports.Dispatcher that changes what runs.
func control(
	t *testing.T, s DispatcherSetup, by authz.Actor,
	start func(*testing.T, string, ...json.RawMessage) workflow.Execution,
	result func(*testing.T, string, string, time.Duration) workflow.Result,
) {
	signal := func(ctx context.Context, e workflow.Execution, args ...json.RawMessage) error {
		return s.Dispatcher.Signal(ctx, s.Namespace, by, workflow.Target{ID: e.ID}, workflow.Message{Name: SignalName, Input: args})
	}

	t.Run("Should deliver each signal, and each attempt at one request but once", func(t *testing.T) {
		is := is.New(t)
		e := start(t, CollectType)
		attempt := attempts(t)
		for range 3 {
			is.NoErr(signal(attempt(), e, json.RawMessage(`{"n":1152921504606846977}`)))
		}
		is.NoErr(signal(attempts(t)(), e, json.RawMessage(`"again"`)))
		is.NoErr(signal(t.Context(), e, json.RawMessage(`"again"`)))
		is.NoErr(s.Dispatcher.Signal(t.Context(), s.Namespace, by, workflow.Target{ID: e.ID, RunID: e.RunID}, workflow.Message{Name: SignalName, Input: []json.RawMessage{[]byte("null")}}))
		is.Equal(string(result(t, e.ID, "", waitLimit).Output), `[{"n":1152921504606846977},"again","again"]`)
		is.Equal(s.Recorded(t, e.ID, by), 1+4) // the start, and each that was delivered
	})

	t.Run("Should know an attempt at a signal after whose first the run ended", func(t *testing.T) {
		is := is.New(t)
		e := start(t, CollectType)
		attempt := attempts(t)
		is.NoErr(signal(attempt(), e, json.RawMessage("null")))
		is.Equal(result(t, e.ID, "", waitLimit).Status, workflow.Completed)
		is.NoErr(signal(attempt(), e, json.RawMessage("null")))
		is.True(errors.Is(signal(t.Context(), e, json.RawMessage("null")), workflow.ErrClosed)) // another one
	})

	t.Run("Should have a run cancel what it does, however often it is asked", func(t *testing.T) {
		is := is.New(t)
		e := start(t, WaitType)
		for range 3 {
			is.NoErr(s.Dispatcher.Cancel(t.Context(), s.Namespace, by, workflow.Target{ID: e.ID}, "changed my mind"))
		}
		is.Equal(result(t, e.ID, "", waitLimit).Status, workflow.Canceled)
		is.NoErr(s.Dispatcher.Cancel(t.Context(), s.Namespace, by, workflow.Target{ID: e.ID, RunID: e.RunID}, ""))
		is.Equal(s.Recorded(t, e.ID, by), 1+1)
	})

	t.Run("Should end a run at once, and tell one that ended otherwise", func(t *testing.T) {
		is := is.New(t)
		e := start(t, WaitType)
		for range 3 {
			is.NoErr(s.Dispatcher.Terminate(t.Context(), s.Namespace, by, workflow.Target{ID: e.ID}, "stuck"))
		}
		r := result(t, e.ID, "", waitLimit)
		is.Equal(r.Status, workflow.Terminated)
		is.Equal(r.Failure.Message, "stuck")
		is.Equal(s.Recorded(t, e.ID, by), 1+1)

		completed := start(t, NothingType)
		is.Equal(result(t, completed.ID, "", waitLimit).Status, workflow.Completed)
		is.True(errors.Is(s.Dispatcher.Terminate(t.Context(), s.Namespace, by, workflow.Target{ID: completed.ID}, ""), workflow.ErrClosed))
	})

	t.Run("Should change nothing of what is absent or another's, and nothing for nobody", func(t *testing.T) {
		e := start(t, WaitType)
		defer s.Release(t, e.ID)
		for name, change := range map[string]func(namespace string, by authz.Actor, at workflow.Target) error{
			"signal": func(namespace string, by authz.Actor, at workflow.Target) error {
				return s.Dispatcher.Signal(t.Context(), namespace, by, at, workflow.Message{Name: SignalName})
			},
			"cancel": func(namespace string, by authz.Actor, at workflow.Target) error {
				return s.Dispatcher.Cancel(t.Context(), namespace, by, at, "")
			},
			"terminate": func(namespace string, by authz.Actor, at workflow.Target) error {
				return s.Dispatcher.Terminate(t.Context(), namespace, by, at, "")
			},
		} {
			t.Run("Should not "+name, func(t *testing.T) {
				is := is.New(t)
				for namespace, at := range map[string]workflow.Target{
					s.Other:     {ID: e.ID},
					s.Absent:    {ID: e.ID, RunID: e.RunID},
					s.Namespace: {ID: "suite/" + uuid.NewString()},
				} {
					is.True(errors.Is(change(namespace, by, at), workflow.ErrNotFound))
				}
				for _, run := range []string{uuid.NewString(), "not a run"} {
					is.True(errors.Is(change(s.Namespace, by, workflow.Target{ID: e.ID, RunID: run}), workflow.ErrNotFound))
				}
				is.True(fault.IsKind(change(s.Namespace, authz.Actor{}, workflow.Target{ID: e.ID}), fault.Unauthenticated))
				is.Equal(result(t, e.ID, "", 0).Status, workflow.Running)
				is.Equal(s.Recorded(t, e.ID, by), 1)
			})
		}
	})
}
