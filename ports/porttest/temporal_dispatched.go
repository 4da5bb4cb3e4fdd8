package porttest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// dispatched is the part of the contract of ports.Dispatcher that finds out what has
// come of a start.
func dispatched(t *testing.T, s DispatcherSetup, by authz.Actor, result func(*testing.T, string, string, time.Duration) workflow.Result) {
	d := s.Dispatcher
	begin := func(t *testing.T, in workflow.Start) (workflow.Execution, error) {
		t.Helper()
		c := aClaim(by.Org())
		return d.Start(idempotency.With(t.Context(), *c), s.Namespace, by, in)
	}
	fresh := func(kind string) workflow.Start {
		return workflow.Start{ID: "suite/" + uuid.NewString() + `/"1"\`, Type: kind, TaskQueue: s.TaskQueue, Reuse: workflow.AllowDuplicate, Request: uuid.New()}
	}
	entry := func(in workflow.Start) workflow.Dispatch {
		now := time.Now() //nolint:forbidigo // it is compared with the server's
		return workflow.Dispatch{Org: by.Org(), Request: in.Request, WorkflowID: in.ID, Outcome: workflow.DispatchRequested, RequestedAt: now}
	}
	is := is.New(t)
	in := fresh(NothingType)
	asked := entry(in)
	_, err := d.Dispatched(t.Context(), s.Namespace, asked)
	is.True(errors.Is(err, workflow.ErrNotFound)) // nothing was started yet
	e, err := begin(t, in)
	is.NoErr(err)
	is.True(!e.Joined)
	want := asked
	want.Outcome, want.RunID = workflow.DispatchStarted, e.RunID

	t.Run("Should find the run that a request has started, while it runs and when it has ended", func(t *testing.T) {
		is := is.New(t)
		got, err := d.Dispatched(t.Context(), s.Namespace, asked)
		is.NoErr(err)
		is.Equal(got, want)
		is.Equal(result(t, e.ID, e.RunID, waitLimit).Status, workflow.Completed)
		got, err = d.Dispatched(t.Context(), s.Namespace, asked)
		is.NoErr(err)
		is.Equal(got, want)
	})

	t.Run("Should find it after other requests have used the id again", func(t *testing.T) {
		is := is.New(t)
		for range 2 {
			in.Request = uuid.New()
			_, err := begin(t, in)
			is.NoErr(err)
			is.True(result(t, in.ID, "", waitLimit).Status.Closed())
		}
		over := passed(t, waitLimit)
		got, err := d.Dispatched(t.Context(), s.Namespace, asked)
		for errors.Is(err, workflow.ErrNotFound) && !over() { // the list is late
			got, err = d.Dispatched(t.Context(), s.Namespace, asked)
		}
		is.NoErr(err)
		is.Equal(got, want)
		other := entry(in)
		other.Request = uuid.New()
		_, err = d.Dispatched(t.Context(), s.Namespace, other)
		is.True(errors.Is(err, workflow.ErrNotFound))
		_, err = d.Dispatched(t.Context(), s.Other, asked)
		is.True(errors.Is(err, workflow.ErrNotFound))
	})

	t.Run("Should find the run that a request has joined, and say that it has", func(t *testing.T) {
		is := is.New(t)
		in := fresh(WaitType)
		e, err := begin(t, in)
		is.NoErr(err)
		in.Request, in.Conflict = uuid.New(), workflow.UseExisting
		joined, err := begin(t, in)
		is.NoErr(err)
		is.True(joined.Joined)
		got, err := d.Dispatched(t.Context(), s.Namespace, entry(in))
		is.NoErr(err)
		is.Equal([]string{got.Outcome.String(), got.RunID}, []string{"joined", e.RunID})
		again, err := begin(t, in)
		is.NoErr(err)
		is.True(again.Joined)
		s.Release(t, e.ID)
	})

	t.Run("Should not take a start that is made again for one that has joined", func(t *testing.T) {
		is := is.New(t)
		in := fresh(WaitType)
		e, err := begin(t, in)
		is.NoErr(err)
		again, err := begin(t, in)
		is.NoErr(err)
		is.Equal(again.RunID, e.RunID)
		is.True(!again.Joined)
		s.Release(t, e.ID)
	})
}
