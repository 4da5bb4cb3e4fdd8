package temporal_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

func TestOutage(t *testing.T) {
	t.Parallel()
	server := harness.NewTemporal(t, harness.TemporalOptions{})
	b := setupOn(t, server, temporal.Config{CallTimeout: 3 * time.Second})
	namespace := b.namespace(t)
	health := temporal.NewHealth(b.conn)
	e, err := b.dispatcher.Start(t.Context(), namespace, member(), workflow.Start{ID: newID(), Type: "Any", TaskQueue: taskQueue})
	if err != nil {
		t.Fatal(err)
	}

	server.Kill(t)

	t.Run("Should say soon that Temporal is away", func(t *testing.T) {
		calls := everyCall(b, namespace, e.ID)
		calls["check"] = func(ctx context.Context) error { return b.conn.CheckServer(ctx) }
		calls["connect"] = func(ctx context.Context) error {
			_, err := setupOn(t, server, temporal.Config{}).dispatcher.Describe(ctx, namespace, e.ID, "")
			return err
		}
		for name, call := range calls {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				begun := time.Now()
				err := call(t.Context())
				t.Logf("%v after %v", err, time.Since(begun))
				is.True(fault.IsKind(err, fault.Unavailable))
				is.True(time.Since(begun) < 3*time.Second)
				is.True(fault.From(err).RetryAfter > 0)
			})
		}
	})

	t.Run("Should be unhealthy within two seconds", func(t *testing.T) {
		is := is.New(t)
		is.Equal(health.Name(), "temporal")
		is.True(fault.IsKind(health.Ping(t.Context()), fault.Unavailable))
	})

	server.Restart(t)

	t.Run("Should go on without a restart of its own", func(t *testing.T) {
		is := is.New(t)
		begun := time.Now()
		eventually(t, "the execution is described", func() bool {
			found, err := b.dispatcher.Describe(t.Context(), namespace, e.ID, "")
			return err == nil && found.RunID == e.RunID
		})
		is.True(time.Since(begun) < 10*time.Second)
		eventually(t, "the frontend is healthy", func() bool { return health.Ping(t.Context()) == nil })
	})
}

// everyCall is all that is done at Temporal for a request about an organization.
func everyCall(b bundle, of, workflowID string) map[string]func(context.Context) error {
	d, batches, schedules, n := b.dispatcher, temporal.NewBatches(b.dispatcher), temporal.NewSchedules(b.conn), b.namespaces
	at, batchID := workflow.Target{ID: workflowID}, workflow.NewBatchID(workflow.BatchCancel, uuid.New())
	blueprint := namespace.Blueprint{Namespace: of, Retention: time.Hour}
	second := schedule.Spec{Intervals: []schedule.Interval{{Every: time.Second}}}
	return map[string]func(context.Context) error{
		"start": func(ctx context.Context) error {
			return errorOf(d.Start(ctx, of, member(), workflow.Start{ID: newID(), Type: "Any", TaskQueue: taskQueue}))
		},
		"start with a signal": func(ctx context.Context) error {
			return errorOf(d.Start(ctx, of, member(), workflow.Start{ID: newID(), Type: "Any", TaskQueue: taskQueue, Signal: &workflow.Message{Name: "any"}}))
		},
		"describe": func(ctx context.Context) error { return errorOf(d.Describe(ctx, of, workflowID, "")) },
		"result":   func(ctx context.Context) error { return errorOf(d.Result(ctx, of, workflowID, "", 0)) },
		"history":  func(ctx context.Context) error { return errorOf(d.History(ctx, of, at, page.TokenRequest{Limit: 1})) },
		"tasks":    func(ctx context.Context) error { return errorOf(d.Tasks(ctx, of, at)) },
		"list":     func(ctx context.Context) error { return errorOf(d.List(ctx, of, "", page.TokenRequest{Limit: 1})) },
		"count":    func(ctx context.Context) error { return errorOf(d.Count(ctx, of, "", true)) },
		"signal":   func(ctx context.Context) error { return d.Signal(ctx, of, member(), at, workflow.Message{Name: "any"}) },
		"query":    func(ctx context.Context) error { return errorOf(d.Query(ctx, of, at, workflow.Message{Name: "any"})) },
		"update": func(ctx context.Context) error {
			return errorOf(d.Update(ctx, of, member(), at, "x", workflow.Message{Name: "any"}))
		},
		"outcome":   func(ctx context.Context) error { return errorOf(d.UpdateResult(ctx, of, at, "x", 0)) },
		"cancel":    func(ctx context.Context) error { return d.Cancel(ctx, of, member(), at, "") },
		"terminate": func(ctx context.Context) error { return d.Terminate(ctx, of, member(), at, "") },
		"reset": func(ctx context.Context) error {
			return errorOf(d.Reset(ctx, of, member(), at, workflow.Reset{To: workflow.FirstWorkflowTask}))
		},
		"batch": func(ctx context.Context) error {
			return errorOf(batches.Start(ctx, of, member(), batchID, workflow.BatchStart{Kind: workflow.BatchCancel, Query: "WorkflowId = 'x'"}))
		},
		"batch, as it stands": func(ctx context.Context) error { return errorOf(batches.Describe(ctx, of, batchID)) },
		"batches":             func(ctx context.Context) error { return errorOf(batches.List(ctx, of, page.TokenRequest{Limit: 1})) },
		"stop of a batch":     func(ctx context.Context) error { return batches.Stop(ctx, of, member(), batchID, "why") },
		"schedule": func(ctx context.Context) error {
			return schedules.Create(ctx, of, member(), schedule.Schedule{ID: newID(), Spec: second, Action: schedule.Action{Type: "Any", TaskQueue: taskQueue}})
		},
		"schedule, as it stands": func(ctx context.Context) error { return errorOf(schedules.Describe(ctx, of, "x")) },
		"schedules":              func(ctx context.Context) error { return errorOf(schedules.List(ctx, of, page.TokenRequest{Limit: 1})) },
		"change of a schedule": func(ctx context.Context) error {
			return schedules.Update(ctx, of, member(), "x", 0, schedule.Change{Spec: &second})
		},
		"pause":   func(ctx context.Context) error { return schedules.Pause(ctx, of, "x", "why") },
		"unpause": func(ctx context.Context) error { return schedules.Unpause(ctx, of, "x", "why") },
		"trigger": func(ctx context.Context) error { return schedules.Trigger(ctx, of, "x", schedule.Skip) },
		"backfill": func(ctx context.Context) error {
			return errorOf(schedules.Backfill(ctx, of, "x", schedule.Backfill{}, func(int) error { return nil }))
		},
		"deletion of a schedule": func(ctx context.Context) error { return schedules.Delete(ctx, of, "x", 0) },
		"state":                  func(ctx context.Context) error { return errorOf(n.State(ctx, of)) },
		"reconcile":              func(ctx context.Context) error { return n.Reconcile(ctx, blueprint) },
		"confined":               func(ctx context.Context) error { return n.Confined(ctx, of) },
		"canary":                 func(ctx context.Context) error { return errorOf(n.Canary(ctx, of)) },
		"pollers":                func(ctx context.Context) error { return errorOf(n.Pollers(ctx, of, taskQueue)) },
		"probe":                  func(ctx context.Context) error { return n.Probe(ctx, of) },
		"forgotten probe":        func(ctx context.Context) error { return n.ForgetProbe(ctx, of) },
	}
}

func errorOf[T any](_ T, err error) error { return err }

// TestSlowness has a frontend that takes every call and answers none.
func TestSlowness(t *testing.T) {
	t.Parallel()
	const timeout = 300 * time.Millisecond
	conn := startFrontend(t, &frontend{isSilent: true}, temporal.Config{CallTimeout: timeout, PollSlice: timeout})
	b := bundle{conn: conn, dispatcher: temporal.NewDispatcher(conn), namespaces: temporal.NewNamespaces(conn)}
	for name, call := range everyCall(b, "org-a", "x") {
		t.Run("Should give up in time, and say so: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			begun := time.Now()
			err := call(t.Context())
			is.True(fault.IsKind(err, fault.Timeout))
			is.True(time.Since(begun) < 10*timeout)
		})
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	b := setup(t)
	namespace := b.namespace(t)

	t.Run("Should end with its caller's context", func(t *testing.T) {
		is := is.New(t)
		e, err := b.dispatcher.Start(t.Context(), namespace, member(), workflow.Start{ID: newID(), Type: "Any", TaskQueue: taskQueue})
		is.NoErr(err)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begun := time.Now()
		_, err = b.dispatcher.Result(ctx, namespace, e.ID, "", time.Minute)
		is.True(fault.IsKind(err, fault.Timeout))
		is.True(time.Since(begun) < 3*time.Second)
	})

	t.Run("Should give up on a signer that does not answer", func(t *testing.T) {
		is := is.New(t)
		conn, err := temporal.NewConnection(temporal.Config{Address: b.server.Address}, silentSigner{}, systemClock{}, quietLog())
		is.NoErr(err)
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = temporal.NewDispatcher(conn).Describe(ctx, namespace, "any", "")
		is.True(errors.Is(err, context.DeadlineExceeded))
	})
}

// silentSigner waits for ever.
type silentSigner struct{}

func (silentSigner) Token(ctx context.Context, _ signing.Claims) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

func TestCheckServer(t *testing.T) {
	t.Parallel()

	t.Run("Should accept a server that keeps tenants apart", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.NoErr(setup(t).conn.CheckServer(t.Context()))
	})
}

func TestConnectionLeaks(t *testing.T) { // not parallel: it counts the goroutines of the process
	is := is.New(t)
	server := harness.Temporal(t)
	before := goleak.IgnoreCurrent()
	conn, err := temporal.NewConnection(temporal.Config{Address: server.Address}, server, systemClock{}, quietLog())
	is.NoErr(err)
	is.NoErr(temporal.NewHealth(conn).Ping(t.Context()))
	is.NoErr(conn.CheckServer(t.Context()))
	conn.Close()
	goleak.VerifyNone(t, before)
}
