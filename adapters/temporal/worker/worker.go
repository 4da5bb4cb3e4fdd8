package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/adapters/temporal/workflows"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/sleep"
)

const (
	firstRetry = 250 * time.Millisecond
	maxRetry   = 10 * time.Second
	// stopTimeout is how long activities may finish after Stop. It is longer
	// than any of them may take.
	stopTimeout = 10 * time.Second
	// cacheSize is how many workflows stay in memory between two tasks. Ours
	// have hardly more than one. The cache is the whole process's.
	cacheSize = 128
	// The slots: provisioning is bounded by Temporal's limit on registrations.
	slots = 32
)

// Worker serves the queue of Bulkhead's own workflows.
type Worker struct {
	conn       *temporal.Connection
	activities *Activities
	log        *slog.Logger
	healthy    atomic.Bool

	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{}
}

// New returns a worker that is yet to be started.
func New(conn *temporal.Connection, activities *Activities, logger *slog.Logger) *Worker {
	return &Worker{conn: conn, activities: activities, log: logger}
}

// Start begins to serve, and returns at once: as long as Temporal is away it is
// tried again, until ctx ends or Stop is called. A second Start does nothing.
func (w *Worker) Start(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel != nil {
		return
	}
	ctx, w.cancel = context.WithCancel(ctx)
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		w.supervise(ctx)
	}()
}

// Stop ends the worker: it takes no more tasks and returns when those under way
// have finished, or were given up after ten seconds. Temporal has another
// worker repeat them. Stopping a worker that was not started is harmless.
func (w *Worker) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel != nil {
		w.cancel()
		<-w.done
	}
}

// Healthy tells whether the worker serves its queue.
func (w *Worker) Healthy() bool { return w.healthy.Load() }

// Name implements ports.Pinger.
func (*Worker) Name() string { return "system-worker" }

// Ping implements ports.Pinger: it fails unless the worker serves its queue.
func (w *Worker) Ping(context.Context) error {
	if !w.Healthy() {
		return fault.ErrUnavailable
	}
	return nil
}

// supervise serves until ctx ends, whatever it takes.
func (w *Worker) supervise(ctx context.Context) {
	pause := firstRetry
	for ctx.Err() == nil {
		began := time.Now()
		err := w.serve(ctx)
		if err == nil {
			return
		}
		if time.Since(began) > maxRetry {
			pause = firstRetry // it did serve for a while
		}
		w.log.WarnContext(ctx, "The system worker does not run; trying again", slog.Any("error", err), slog.Duration("pause", pause))
		sleep.For(ctx, pause)
		pause = min(2*pause, maxRetry)
	}
}

// serve runs an SDK worker until ctx ends; then it returns nil.
func (w *Worker) serve(ctx context.Context) error {
	if err := temporal.NewNamespaces(w.conn).EnsureSystemNamespace(ctx); err != nil {
		return fmt.Errorf("ensure the system namespace: %w", err)
	}
	fatal := make(chan error, 1)
	sdk.SetStickyWorkflowCacheSize(cacheSize)
	worker := sdk.New(w.conn.System(), workflows.TaskQueue, sdk.Options{
		MaxConcurrentActivityExecutionSize:      slots,
		MaxConcurrentLocalActivityExecutionSize: slots,
		MaxConcurrentWorkflowTaskExecutionSize:  slots,
		WorkerStopTimeout:                       stopTimeout,
		DisableRegistrationAliasing:             true,
		OnFatalError: func(err error) {
			select {
			case fatal <- err:
			default: // the first one stops the worker
			}
		},
	})
	worker.RegisterWorkflowWithOptions(workflows.ProvisionOrganization, workflow.RegisterOptions{Name: workflows.ProvisionOrganizationName})
	worker.RegisterWorkflowWithOptions(workflows.DeleteOrganization, workflow.RegisterOptions{Name: workflows.DeleteOrganizationName})
	worker.RegisterWorkflowWithOptions(workflows.ReviewSchedules, workflow.RegisterOptions{Name: workflows.ReviewSchedulesName})
	worker.RegisterWorkflowWithOptions(workflows.ReviewNamespace, workflow.RegisterOptions{Name: workflows.ReviewNamespaceName})
	w.activities.Register(worker)
	if err := worker.Start(); err != nil {
		return fmt.Errorf("start the system worker: %w", err)
	}
	defer worker.Stop()
	w.healthy.Store(true)
	defer w.healthy.Store(false)
	w.log.InfoContext(ctx, "The system worker serves", slog.String("task_queue", workflows.TaskQueue))
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return fmt.Errorf("the system worker has stopped: %w", err)
	}
}
