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
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// starting is the part of the contract of ports.Dispatcher that starts executions in
// other ways than the plain one.
func starting(t *testing.T, s DispatcherSetup, by authz.Actor, result func(*testing.T, string, string, time.Duration) workflow.Result) {
	d := s.Dispatcher
	fresh := func(kind string) workflow.Start {
		return workflow.Start{ID: "suite/" + uuid.NewString(), Type: kind, TaskQueue: s.TaskQueue}
	}
	begin := func(ctx context.Context, in workflow.Start) (workflow.Execution, error) {
		return d.Start(ctx, s.Namespace, by, in)
	}
	ended := func(t *testing.T, in workflow.Start) workflow.Execution {
		t.Helper()
		e, err := begin(t.Context(), in)
		if err != nil {
			t.Fatalf("start %s: %v", in.Type, err)
		}
		if r := result(t, e.ID, "", waitLimit); !r.Status.Closed() {
			t.Fatalf("%s runs on", in.Type)
		}
		return e
	}

	t.Run("Should show all that an execution was started with", func(t *testing.T) {
		is := is.New(t)
		in := fresh(NothingType)
		in.TaskQueue = s.Unserved
		in.ExecutionTimeout, in.RunTimeout, in.TaskTimeout, in.Delay = 3*time.Hour, 2*time.Hour, 7*time.Second, time.Hour
		in.Retry = &workflow.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 1.5, MaximumInterval: time.Minute, MaximumAttempts: 3, NonRetryableTypes: []string{FailureType}}
		in.Memo = workflow.Memo{"order": json.RawMessage(`{"n":1152921504606846977}`), "by": json.RawMessage(`"ada"`)}
		in.Attributes = s.Attributes
		e, err := begin(t.Context(), in)
		is.NoErr(err)
		got, err := d.Describe(t.Context(), s.Namespace, e.ID, "")
		is.NoErr(err)
		is.Equal(got.Events, e.Events) // the first task waits
		is.Equal(got.Details.Memo, in.Memo)
		is.Equal(len(got.Details.Attributes), len(s.Attributes))
		for name, want := range s.Attributes {
			is.Equal(got.Details.Attributes[name], want)
		}
		got.Details.Memo, got.Details.Attributes = nil, nil
		is.Equal(*got.Details, workflow.Details{
			StartedBy:        workflow.Starter{APIKey: by.Key().String(), User: by.User().String()},
			ExecutionTimeout: in.ExecutionTimeout, RunTimeout: in.RunTimeout, TaskTimeout: in.TaskTimeout, FirstRunID: e.RunID,
		})
	})

	t.Run("Should name the search attributes that the namespace does not have, or has of another type", func(t *testing.T) {
		is := is.New(t)
		for name, a := range s.Attributes {
			in := fresh(NothingType)
			in.Attributes = workflow.Attributes{name: a, "Unheard": {Type: workflow.Keyword, Value: json.RawMessage(`"x"`)}}
			_, err := begin(t.Context(), in)
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields, []fault.Field{{Pointer: "/search_attributes/Unheard", Rule: "unknown", Detail: fault.From(err).Fields[0].Detail}})
		}
		for name, a := range s.Attributes {
			if a.Type != workflow.Int {
				continue
			}
			in := fresh(NothingType)
			in.Attributes = workflow.Attributes{name: {Type: workflow.Keyword, Value: json.RawMessage(`"x"`)}}
			_, err := begin(t.Context(), in)
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer, "/search_attributes/"+name+"/type")
			is.Equal(fault.From(err).Fields[0].Rule, "type")
		}
	})

	t.Run("Should use an id again as far as it may", func(t *testing.T) {
		is := is.New(t)
		for _, c := range []struct {
			before string
			reuse  workflow.Reuse
			again  bool
		}{
			{NothingType, workflow.AllowDuplicate, true},
			{NothingType, workflow.AllowDuplicateFailedOnly, false},
			{FailType, workflow.AllowDuplicateFailedOnly, true},
			{FailType, workflow.RejectDuplicate, false},
		} {
			in := fresh(c.before)
			e := ended(t, in)
			in.Reuse = c.reuse
			attempt := attempts(t)
			got, err := begin(attempt(), in)
			if !c.again {
				is.True(errors.Is(err, workflow.ErrAlreadyStarted))
				continue
			}
			is.NoErr(err)
			is.True(got.RunID != e.RunID)
			is.True(result(t, e.ID, got.RunID, waitLimit).Status.Closed())
			repeated, err := begin(attempt(), in) // of the same request: not a third
			is.NoErr(err)
			is.Equal(repeated.RunID, got.RunID)
		}
	})

	t.Run("Should use what runs, for each attempt at one request the same", func(t *testing.T) {
		is := is.New(t)
		in := fresh(WaitType)
		e, err := begin(t.Context(), in)
		is.NoErr(err)
		in.Type, in.Conflict, in.Reuse = NothingType, workflow.UseExisting, workflow.AllowDuplicate
		attempt := attempts(t)
		got, err := begin(attempt(), in)
		is.NoErr(err)
		is.Equal([]string{got.RunID, got.Type}, []string{e.RunID, WaitType}) // what runs, not what was asked for
		s.Release(t, e.ID)
		is.Equal(result(t, e.ID, "", waitLimit).Status, workflow.Completed)
		got, err = begin(attempt(), in)
		is.NoErr(err)
		is.Equal([]string{got.RunID, got.Status.String()}, []string{e.RunID, "completed"})
		got, err = begin(t.Context(), in) // another request finds nothing that runs
		is.NoErr(err)
		is.True(got.RunID != e.RunID)
	})

	t.Run("Should terminate what runs, once for a request", func(t *testing.T) {
		for name, signal := range map[string]*workflow.Message{"by itself": nil, "with a signal": {Name: SignalName}} {
			t.Run("Should terminate "+name, func(t *testing.T) {
				is := is.New(t)
				in := fresh(WaitType)
				e, err := begin(t.Context(), in)
				is.NoErr(err)
				in.Conflict, in.Signal = workflow.TerminateExisting, signal
				instead := ""
				attempt := attempts(t)
				for range 2 {
					got, err := begin(attempt(), in)
					is.NoErr(err)
					is.True(got.RunID != e.RunID && (instead == "" || instead == got.RunID))
					is.Equal(got.Status, workflow.Running)
					instead = got.RunID
				}
				is.Equal(result(t, e.ID, e.RunID, waitLimit).Status, workflow.Terminated)
				s.Release(t, e.ID)
				is.Equal(result(t, e.ID, "", waitLimit).Status, workflow.Completed)
			})
		}
	})

	t.Run("Should start what has run with a signal, once for a request", func(t *testing.T) {
		is := is.New(t)
		in := fresh(CollectType)
		in.Signal, in.Reuse = &workflow.Message{Name: SignalName, Input: []json.RawMessage{[]byte("null")}}, workflow.AllowDuplicate
		e := ended(t, in)
		attempt := attempts(t)
		again, err := begin(attempt(), in)
		is.NoErr(err)
		is.True(again.RunID != e.RunID)
		is.Equal(result(t, e.ID, again.RunID, waitLimit).Status, workflow.Completed)
		repeated, err := begin(attempt(), in)
		is.NoErr(err)
		is.Equal([]string{repeated.RunID, repeated.Status.String()}, []string{again.RunID, "completed"})
	})

	t.Run("Should run again what fails, if it is told to", func(t *testing.T) {
		is := is.New(t)
		in := fresh(RetryType)
		in.Retry = &workflow.RetryPolicy{InitialInterval: 10 * time.Millisecond, MaximumAttempts: 2}
		e := ended(t, in)
		r := result(t, e.ID, "", waitLimit)
		is.Equal(string(r.Output), `"again"`)
		is.True(r.RunID != e.RunID)
		in = fresh(RetryType)
		in.Retry = &workflow.RetryPolicy{NonRetryableTypes: []string{FailureType}}
		is.Equal(result(t, ended(t, in).ID, "", waitLimit).Status, workflow.Failed)
	})
}
