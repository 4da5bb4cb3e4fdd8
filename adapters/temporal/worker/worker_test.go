package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/temporalproto"
	"go.uber.org/goleak"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/adapters/temporal/worker"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/usecase/deletion"
	"github.com/bulkheadhq/bulkhead/core/usecase/holds"
	"github.com/bulkheadhq/bulkhead/core/usecase/namespaces"
	"github.com/bulkheadhq/bulkhead/core/usecase/provisioning"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

var (
	_ worker.Provisioning = (*provisioning.Service)(nil)
	_ worker.Deletion     = (*deletion.Service)(nil)
)

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// steps provisions real namespaces, and notes and disturbs it as a test wants.
type steps struct {
	namespaces *temporal.Namespaces
	disturb    func(name string, attempt int) error // nil: never

	mu       sync.Mutex
	attempts []string // "step 1"
	reason   error
	active   chan struct{} // closed by Activate
	failed   chan struct{} // closed by Fail
}

func newSteps(n *temporal.Namespaces) *steps {
	return &steps{namespaces: n, active: make(chan struct{}), failed: make(chan struct{})}
}

func namespaceOf(o id.Org) string { return "org-steps-" + o.Tail(8) }

func (s *steps) begin(name string, attempt int) error {
	s.mu.Lock()
	s.attempts = append(s.attempts, name+" "+string(rune('0'+attempt)))
	s.mu.Unlock()
	if s.disturb == nil {
		return nil
	}
	return s.disturb(name, attempt)
}

func (s *steps) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.attempts...)
}

func (s *steps) EnsureNamespace(ctx context.Context, p outbox.ProvisionPayload, attempt int) error {
	if err := s.begin("namespace", attempt); err != nil {
		return err
	}
	return s.namespaces.Ensure(ctx, namespace.Blueprint{
		Namespace: namespaceOf(p.Organization), Owner: p.Organization, Retention: 24 * time.Hour,
	})
}

func (s *steps) EnsureSearchAttributes(ctx context.Context, p outbox.ProvisionPayload, attempt int) error {
	if err := s.begin("attributes", attempt); err != nil {
		return err
	}
	return s.namespaces.EnsureSearchAttributes(ctx, namespaceOf(p.Organization))
}

func (s *steps) Probe(ctx context.Context, p outbox.ProvisionPayload, attempt int) error {
	if err := s.begin("probe", attempt); err != nil {
		return err
	}
	return s.namespaces.Probe(ctx, namespaceOf(p.Organization))
}

func (s *steps) Activate(_ context.Context, _ outbox.ProvisionPayload, attempt int) error {
	if err := s.begin("activate", attempt); err != nil {
		return err
	}
	close(s.active)
	return nil
}

func (s *steps) Fail(_ context.Context, _ outbox.ProvisionPayload, reason error) error {
	s.reason = reason
	close(s.failed)
	return nil
}

// bundle is a server of the test's own, since there is one system namespace a
// server, and what it takes to provision on it.
type bundle struct {
	server       *harness.TemporalServer
	conn         *temporal.Connection
	orchestrator *temporal.Orchestrator
	steps        *steps
	worker       *worker.Worker
}

func setup(t testing.TB) *bundle {
	t.Helper()
	server := harness.NewTemporal(t, harness.TemporalOptions{})
	logger := slog.New(slog.DiscardHandler)
	conn, err := temporal.NewConnection(temporal.Config{Address: server.Address}, server, systemClock{}, logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	s := newSteps(temporal.NewNamespaces(conn))
	w := newWorker(conn, s)
	t.Cleanup(w.Stop)
	return &bundle{server: server, conn: conn, orchestrator: temporal.NewOrchestrator(conn), steps: s, worker: w}
}

func newWorker(conn *temporal.Connection, p worker.Provisioning) *worker.Worker {
	logger := slog.New(slog.DiscardHandler)
	return worker.New(conn, worker.NewActivities(p, (*deletion.Service)(nil), (*holds.Service)(nil), (*namespaces.Watch)(nil), logger), logger)
}

func (b *bundle) start(t testing.TB) {
	t.Helper()
	b.worker.Start(t.Context())
	eventually(t, "the worker serves", b.worker.Healthy)
}

func (b *bundle) deliver(t testing.TB) outbox.ProvisionPayload {
	t.Helper()
	p := outbox.ProvisionPayload{Organization: id.New[id.OrgKind](), Operation: id.New[id.OperationKind]()}
	b.redeliver(t, p)
	return p
}

func (b *bundle) redeliver(t testing.TB, p outbox.ProvisionPayload) {
	t.Helper()
	eventually(t, "the provisioning is delivered", func() bool {
		return b.orchestrator.ProvisionOrganization(t.Context(), p) == nil
	})
}

// history returns all that Temporal has recorded of a provisioning, as text.
func (b *bundle) history(t *testing.T, p outbox.ProvisionPayload) string {
	t.Helper()
	var text strings.Builder
	events := b.conn.System().GetWorkflowHistory(t.Context(), "org-provision/"+p.Organization.String(), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		line, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(line)
	}
	return text.String()
}

func await(t testing.TB, what string, signal <-chan struct{}) {
	t.Helper()
	timer := time.NewTimer(2 * time.Minute)
	defer timer.Stop()
	select {
	case <-signal:
	case <-timer.C:
		t.Fatalf("still waiting: %s", what)
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
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

func TestWorker(t *testing.T) {
	t.Parallel()

	t.Run("Should provision in one go", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.start(t)
		p := b.deliver(t)
		await(t, "activation", b.steps.active)
		id := "org-provision/" + p.Organization.String()
		is.NoErr(b.conn.System().GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
		before, err := b.conn.System().DescribeWorkflowExecution(t.Context(), id, "")
		is.NoErr(err)
		b.redeliver(t, p) // what has succeeded is not done again
		after, err := b.conn.System().DescribeWorkflowExecution(t.Context(), id, "")
		is.NoErr(err)
		is.Equal(after.GetWorkflowExecutionInfo().GetExecution().GetRunId(), before.GetWorkflowExecutionInfo().GetExecution().GetRunId())
		is.Equal(b.steps.seen(), []string{"namespace 1", "attributes 1", "probe 1", "activate 1"})
	})

	t.Run("Should repeat a step and tell nobody what broke inside", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.steps.disturb = func(name string, attempt int) error {
			switch {
			case name == "namespace" && attempt == 1:
				return fault.ErrUnavailable.Because(errors.New("dial tcp 10.0.0.7"))
			case name == "namespace" && attempt == 2:
				return errors.New("password is wrong")
			}
			return nil
		}
		b.start(t)
		p := b.deliver(t)
		await(t, "activation", b.steps.active)
		is.Equal(b.steps.seen()[:4], []string{"namespace 1", "namespace 2", "namespace 3", "attributes 1"})
		history := b.history(t, p)
		is.True(strings.Contains(history, fault.ErrUnavailable.Public))
		is.True(!strings.Contains(history, "10.0.0.7"))
		is.True(!strings.Contains(history, "password"))
	})

	t.Run("Should record a failure for good, and try again when told to", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		foreign := true
		b.steps.disturb = func(name string, _ int) error {
			if foreign && name == "namespace" {
				return ports.ErrNamespaceForeign.Because(errors.New("tagged org_other"))
			}
			return nil
		}
		b.start(t)
		p := b.deliver(t)
		await(t, "the failure", b.steps.failed)
		is.True(errors.Is(b.steps.reason, ports.ErrNamespaceForeign))
		is.Equal(b.steps.seen(), []string{"namespace 1"})
		is.True(!strings.Contains(b.history(t, p), "org_other"))

		run := b.conn.System().GetWorkflow(t.Context(), "org-provision/"+p.Organization.String(), "")
		is.True(run.Get(t.Context(), nil) != nil) // it has closed, as failed
		foreign = false
		b.redeliver(t, p)
		await(t, "activation", b.steps.active)
	})

	t.Run("Should refuse an input that names nothing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.start(t)
		p := outbox.ProvisionPayload{Organization: id.New[id.OrgKind]()} // no operation
		b.redeliver(t, p)
		run := b.conn.System().GetWorkflow(t.Context(), "org-provision/"+p.Organization.String(), "")
		is.True(run.Get(t.Context(), nil) != nil)
		is.Equal(len(b.steps.seen()), 0) // no step was taken
	})

	t.Run("Should wait for Temporal, and resume what its death has cut short", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.server.Kill(t)
		b.worker.Start(t.Context())
		is.True(!b.worker.Healthy())
		b.server.Restart(t)
		eventually(t, "the worker serves", b.worker.Healthy)

		reached, killed := make(chan struct{}), make(chan struct{})
		var once sync.Once
		b.steps.disturb = func(name string, _ int) error {
			if name == "probe" {
				once.Do(func() {
					close(reached)
					<-killed
				})
			}
			return nil
		}
		b.deliver(t)
		await(t, "the probe", reached)
		b.server.Kill(t)
		close(killed)
		b.server.Restart(t)
		begun := time.Now()
		await(t, "activation", b.steps.active)
		t.Logf("resumed %v after Temporal was back", time.Since(begun).Round(time.Millisecond))
	})

	t.Run("Should finish the step under way when it stops", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.worker.Stop() // before Start: harmless
		reached, stopping := make(chan struct{}), make(chan struct{})
		var once sync.Once
		b.steps.disturb = func(name string, attempt int) error {
			switch {
			case name == "namespace" && attempt == 1:
				return fault.ErrUnavailable // the next attempt is the server's
			case name == "namespace":
				once.Do(func() {
					close(reached)
					<-stopping
				})
			}
			return nil
		}
		b.start(t)
		b.deliver(t)
		await(t, "the second attempt", reached)
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			b.worker.Stop()
		}()
		timer := time.NewTimer(200 * time.Millisecond) // nothing tells that somebody waits
		defer timer.Stop()
		select {
		case <-stopped:
			t.Fatal("it did not wait")
		case <-timer.C:
		}
		close(stopping)
		await(t, "the stop", stopped)
		is.True(!b.worker.Healthy())
		b.worker.Stop() // again: harmless
	})
}

func TestWorkerLeaks(t *testing.T) { // not parallel: it counts the goroutines of the process
	b := setup(t)
	before := goleak.IgnoreCurrent()
	b.start(t)
	b.deliver(t)
	await(t, "activation", b.steps.active)
	b.worker.Stop()
	b.conn.Close()
	goleak.VerifyNone(t, before, goleak.IgnoreTopFunction("google.golang.org/grpc/internal/grpcsync.(*CallbackSerializer).run"))
}
