package porttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// BatchesSetup is an implementation under test, with the world it needs.
type BatchesSetup struct {
	Batches    ports.Batches
	Dispatcher ports.Dispatcher // of the same namespaces
	Namespace  string           // whose batches are the suite's alone
	Other      string           // another one
	Absent     string           // one that does not exist
	TaskQueue  string           // in Namespace, served by a worker with the suite's types
	Unserved   string           // a queue without a worker
}

// batchSuite is what the parts of the suite share.
type batchSuite struct {
	BatchesSetup
	by authz.Actor
}

// Batches is the contract of ports.Batches.
func Batches(t *testing.T, setup BatchesSetup) {
	s := batchSuite{BatchesSetup: setup, by: aMember()}
	t.Run("Should reach all that a query chooses, and nothing else", s.reach)
	t.Run("Should be one batch, however often it is started", s.once)
	t.Run("Should run one at a time, which can be stopped", s.stop)
	t.Run("Should list each batch once, page by page", s.list)
	t.Run("Should say that it is the query which is wrong", func(t *testing.T) {
		_, err := s.start(t, s.Namespace, workflow.NewBatchID(workflow.BatchCancel, uuid.New()), workflow.BatchStart{Kind: workflow.BatchCancel, Query: "WorkflowId ="})
		is.New(t).True(errors.Is(err, workflow.ErrQuery))
	})
	t.Run("Should find nothing of what is absent, another's or no batch", s.absent)
	t.Run("Should do nothing for nobody", func(t *testing.T) {
		is := is.New(t)
		id := workflow.NewBatchID(workflow.BatchCancel, uuid.New())
		_, err := s.Batches.Start(t.Context(), s.Namespace, authz.Actor{}, id, workflow.BatchStart{Kind: workflow.BatchCancel, Query: "WorkflowId = 'x'"})
		is.True(fault.IsKind(err, fault.Unauthenticated))
		is.True(fault.IsKind(s.Batches.Stop(t.Context(), s.Namespace, authz.Actor{}, id, "why"), fault.Unauthenticated))
	})
}

// reach has a batch of each kind.
func (s batchSuite) reach(t *testing.T) {
	for kind, c := range map[workflow.BatchKind]struct {
		of     string // the type of the executions
		status workflow.Status
		output string
	}{
		workflow.BatchCancel:    {WaitType, workflow.Canceled, ""},
		workflow.BatchTerminate: {WaitType, workflow.Terminated, ""},
		workflow.BatchSignal:    {CollectType, workflow.Completed, "[]"}, // null ends it
	} {
		t.Run("Should "+kind.String(), func(t *testing.T) {
			is := is.New(t)
			const n = 3
			prefix := "batch/" + uuid.NewString()
			chosen := s.executions(t, s.Namespace, prefix+"/in/", c.of, s.TaskQueue, n)
			beside := s.executions(t, s.Namespace, prefix+"/out/", c.of, s.TaskQueue, 1)[0]
			foreign := s.executions(t, s.Other, prefix+"/in/", c.of, s.TaskQueue, n)
			in := workflow.BatchStart{Kind: kind, Query: `WorkflowId STARTS_WITH "` + prefix + `/in/"`, Reason: "the suite's"}
			if kind == workflow.BatchSignal {
				in.Signal = &workflow.Message{Name: SignalName, Input: []json.RawMessage{[]byte("null")}}
			}
			id := workflow.NewBatchID(kind, uuid.New())
			b, err := s.start(t, s.Namespace, id, in)
			is.NoErr(err)
			is.Equal([]string{b.ID, b.Query, b.Reason, b.StartedBy}, []string{id, in.Query, in.Reason, s.by.Subject()})
			is.Equal(b.Kind, kind)
			is.True(!b.StartedAt.IsZero())

			b = s.ended(t, id)
			is.Equal(b.State, workflow.BatchCompleted)
			is.Equal(*b.Progress, workflow.BatchProgress{Total: n, Done: n})
			is.True(!b.ClosedAt.Before(b.StartedAt))
			for _, e := range chosen {
				r, err := s.Dispatcher.Result(t.Context(), s.Namespace, e.ID, "", waitLimit)
				is.NoErr(err)
				is.Equal(r.Status, c.status)
				is.Equal(string(r.Output), c.output)
			}
			for _, left := range append(foreign, beside) {
				namespace := s.Other
				if left.ID == beside.ID {
					namespace = s.Namespace
				}
				e, err := s.Dispatcher.Describe(t.Context(), namespace, left.ID, "")
				is.NoErr(err)
				is.Equal(e.Status, workflow.Running)
			}
		})
	}
}

// once repeats a start while the batch runs, and when it has ended.
func (s batchSuite) once(t *testing.T) {
	is := is.New(t)
	e := s.executions(t, s.Namespace, "batch/"+uuid.NewString(), CollectType, s.TaskQueue, 1)[0]
	in := workflow.BatchStart{
		Kind: workflow.BatchSignal, Query: `WorkflowId = "` + e.ID + `"`,
		Signal: &workflow.Message{Name: SignalName, Input: []json.RawMessage{[]byte(`{"n":1152921504606846977}`)}},
	}
	id := workflow.NewBatchID(in.Kind, uuid.New())
	for range 3 {
		b, err := s.start(t, s.Namespace, id, in)
		is.NoErr(err)
		is.Equal(b.ID, id)
		is.Equal(b.Reason, "") // whatever Temporal was told instead
	}
	ended := s.ended(t, id)
	again, err := s.start(t, s.Namespace, id, in)
	is.NoErr(err)
	is.Equal(again, ended)
	is.NoErr(s.Dispatcher.Signal(t.Context(), s.Namespace, s.by, workflow.Target{ID: e.ID}, workflow.Message{Name: SignalName, Input: []json.RawMessage{[]byte("null")}}))
	r, err := s.Dispatcher.Result(t.Context(), s.Namespace, e.ID, "", waitLimit)
	is.NoErr(err)
	is.Equal(string(r.Output), `[{"n":1152921504606846977}]`)
}

// stop has a batch with enough to do that it is still at it.
func (s batchSuite) stop(t *testing.T) {
	is := is.New(t)
	const n = 150 // Temporal's own pace is 50 a second
	prefix := "batch/" + uuid.NewString()
	s.executions(t, s.Namespace, prefix, WaitType, s.Unserved, n)
	id := workflow.NewBatchID(workflow.BatchTerminate, uuid.New())
	b, err := s.start(t, s.Namespace, id, workflow.BatchStart{
		Kind: workflow.BatchTerminate, Query: `WorkflowId STARTS_WITH "` + prefix + `"`, Reason: "too many",
	})
	is.NoErr(err)
	is.Equal(b.State, workflow.BatchRunning)
	is.True(b.ClosedAt.IsZero())
	is.NoErr(untilAvailable(t, func() error { // Temporal sees what runs a moment late
		_, err := s.Batches.Start(t.Context(), s.Namespace, s.by, workflow.NewBatchID(workflow.BatchCancel, uuid.New()),
			workflow.BatchStart{Kind: workflow.BatchCancel, Query: `WorkflowId = "nothing"`})
		switch {
		case errors.Is(err, workflow.ErrBatchRunning):
			return nil
		case err == nil:
			return fault.ErrUnavailable
		}
		return err
	}))
	for range 2 {
		is.NoErr(s.Batches.Stop(t.Context(), s.Namespace, s.by, id, "enough"))
	}
	b, err = s.Batches.Describe(t.Context(), s.Namespace, id)
	is.NoErr(err)
	is.Equal(b.State, workflow.BatchFailed)
	is.True(!b.ClosedAt.IsZero())
}

// list lists at least what the other parts have started.
func (s batchSuite) list(t *testing.T) {
	is := is.New(t)
	id := workflow.NewBatchID(workflow.BatchTerminate, uuid.New())
	_, err := s.start(t, s.Namespace, id, workflow.BatchStart{Kind: workflow.BatchTerminate, Query: `WorkflowId = "nothing"`, Reason: "r"})
	is.NoErr(err)
	is.Equal(*s.ended(t, id).Progress, workflow.BatchProgress{})
	seen := map[string]workflow.Batch{}
	is.NoErr(untilAvailable(t, func() error {
		clear(seen)
		for at := (page.TokenRequest{Limit: 2}); ; {
			p, err := s.Batches.List(t.Context(), s.Namespace, at)
			is.NoErr(err)
			is.True(len(p.Items) <= 2)
			for _, b := range p.Items {
				_, twice := seen[b.ID]
				is.True(!twice)
				seen[b.ID] = b
			}
			if at.Token = p.Next; p.Next == nil {
				break
			}
		}
		if seen[id].State != workflow.BatchCompleted {
			return fault.ErrUnavailable
		}
		return nil
	}))
	is.Equal(seen[id].Kind, workflow.BatchTerminate)
	is.True(!seen[id].StartedAt.IsZero() && !seen[id].ClosedAt.IsZero())
	is.True(len(seen) > 4)
	p, err := s.Batches.List(t.Context(), s.Other, page.TokenRequest{Limit: 10})
	is.NoErr(err)
	is.Equal(len(p.Items), 0)
}

func (s batchSuite) absent(t *testing.T) {
	is := is.New(t)
	id := workflow.NewBatchID(workflow.BatchCancel, uuid.New())
	_, err := s.start(t, s.Namespace, id, workflow.BatchStart{Kind: workflow.BatchCancel, Query: `WorkflowId = "nothing"`})
	is.NoErr(err)
	like := workflow.NewBatchID(workflow.BatchCancel, uuid.New()) // a workflow with the name of a batch
	_, err = s.Dispatcher.Start(t.Context(), s.Namespace, s.by, workflow.Start{ID: like, Type: WaitType, TaskQueue: s.Unserved})
	is.NoErr(err)
	for name, at := range map[string][2]string{
		"batch of another":         {s.Other, id},
		"batch in no namespace":    {s.Absent, id},
		"batch that never was":     {s.Namespace, workflow.NewBatchID(workflow.BatchCancel, uuid.New())},
		"batch of another name":    {s.Namespace, uuid.NewString()},
		"workflow that looks like": {s.Namespace, like},
	} {
		t.Run("Should not find a "+name, func(t *testing.T) {
			is := is.New(t)
			_, err := s.Batches.Describe(t.Context(), at[0], at[1])
			is.True(errors.Is(err, workflow.ErrNotFound))
			is.True(errors.Is(s.Batches.Stop(t.Context(), at[0], s.by, at[1], "why"), workflow.ErrNotFound))
		})
	}
	_, err = s.Batches.List(t.Context(), s.Absent, page.TokenRequest{Limit: 1})
	is.True(errors.Is(err, workflow.ErrNotFound))
	e, err := s.Dispatcher.Describe(t.Context(), s.Namespace, like, "")
	is.NoErr(err)
	is.Equal(e.Status, workflow.Running)
}

// start starts a batch as soon as Temporal has seen that the one before has ended.
func (s batchSuite) start(t *testing.T, namespace, id string, in workflow.BatchStart) (b workflow.Batch, err error) {
	t.Helper()
	return b, untilAvailable(t, func() error {
		b, err = s.Batches.Start(t.Context(), namespace, s.by, id, in)
		if errors.Is(err, workflow.ErrBatchRunning) {
			return fault.ErrUnavailable
		}
		return err
	})
}

// ended waits until a batch has ended.
func (s batchSuite) ended(t *testing.T, id string) (b workflow.Batch) {
	t.Helper()
	is.New(t).NoErr(untilAvailable(t, func() (err error) {
		if b, err = s.Batches.Describe(t.Context(), s.Namespace, id); err == nil && b.State == workflow.BatchRunning {
			return fault.ErrUnavailable
		}
		return err
	}))
	return b
}

// executions starts n executions, and returns when queries choose them.
func (s batchSuite) executions(t *testing.T, namespace, prefix, kind, queue string, n int) []workflow.Execution {
	t.Helper()
	is := is.New(t)
	started := make([]workflow.Execution, n)
	for _, err := range together(n, func(i int) (err error) {
		started[i], err = s.Dispatcher.Start(t.Context(), namespace, s.by, workflow.Start{ID: fmt.Sprintf("%s%d", prefix, i), Type: kind, TaskQueue: queue})
		return err
	}) {
		is.NoErr(err)
	}
	is.NoErr(untilAvailable(t, func() error {
		c, err := s.Dispatcher.Count(t.Context(), namespace, `WorkflowId STARTS_WITH "`+prefix+`"`, false)
		if err == nil && c.Total != int64(n) {
			return fault.ErrUnavailable
		}
		return err
	}))
	return started
}
