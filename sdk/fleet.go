package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

const (
	// pollWait is how long one question for assignments waits for a change.
	pollWait = 30 * time.Second

	// leaveTimeout bounds how long the drain waits for the API.
	leaveTimeout = 2 * time.Second

	// parallelStarts bounds how many organizations are begun at once: a fleet
	// that starts with hundreds must not run Temporal's frontend over.
	parallelStarts = 16

	firstRetry   = 500 * time.Millisecond
	longestRetry = 30 * time.Second
	// longestAsk is less than a third of a member's lease: when the API is back, who
	// still waits to ask again is not taken for gone.
	longestAsk = 4 * time.Second
	// steady is how long a thing must have gone well for its next failure to be
	// a first one again.
	steady = time.Minute

	defaultStopTimeout   = 10 * time.Second
	defaultActivities    = 200
	defaultWorkflowTasks = 200
)

// FleetConfig says what a fleet serves. Client and Register are needed.
type FleetConfig struct {
	// Client asks for assignments and tokens. Its key decides which
	// organizations are served: a key of the platform all, any other its own. It
	// needs assignments:read and tokens:write.
	Client *Client

	// Register registers the workflows and activities on one worker. It is called
	// for each organization and task queue, and may register different things.
	Register func(worker.Registry, Assignment)

	// Pool is the pool of organizations to serve; without one it is those of all pools.
	// Member is this process's own name among those that share the pool, such as its
	// host's: each organization is served by as many of them as Replicas says, 1 if it
	// is 0, and a process that comes or goes takes over and hands on no more than its
	// share. Without a name it serves the whole pool. All three take a key of the
	// platform.
	Pool     string
	Member   string
	Replicas int

	// TaskQueues are served for an organization whose assignment names none.
	// Without any, it is the queue "default".
	TaskQueues []string

	// MaxActivities and MaxWorkflowTasks bound what runs at once in the whole
	// fleet, besides two of each that every worker may always run; 0 is 200. Local
	// activities and Nexus tasks have as many as activities, each for themselves. An
	// organization may use all of it as long as no other wants it; else what comes free
	// goes to the one that has the least. They give way to a Tuner or limits in
	// WorkerOptions.
	MaxActivities    int
	MaxWorkflowTasks int

	// MaxCachedWorkflows bounds how many workflows of all organizations together are
	// kept in memory between their tasks; 0 leaves Temporal's 10,000. It holds for the
	// whole process, and takes effect in one that has run no worker yet.
	MaxCachedWorkflows int

	// ClientOptions are what the Temporal clients have in common, such as TLS and
	// a data converter. A HostPort wins over the address that the API gives; the
	// namespace, the credentials and the logger are the fleet's.
	ClientOptions client.Options

	// WorkerOptions are those of every worker. Without a WorkerStopTimeout, work
	// that is under way has 10 seconds to end when a worker stops.
	WorkerOptions worker.Options

	// Observe is told what happens, to count it; see also Fleet.Stats. It must not
	// block, and is called by many goroutines. nil is nobody.
	Observe func(FleetEvent)

	// Logger gets a line when an organization begins and ends to be served, and
	// what goes wrong; nil is slog.Default().
	Logger *slog.Logger
}

// Fleet runs a Temporal worker for every organization that is assigned to it, in
// one process and over one connection. Organizations come and go without a
// restart: a new one is served within a second, one that was suspended is
// drained. Many processes share a pool of organizations, as its members.
type Fleet struct {
	queues      []string
	log         *slog.Logger
	query       AssignmentQuery
	assignments func(ctx context.Context, q AssignmentQuery, etag string, wait time.Duration) (*AssignmentList, string, error)
	meter       meter
	pools       pools
	// engine makes what runs the workers of one Run, and what ends it.
	engine func() (newRunner func(context.Context, target) (runner, error), closeAll func())
}

// NewFleet returns a fleet that is yet to Run.
func NewFleet(cfg FleetConfig) (*Fleet, error) {
	switch {
	case cfg.Client == nil:
		return nil, errors.New("a fleet needs a client")
	case cfg.Client.key == "":
		return nil, fmt.Errorf("a fleet needs a client with a key: %w", errNoKey)
	case cfg.Register == nil:
		return nil, errors.New("a fleet needs workflows: Register is nil")
	case cfg.ClientOptions.Credentials != nil:
		return nil, errors.New("a fleet has a credential for each organization: leave Credentials empty")
	}
	if len(cfg.TaskQueues) == 0 {
		cfg.TaskQueues = []string{"default"}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.MaxActivities <= 0 {
		cfg.MaxActivities = defaultActivities
	}
	if cfg.MaxWorkflowTasks <= 0 {
		cfg.MaxWorkflowTasks = defaultWorkflowTasks
	}
	shared := newPools(cfg.MaxWorkflowTasks, cfg.MaxActivities)
	return &Fleet{
		meter: meter{observe: cfg.Observe, pool: cfg.Pool}, pools: shared,
		queues: cfg.TaskQueues, log: cfg.Logger, assignments: cfg.Client.Assignments,
		query: AssignmentQuery{Pool: cfg.Pool, Member: cfg.Member, Replicas: cfg.Replicas},
		engine: func() (func(context.Context, target) (runner, error), func()) {
			e := newEngine(cfg, shared)
			return e.newRunner, e.close
		},
	}, nil
}

// Run serves until the context ends, and then returns nil once everything is
// drained. It outlives times without the API and without Temporal. It fails only
// at its beginning, when the API refuses the key.
func (f *Fleet) Run(ctx context.Context) error {
	newRunner, closeAll := f.engine()
	defer closeAll()
	r := &reconciler{
		newRunner: newRunner, log: f.log, meter: &f.meter, units: make(map[string]*unit), starts: make(chan struct{}, parallelStarts),
	}
	defer r.drain()
	defer f.leave(context.WithoutCancel(ctx))

	version, failures := "", 0
	for {
		wait := pollWait
		if failures > 0 {
			wait = 0 // to know at once that the API is back, also when nothing has changed
		}
		asked := time.Now()
		list, next, err := f.assignments(ctx, f.query, version, wait)
		pause := leastPause
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && version == "" && (IsUnauthenticated(err) || IsForbidden(err)):
			return fmt.Errorf("ask for assignments: %w", err)
		case err != nil:
			// What runs goes on: the tokens at hand bound for how long.
			f.meter.note(FleetEvent{Kind: FleetUnanswered, Err: err, Took: time.Since(asked)})
			if failures == 0 {
				r.warn(ctx, err)
			}
			pause = backoff(failures, firstRetry, longestAsk, dice())
			failures++
		default:
			if failures > 0 {
				f.log.InfoContext(ctx, "assignments are available again")
			}
			failures = 0
			f.meter.note(FleetEvent{Kind: FleetAnswered, Took: time.Since(asked)})
			if list != nil {
				version = next
				r.reconcile(ctx, f.targets(list))
			}
			if version == "" {
				pause = time.Second // a server without versions does not wait for a change
			}
		}
		if sleep(ctx, pause) != nil {
			return nil
		}
	}
}

// leave tells the other members to take over, while this one still drains.
func (f *Fleet) leave(ctx context.Context) {
	if f.query.Member == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	q := f.query
	q.Leaving = true
	if _, _, err := f.assignments(ctx, q, "", 0); err != nil {
		f.log.WarnContext(ctx, "could not leave the pool; the others take over when the lease ends", "error", err)
	}
}

// targets says what should run.
func (f *Fleet) targets(list *AssignmentList) []target {
	out := make([]target, 0, len(list.Items))
	for _, a := range list.Items {
		if a.State != AssignmentStateActive {
			continue
		}
		queues := a.TaskQueues
		if len(queues) == 0 {
			queues = f.queues
		}
		queues = slices.Clone(queues)
		slices.Sort(queues)
		out = append(out, target{assignment: a, queues: slices.Compact(queues), address: list.TemporalAddress})
	}
	return out
}

// target is an organization to serve: what differs in any of it is another target.
type target struct {
	assignment Assignment
	queues     []string // sorted, each once
	address    string   // of Temporal
}

func (t target) key() string {
	parts := append([]string{t.assignment.Namespace, t.assignment.Organization.ID, t.address}, t.queues...)
	return strings.Join(parts, "\x00")
}

// runner serves one target until it is stopped.
type runner interface {
	// Start begins to serve. It fails when Temporal cannot be reached.
	Start() error
	// Stop ends what Start began, and waits until it is drained.
	Stop()
	// Failed delivers why the runner cannot go on, if that happens.
	Failed() <-chan error
}

// reconciler makes what runs equal to what should run. One goroutine calls it.
type reconciler struct {
	newRunner func(context.Context, target) (runner, error)
	log       *slog.Logger
	meter     *meter
	starts    chan struct{} // a slot for each start under way

	units map[string]*unit
	all   sync.WaitGroup // the units that have not ended, drained ones too
}

// unit is a target that is being served, or tried to.
type unit struct{ cancel context.CancelFunc }

// reconcile starts what is missing and stops what is too much. It waits for
// neither. A target whose queues changed is started anew while its predecessor
// is drained.
func (r *reconciler) reconcile(ctx context.Context, targets []target) {
	r.meter.assigned.Store(int64(len(targets)))
	wanted := make(map[string]bool, len(targets))
	for _, t := range targets {
		key := t.key()
		wanted[key] = true
		if r.units[key] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		r.units[key] = &unit{cancel: cancel}
		r.all.Go(func() { r.serve(ctx, t) })
	}
	for key, u := range r.units {
		if !wanted[key] {
			u.cancel()
			delete(r.units, key)
		}
	}
}

// warn says that it is not known any more what should run, and what goes on.
func (r *reconciler) warn(ctx context.Context, err error) {
	if len(r.units) == 0 {
		r.log.WarnContext(ctx, "cannot ask for assignments; trying again", "error", err)
		return
	}
	r.log.WarnContext(ctx, "cannot ask for assignments; serving what is known", "error", err)
}

// drain stops everything and waits for it.
func (r *reconciler) drain() {
	for _, u := range r.units {
		u.cancel()
	}
	r.all.Wait()
}

// serve keeps a target served until the context ends.
func (r *reconciler) serve(ctx context.Context, t target) {
	log := r.log.With("organization", t.assignment.Organization.Slug, "namespace", t.assignment.Namespace)
	for failures := 0; ; failures++ {
		began := time.Now()
		err := r.serveOnce(ctx, t, log)
		if ctx.Err() != nil {
			return
		}
		r.meter.note(FleetEvent{Kind: FleetFailed, Organization: t.assignment.Organization.Slug, Err: err})
		if time.Since(began) > steady {
			failures = 0
		}
		level := slog.LevelWarn
		if failures > 0 {
			level = slog.LevelDebug // one line is enough, and it may be true of hundreds
		}
		pause := backoff(failures, firstRetry, longestRetry, dice())
		log.Log(ctx, level, "cannot serve the organization; trying again", "error", err, "pause", pause)
		if sleep(ctx, pause) != nil {
			return
		}
	}
}

// serveOnce serves a target until the context ends or the runner fails.
func (r *reconciler) serveOnce(ctx context.Context, t target, log *slog.Logger) error {
	slug, began := t.assignment.Organization.Slug, time.Now()
	runner, err := r.start(ctx, t)
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "serving the organization", "task_queues", t.queues)
	r.meter.note(FleetEvent{Kind: FleetServing, Organization: slug, Took: time.Since(began)})
	select {
	case <-ctx.Done():
	case err = <-runner.Failed():
	}
	began = time.Now()
	runner.Stop()
	r.meter.note(FleetEvent{Kind: FleetStopped, Organization: slug, Took: time.Since(began)})
	log.InfoContext(ctx, "stopped serving the organization")
	return err
}

// start returns a runner that runs. It returns early when the context ends: what
// is half started then is stopped as soon as it can be.
func (r *reconciler) start(ctx context.Context, t target) (runner, error) {
	select {
	case r.starts <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	type outcome struct {
		runner runner
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-r.starts }()
		started, err := r.newRunner(ctx, t)
		if err == nil {
			err = started.Start()
		}
		done <- outcome{started, err}
	}()
	select {
	case o := <-done:
		return o.runner, o.err
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				o.runner.Stop()
			}
		}()
		return nil, ctx.Err()
	}
}
