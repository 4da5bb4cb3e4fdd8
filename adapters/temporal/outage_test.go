package temporal_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
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
		for name, call := range map[string]func() error{
			"start": func() error {
				_, err := b.dispatcher.Start(t.Context(), namespace, member(), workflow.Start{ID: newID(), Type: "Any", TaskQueue: taskQueue})
				return err
			},
			"describe": func() error {
				_, err := b.dispatcher.Describe(t.Context(), namespace, e.ID, "")
				return err
			},
			"result": func() error {
				_, err := b.dispatcher.Result(t.Context(), namespace, e.ID, "", 20*time.Second)
				return err
			},
			"list": func() error {
				_, err := b.dispatcher.List(t.Context(), namespace, "", page.TokenRequest{Limit: 1})
				return err
			},
			"count": func() error {
				_, err := b.dispatcher.Count(t.Context(), namespace, "", true)
				return err
			},
			"signal": func() error {
				return b.dispatcher.Signal(t.Context(), namespace, member(), workflow.Target{ID: e.ID}, workflow.Message{Name: "any"})
			},
			"query": func() error {
				_, err := b.dispatcher.Query(t.Context(), namespace, workflow.Target{ID: e.ID}, workflow.Message{Name: "any"})
				return err
			},
			"update": func() error {
				_, err := b.dispatcher.Update(t.Context(), namespace, member(), workflow.Target{ID: e.ID}, "x", workflow.Message{Name: "any"})
				return err
			},
			"cancel": func() error {
				return b.dispatcher.Cancel(t.Context(), namespace, member(), workflow.Target{ID: e.ID}, "")
			},
			"terminate": func() error {
				return b.dispatcher.Terminate(t.Context(), namespace, member(), workflow.Target{ID: e.ID}, "")
			},
			"probe": func() error { return b.namespaces.Probe(t.Context(), namespace) },
			"check": func() error { return b.conn.CheckServer(t.Context()) },
			"connect": func() error {
				_, err := setupOn(t, server, temporal.Config{}).dispatcher.Describe(t.Context(), namespace, e.ID, "")
				return err
			},
		} {
			is := is.New(t)
			begun := time.Now()
			err := call()
			t.Logf("%s: %v after %v", name, err, time.Since(begun))
			is.True(fault.IsKind(err, fault.Unavailable))
			is.True(time.Since(begun) < 3*time.Second)
			is.True(fault.From(err).RetryAfter > 0)
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
