package temporal_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/ports/porttest"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// systemClock is the time of the machine: the server, which is real, reads it too.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

const (
	taskQueue = "tests"
	release   = "release" // the signal that lets a waiting workflow complete
)

// bundle is what a test of the adapter works with.
type bundle struct {
	server     *harness.TemporalServer
	conn       *temporal.Connection
	dispatcher *temporal.Dispatcher
	namespaces *temporal.Namespaces
}

func setup(t *testing.T) bundle {
	t.Helper()
	return setupOn(t, harness.Temporal(t), temporal.Config{})
}

func setupOn(t *testing.T, server *harness.TemporalServer, cfg temporal.Config) bundle {
	t.Helper()
	cfg.Address = server.Address
	conn, err := temporal.NewConnection(cfg, server, systemClock{}, quietLog())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(conn.Close)
	return bundle{server: server, conn: conn, dispatcher: temporal.NewDispatcher(conn), namespaces: temporal.NewNamespaces(conn)}
}

// namespace makes a tenant's namespace, ready for use.
func (b bundle) namespace(t *testing.T) string {
	t.Helper()
	owner := id.New[id.OrgKind]()
	name := "org-test-" + owner.Tail(8)
	err := b.namespaces.Ensure(t.Context(), namespace.Blueprint{Namespace: name, Owner: owner, Retention: 24 * time.Hour})
	if err == nil {
		err = b.namespaces.EnsureSearchAttributes(t.Context(), name)
	}
	if err != nil {
		t.Fatalf("make namespace: %v", err)
	}
	eventually(t, "the namespace is usable", func() bool { return b.namespaces.Probe(t.Context(), name) == nil })
	return name
}

// client returns an SDK client with a token of one permission, as a tenant's
// own worker has it.
func (b bundle) client(t *testing.T, namespace, permission string) client.Client {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{
		HostPort: b.server.Address, Namespace: namespace, WorkerHeartbeatInterval: -1,
		Credentials:       client.NewAPIKeyStaticCredentials(b.server.Mint(t, permission)),
		ConnectionOptions: client.ConnectionOptions{TLSDisabled: true},
		Logger:            quiet{},
	})
	if err != nil {
		t.Fatalf("make client: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// serve runs a tenant's worker, with a tenant's token, and returns its client.
func (b bundle) serve(t *testing.T, namespace string) client.Client {
	t.Helper()
	c := b.client(t, namespace, namespace+":write")
	w := worker.New(c, taskQueue, worker.Options{})
	for name, f := range map[string]any{
		porttest.EchoType:     func(_ workflow.Context, in json.RawMessage) (json.RawMessage, error) { return in, nil },
		porttest.NothingType:  func(workflow.Context) error { return nil },
		porttest.FailType:     failing,
		porttest.WaitType:     waiting,
		porttest.ContinueType: continuing,
		porttest.CollectType:  collecting,
		porttest.RetryType:    retrying,
		porttest.ChoresType:   working,
		"Activity":            perform,
		"Bytes":               func(workflow.Context) ([]byte, error) { return []byte{0, 0xff}, nil },
	} {
		w.RegisterWorkflowWithOptions(f, workflow.RegisterOptions{Name: name})
	}
	w.RegisterActivity(stumble)
	w.RegisterActivityWithOptions(chore, activity.RegisterOptions{Name: porttest.ChoreType})
	if err := w.Start(); err != nil {
		t.Fatalf("start worker: %v", err)
	}
	t.Cleanup(w.Stop)
	return c
}

func failing(workflow.Context) error {
	return sdk.NewNonRetryableApplicationError(porttest.FailMessage, porttest.FailureType, nil)
}

func waiting(ctx workflow.Context) (string, error) {
	signal := workflow.GetSignalChannel(ctx, release)
	selector := workflow.NewSelector(ctx).
		AddReceive(signal, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) }).
		AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
	selector.Select(ctx)
	return "released", ctx.Err()
}

func collecting(ctx workflow.Context) ([]json.RawMessage, error) {
	got := []json.RawMessage{}
	err := workflow.SetQueryHandler(ctx, porttest.QueryName, func(v json.RawMessage) ([]any, error) { return []any{v, len(got)}, nil })
	if err != nil {
		return nil, err
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, porttest.UpdateName,
		func(ctx workflow.Context, v json.RawMessage) (json.RawMessage, error) {
			before := len(got)
			return v, workflow.Await(ctx, func() bool { return len(got) > before })
		}, workflow.UpdateHandlerOptions{Validator: func(v json.RawMessage) error {
			if v == nil || string(v) == "null" {
				return sdk.NewApplicationError(porttest.FailMessage, porttest.FailureType)
			}
			return nil
		}})
	if err != nil {
		return nil, err
	}
	for signals := workflow.GetSignalChannel(ctx, porttest.SignalName); ; {
		var v json.RawMessage
		signals.Receive(ctx, &v)
		if v == nil || string(v) == "null" {
			return got, workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
		}
		got = append(got, v)
	}
}

func continuing(ctx workflow.Context) (string, error) {
	if workflow.GetInfo(ctx).ContinuedExecutionRunID == "" {
		return "", workflow.NewContinueAsNewError(ctx, porttest.ContinueType)
	}
	return "continued", nil
}

func retrying(ctx workflow.Context) (string, error) {
	if workflow.GetInfo(ctx).Attempt == 1 {
		return "", sdk.NewApplicationError(porttest.FailMessage, porttest.FailureType)
	}
	return "again", nil
}

func working(ctx workflow.Context, in json.RawMessage, queue string) (string, error) {
	options := workflow.ActivityOptions{StartToCloseTimeout: time.Minute, RetryPolicy: &sdk.RetryPolicy{InitialInterval: 10 * time.Millisecond}}
	if err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), porttest.ChoreType, in).Get(ctx, nil); err != nil {
		return "", err
	}
	if err := workflow.Sleep(ctx, time.Millisecond); err != nil {
		return "", err
	}
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "/child"})
	if err := workflow.ExecuteChildWorkflow(child, porttest.NothingType).Get(ctx, nil); err != nil {
		return "", err
	}
	options.TaskQueue = queue
	workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), porttest.ChoreType, in)
	return waiting(ctx)
}

func chore(ctx context.Context, in json.RawMessage) (json.RawMessage, error) {
	if activity.GetInfo(ctx).Attempt == 1 {
		return nil, sdk.NewApplicationError(porttest.FailMessage, porttest.FailureType)
	}
	return in, nil
}

func perform(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	return workflow.ExecuteActivity(ctx, stumble).Get(ctx, nil)
}

func stumble(context.Context) error {
	return sdk.NewNonRetryableApplicationError("the floor is wet", "Slip", nil)
}

func member() authz.Actor {
	return authz.NewKeyActor(authz.KeyHolder{
		Org: id.New[id.OrgKind](), User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Role: authz.Member,
	})
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newID() string { return "test/" + uuid.NewString() }

// eventually waits for what must come true. Only a test that has failed waits for the limit.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("still waiting: %s", what)
		}
	}
}

// quiet is a logger of the SDK that says nothing: refusals are what we test.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
