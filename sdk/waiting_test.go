package sdk

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestWaiting(t *testing.T) {
	t.Parallel()
	t.Run("Should ask to wait for a new organization", func(t *testing.T) {
		is := is.New(t)
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			is.Equal(r.Header.Get("Prefer"), "wait=60") // no more than the server allows
			answer(w, 201, `{}`)
		})
		_, err := c.CreateOrganization(t.Context(), OrganizationCreate{}, time.Hour)
		is.NoErr(err)
	})
	t.Run("Should follow an operation to its end and report each change once", func(t *testing.T) {
		is := is.New(t)
		states := []string{
			`"state":"pending"`, `"state":"running","step":"namespace_registered"`,
			`"state":"running","step":"namespace_registered","updated_at":"2030-01-01T00:00:00+01:00"`,
			`"state":"succeeded","step":"organization_activated"`,
		}
		var asked atomic.Int32
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			is.Equal(r.URL.RawQuery, "wait=1")
			answer(w, 200, `{"id":"op_1",`+states[asked.Add(1)-1]+`}`)
		})
		var seen []string
		op, err := c.AwaitOperation(t.Context(), "op_1", func(o Operation) { seen = append(seen, string(o.State)+" "+o.Step) })
		is.NoErr(err)
		is.Equal(op.State, OperationStateSucceeded)
		is.Equal(seen, []string{"pending ", "running namespace_registered", "succeeded organization_activated"})
	})
	t.Run("Should return a failed operation and say why", func(t *testing.T) {
		is := is.New(t)
		c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, `{"id":"op_1","kind":"organization.provision","state":"failed","failure":"no quota"}`)
		})
		op, err := c.AwaitOperation(t.Context(), "op_1", nil)
		failed, ok := errors.AsType[*OperationError](err)
		is.True(ok)
		is.Equal(failed.Error(), "organization.provision failed: no quota")
		is.Equal(op.State, OperationStateFailed)
	})
	t.Run("Should return a canceled operation as an error", func(t *testing.T) {
		is := is.New(t)
		c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, `{"id":"op_1","kind":"organization.delete","state":"canceled","failure":"restored"}`)
		})
		_, err := c.AwaitOperation(t.Context(), "op_1", nil)
		failed, ok := errors.AsType[*OperationError](err)
		is.True(ok)
		is.Equal(failed.Error(), "organization.delete canceled: restored")
	})
	t.Run("Should follow a workflow through its runs to the end", func(t *testing.T) {
		is := is.New(t)
		answers := []string{
			`{"status":"running"}`, `{"status":"continued_as_new"}`, `{"status":"paused"}`, `{"status":"completed","output":"Hello, Ada!"}`,
		}
		var asked atomic.Int32
		c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, answers[asked.Add(1)-1]) })
		r, err := c.AwaitResult(t.Context(), "acme", "greet", "")
		is.NoErr(err)
		var greeting string
		is.NoErr(r.Decode(&greeting))
		is.Equal(greeting, "Hello, Ada!")
	})
	t.Run("Should end one run where it continues as another", func(t *testing.T) {
		is := is.New(t)
		c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"status":"continued_as_new"}`) })
		r, err := c.AwaitResult(t.Context(), "acme", "greet", "run")
		is.NoErr(err)
		is.Equal(r.Status, WorkflowStatusContinuedAsNew)
	})
	t.Run("Should stop waiting with the context", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithCancel(t.Context())
		c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"status":"running"}`) })
		c.sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
		_, err := c.AwaitResult(ctx, "acme", "greet", "")
		is.True(errors.Is(err, context.Canceled))
	})
	t.Run("Should fail to decode what has not completed", func(t *testing.T) {
		is := is.New(t)
		r := WorkflowResult{WorkflowID: "greet", Status: WorkflowStatusFailed, Failure: WorkflowFailure{Message: "no name"}}
		err := r.Decode(new(string))
		is.Equal(err.Error(), "workflow greet: failed: no name")
	})
}

func TestAssignments(t *testing.T) {
	t.Parallel()
	t.Run("Should send the version one has and understand that nothing changed", func(t *testing.T) {
		is := is.New(t)
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"7"`)
			if r.Header.Get("If-None-Match") == `"7"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			answer(w, 200, `{"items":[{"namespace":"org-acme"}],"temporal_address":"t:7233"}`)
		})
		list, version, err := c.Assignments(t.Context(), AssignmentQuery{}, "", 0)
		is.NoErr(err)
		is.Equal(list.Items[0].Namespace, "org-acme")
		list, version, err = c.Assignments(t.Context(), AssignmentQuery{}, version, time.Second)
		is.NoErr(err)
		is.True(list == nil)
		is.Equal(version, `"7"`)
	})
	t.Run("Should say which organizations it asks for, and who asks", func(t *testing.T) {
		is := is.New(t)
		var asked string
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			asked = r.URL.RawQuery
			answer(w, 200, `{"items":[],"temporal_address":"t:7233"}`)
		})
		for q, want := range map[AssignmentQuery]string{
			{}: "wait=1",
			{Pool: "gold", Member: "host:1", Replicas: 2}: "member=host%3A1&pool=gold&replicas=2&wait=1",
			{Member: "a", Leaving: true}:                  "leaving=true&member=a&wait=1",
		} {
			_, _, err := c.Assignments(t.Context(), q, "", time.Second)
			is.NoErr(err)
			is.Equal(asked, want)
		}
	})
	t.Run("Should read an unavailable server's readiness as an answer", func(t *testing.T) {
		is := is.New(t)
		c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 503, `{"status":"unavailable","checks":{"postgres":"unavailable"}}`)
		})
		h, err := c.Readiness(t.Context())
		is.NoErr(err)
		is.Equal(h.Status, HealthStatusUnavailable)
	})
}
