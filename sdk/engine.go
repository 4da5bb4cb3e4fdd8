package sdk

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

// engine makes Temporal workers for targets. They share a connection, a book of
// tokens and the slots.
type engine struct {
	cfg    FleetConfig
	tokens *tokenBook
	pools  pools
	log    *temporalLog

	mu          sync.Mutex
	connections map[string]client.Client // by address; one, unless Temporal moves
}

func newEngine(cfg FleetConfig, shared pools) *engine {
	if cfg.MaxCachedWorkflows > 0 {
		worker.SetStickyWorkflowCacheSize(cfg.MaxCachedWorkflows)
	}
	if cfg.WorkerOptions.WorkerStopTimeout <= 0 {
		cfg.WorkerOptions.WorkerStopTimeout = defaultStopTimeout
	}
	api := cfg.Client
	return &engine{
		cfg: cfg,
		tokens: newTokenBook(func(ctx context.Context, org string) (*Token, error) {
			return api.Token(ctx, TokenRequest{Organization: org, Access: TokenRequestAccessWrite})
		}),
		pools:       shared,
		log:         newTemporalLog(cfg.Logger),
		connections: make(map[string]client.Client),
	}
}

// close closes the connections. The workers have ended.
func (e *engine) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.connections {
		c.Close()
	}
}

// options are those of every client.
func (e *engine) options(address string) client.Options {
	o := e.cfg.ClientOptions
	if o.HostPort == "" {
		o.HostPort = address
	}
	o.Logger = e.log
	// A heartbeat is one request a minute for each namespace, to tell Temporal
	// what Bulkhead knows: who serves it.
	o.WorkerHeartbeatInterval = -1
	o.ConnectionOptions.DialOptions = append(slices.Clone(o.ConnectionOptions.DialOptions), e.tokens.dialOption())
	return o
}

// connection returns the client whose connection all others share. It does not
// wait for Temporal.
func (e *engine) connection(address string) (client.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.connections[address]; c != nil {
		return c, nil
	}
	c, err := client.NewLazyClient(e.options(address))
	if err != nil {
		return nil, fmt.Errorf("connect to Temporal: %w", err)
	}
	e.connections[address] = c
	return c, nil
}

// newRunner returns the workers of a target, which have not started yet.
func (e *engine) newRunner(ctx context.Context, t target) (runner, error) {
	base, err := e.connection(t.address)
	if err != nil {
		return nil, err
	}
	o := e.options(t.address)
	o.Namespace = t.assignment.Namespace
	c, err := client.NewClientFromExistingWithContext(ctx, base, o)
	if err != nil {
		return nil, fmt.Errorf("reach Temporal: %w", err)
	}
	w := &workers{client: c, failed: make(chan error, 1)}
	var held accounts
	for _, queue := range t.queues {
		options, err := e.workerOptions(w, &held)
		if err != nil {
			c.Close()
			return nil, err
		}
		var registered registrations
		e.cfg.Register(&registered, t.assignment)
		one := worker.New(c, queue, registered.narrow(options))
		registered.apply(one)
		w.ready = append(w.ready, one)
	}
	w.closeTokens = e.tokens.open(t.assignment.Namespace, t.assignment.Organization.ID)
	return w, nil
}

func (e *engine) workerOptions(w *workers, held *accounts) (worker.Options, error) {
	o := e.cfg.WorkerOptions
	limited := o.Tuner != nil || o.MaxConcurrentActivityExecutionSize != 0 || o.MaxConcurrentWorkflowTaskExecutionSize != 0 ||
		o.MaxConcurrentLocalActivityExecutionSize != 0 || o.MaxConcurrentNexusTaskExecutionSize != 0
	if !limited {
		var err error
		if o.Tuner, err = e.pools.tuner(held); err != nil {
			return o, fmt.Errorf("limit the worker: %w", err)
		}
		// As many pollers as a worker has slots of its own, so that one that waits
		// for work takes nothing from the pool.
		if o.WorkflowTaskPollerBehavior == nil && o.MaxConcurrentWorkflowTaskPollers == 0 {
			o.MaxConcurrentWorkflowTaskPollers = ownSlots
		}
		// For activities it is one, and more while Temporal says that there is a
		// backlog: an idle poller is a goroutine deep in a call, 16 KiB of stack. For
		// workflow tasks two are the least.
		if o.ActivityTaskPollerBehavior == nil && o.MaxConcurrentActivityTaskPollers == 0 {
			o.ActivityTaskPollerBehavior = worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
				InitialNumberOfPollers: 1, MinimumNumberOfPollers: 1, MaximumNumberOfPollers: busyPollers,
			})
		}
		if o.NexusTaskPollerBehavior == nil && o.MaxConcurrentNexusTaskPollers == 0 {
			o.MaxConcurrentNexusTaskPollers = ownSlots
		}
	}
	theirs := o.OnFatalError
	o.OnFatalError = func(err error) {
		if theirs != nil {
			theirs(err)
		}
		w.fail(err)
	}
	return o, nil
}

// workers is the runner of one target: a worker for each task queue.
type workers struct {
	client      client.Client
	closeTokens func()
	failed      chan error

	ready   []worker.Worker
	started []worker.Worker
}

// Start starts every worker, or none.
func (w *workers) Start() error {
	for _, one := range w.ready {
		if err := one.Start(); err != nil {
			w.Stop()
			return fmt.Errorf("start a worker: %w", err)
		}
		w.started = append(w.started, one)
	}
	return nil
}

// Stop drains the workers, all at once. They keep their tokens until then: what
// they finish must be reported.
func (w *workers) Stop() {
	var all sync.WaitGroup
	for _, one := range w.started {
		all.Go(one.Stop)
	}
	all.Wait()
	w.client.Close()
	w.closeTokens()
}

// Failed delivers the first fatal error.
func (w *workers) Failed() <-chan error { return w.failed }

func (w *workers) fail(err error) {
	select {
	case w.failed <- err:
	default: // an earlier one is there already
	}
}
