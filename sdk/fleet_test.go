package sdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

// stage is a fleet without Temporal: what would run workers writes down what it
// is told, and what would be the API says what it is given.
type stage struct {
	mu       sync.Mutex
	events   []string
	running  map[string]*actor
	startErr error         // for runners that start from now on
	startFor time.Duration // how long a start takes
	stopFor  time.Duration // and a stop
	starting int
	busiest  int // the most starts at once

	list    *AssignmentList
	version int
	apiErr  error
	changed chan struct{} // closed when one of the three changes

	observed []FleetEvent
	fleet    *Fleet

	log  bytes.Buffer
	stop context.CancelFunc
	done chan error
}

// actor is a runner that only says it runs.
type actor struct {
	s      *stage
	name   string
	failed chan error
}

func (a *actor) Start() error {
	a.s.mu.Lock()
	a.s.starting++
	a.s.busiest = max(a.s.busiest, a.s.starting)
	takes := a.s.startFor
	a.s.mu.Unlock()
	<-time.NewTimer(takes).C
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	a.s.starting--
	if a.s.startErr != nil {
		a.s.events = append(a.s.events, "failed "+a.name)
		return a.s.startErr
	}
	a.s.events = append(a.s.events, "started "+a.name)
	a.s.running[a.name] = a
	return nil
}

func (a *actor) Stop() {
	a.s.mu.Lock()
	takes := a.s.stopFor
	a.s.events = append(a.s.events, "stopping "+a.name)
	a.s.mu.Unlock()
	<-time.NewTimer(takes).C
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	a.s.events = append(a.s.events, "stopped "+a.name)
	delete(a.s.running, a.name)
}

func (a *actor) Failed() <-chan error { return a.failed }

func (s *stage) newRunner(_ context.Context, t target) (runner, error) {
	name := t.assignment.Organization.Slug + " " + strings.Join(t.queues, ",")
	return &actor{s: s, name: name, failed: make(chan error, 1)}, nil
}

// observe is told what happens in the fleet.
func (s *stage) observe(e FleetEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observed = append(s.observed, e)
}

// assignments answers as the API does: at once with what is new, else later.
func (s *stage) assignments(ctx context.Context, q AssignmentQuery, etag string, wait time.Duration) (*AssignmentList, string, error) {
	if q.Leaving {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, "left "+q.Pool+" as "+q.Member)
		return &AssignmentList{}, "", s.apiErr
	}
	late := time.NewTimer(wait)
	defer late.Stop()
	for {
		s.mu.Lock()
		list, version, err, changed := s.list, fmt.Sprint("v", s.version), s.apiErr, s.changed
		s.mu.Unlock()
		switch {
		case err != nil:
			return nil, "", err
		case etag != version:
			return list, version, nil
		}
		select {
		case <-changed:
		case <-late.C:
			return nil, etag, nil
		case <-ctx.Done():
			return nil, "", ctx.Err()
		}
	}
}

func (s *stage) change(f func()) {
	s.mu.Lock()
	f()
	s.version++
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	pass(time.Second) // what a change takes to have its effect
}

// assign sets the assignments: "acme" or "acme q1,q2".
func (s *stage) assign(orgs ...string) {
	l := &AssignmentList{TemporalAddress: "temporal:7233"}
	for _, o := range orgs {
		slug, queues, _ := strings.Cut(o, " ")
		a := Assignment{
			Namespace: "org-" + slug, State: AssignmentStateActive, Organization: OrganizationRef{ID: "org_" + slug, Slug: slug},
		}
		if queues != "" {
			a.TaskQueues = strings.Split(queues, ",")
		}
		l.Items = append(l.Items, a)
	}
	s.change(func() { s.list = l })
}

func (s *stage) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.events
	s.events = nil
	slices.Sort(out) // what happens to two organizations at once has no order
	return out
}

// end stops the fleet and returns what Run returned.
func (s *stage) end() error {
	s.stop()
	return <-s.done
}

// onStage runs a fleet in a bubble, whose time passes at once when all wait.
func onStage(t *testing.T, name string, play func(is *is.I, s *stage)) {
	t.Helper()
	onStageAs(t, name, AssignmentQuery{}, play)
}

// onStageAs is onStage for a member of a pool.
func onStageAs(t *testing.T, name string, q AssignmentQuery, play func(is *is.I, s *stage)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &stage{running: map[string]*actor{}, changed: make(chan struct{}), list: &AssignmentList{}, done: make(chan error, 1)}
			f := &Fleet{
				pools: newPools(1, 1), meter: meter{pool: q.Pool, observe: s.observe},
				queues: []string{"default"}, log: slog.New(slog.NewTextHandler(&s.log, nil)), query: q, assignments: s.assignments,
				engine: func() (func(context.Context, target) (runner, error), func()) { return s.newRunner, func() {} },
			}
			s.fleet = f
			var ctx context.Context
			ctx, s.stop = context.WithCancel(t.Context())
			defer s.stop()
			go func() { s.done <- f.Run(ctx) }()
			synctest.Wait()
			play(is.New(t), s)
		})
	})
}

func TestFleet(t *testing.T) {
	onStage(t, "Should start what appears and stop what disappears, and leave the rest alone", func(is *is.I, s *stage) {
		s.assign("acme", "bolt")
		is.Equal(s.take(), []string{"started acme default", "started bolt default"})
		s.assign("bolt", "coil")
		is.Equal(s.take(), []string{"started coil default", "stopped acme default", "stopping acme default"})
		is.NoErr(s.end())
		is.Equal(s.take(), []string{
			"stopped bolt default", "stopped coil default", "stopping bolt default", "stopping coil default",
		})
	})
	gold := AssignmentQuery{Pool: "gold", Member: "one"}
	onStageAs(t, "Should leave its pool before it drains, so that others take over", gold, func(is *is.I, s *stage) {
		s.assign("acme")
		s.take()
		s.change(func() { s.stopFor = time.Minute })
		s.stop()
		synctest.Wait()
		is.Equal(s.take(), []string{"left gold as one", "stopping acme default"})
		is.NoErr(<-s.done)
	})
	onStageAs(t, "Should end although it cannot leave its pool", gold, func(is *is.I, s *stage) {
		s.change(func() { s.apiErr = errors.New("away") })
		is.NoErr(s.end())
		is.True(strings.Contains(s.log.String(), "could not leave the pool"))
	})
	onStageAs(t, "Should ask again soon after the API was away, so that it stays a member", gold, func(is *is.I, s *stage) {
		s.change(func() { s.apiErr = errors.New("away") })
		<-time.NewTimer(10 * time.Minute).C
		s.change(func() { s.apiErr = nil })
		<-time.NewTimer(longestAsk).C
		synctest.Wait()
		is.True(strings.Contains(s.log.String(), "assignments are available again"))
		is.NoErr(s.end())
	})
	onStageAs(t, "Should count what happens, and tell who observes it, with the pool and without an organization to count by", gold,
		func(is *is.I, s *stage) {
			is.Equal(s.fleet.Stats().Assigned, 0)
			s.change(func() { s.stopFor = time.Minute })
			s.assign("acme", "bolt")
			stats := s.fleet.Stats()
			is.Equal([]any{stats.Pool, stats.Member, stats.Assigned, stats.Serving}, []any{"gold", "one", 2, 2})
			is.True(time.Since(stats.Answered) <= time.Second)
			s.running["acme default"].failed <- errors.New("broken")
			synctest.Wait()
			s.assign("bolt")
			stats = s.fleet.Stats()
			is.Equal([]any{stats.Assigned, stats.Serving}, []any{1, 2}) // one of them drains
			<-time.NewTimer(2 * time.Minute).C
			s.change(func() { s.apiErr = errors.New("away") })
			is.True(s.fleet.Stats().Unanswered > 0)
			is.NoErr(s.end())
			is.Equal(s.fleet.Stats().Serving, 0)
			kinds := map[FleetEventKind]int{}
			for _, e := range s.observed {
				kinds[e.Kind]++
				is.Equal(e.Pool, "gold")
				is.True(e.Kind != FleetStopped || e.Took == time.Minute)
			}
			is.Equal(kinds[FleetServing], 2)
			is.Equal(kinds[FleetStopped], 2)
			is.True(kinds[FleetAnswered] >= 3)
			is.True(kinds[FleetUnanswered] >= 1)
		})
	onStage(t, "Should say in one line each when an organization begins and ends to be served", func(is *is.I, s *stage) {
		s.assign("acme")
		s.assign()
		is.NoErr(s.end())
		lines := strings.Split(strings.TrimSpace(s.log.String()), "\n")
		is.Equal(len(lines), 2)
		is.True(strings.Contains(lines[0], `msg="serving the organization" organization=acme namespace=org-acme`))
		is.True(strings.Contains(lines[1], `msg="stopped serving the organization" organization=acme`))
	})
	onStage(t, "Should serve the queues of the assignment, each once, and else its own", func(is *is.I, s *stage) {
		s.assign("acme b,a,b", "bolt")
		is.Equal(s.take(), []string{"started acme a,b", "started bolt default"})
		s.assign("acme a,b", "bolt")
		is.Equal(len(s.take()), 0) // their order means nothing
		s.assign("acme a", "bolt")
		is.Equal(s.take(), []string{"started acme a", "stopped acme a,b", "stopping acme a,b"})
		is.NoErr(s.end())
	})
	onStage(t, "Should not let one that drains hold up the others", func(is *is.I, s *stage) {
		s.assign("acme", "bolt")
		s.take()
		s.change(func() { s.stopFor = time.Minute })
		s.assign("bolt")
		s.assign("acme", "bolt", "coil")
		is.Equal(s.take(), []string{"started acme default", "started coil default", "stopping acme default"})
		is.NoErr(s.end())
	})
	onStage(t, "Should drain everything before it returns", func(is *is.I, s *stage) {
		s.assign("acme")
		s.change(func() { s.stopFor = 5 * time.Second })
		began := time.Now()
		is.NoErr(s.end())
		is.Equal(time.Since(began), 5*time.Second)
		is.Equal(len(s.running), 0)
	})
	onStage(t, "Should try again what does not start, and warn once", func(is *is.I, s *stage) {
		s.change(func() { s.startErr = errors.New("temporal is away") })
		s.assign("acme")
		pass(5 * time.Minute)
		tries := len(s.take())
		is.True(tries > 10 && tries < 40) // often enough to be soon back, and not more
		is.Equal(strings.Count(s.log.String(), "temporal is away"), 1)
		s.change(func() { s.startErr = nil })
		pass(longestRetry)
		is.Equal(s.take(), []string{"started acme default"})
		is.NoErr(s.end())
	})
	onStage(t, "Should start anew what failed while it ran", func(is *is.I, s *stage) {
		s.assign("acme")
		s.take()
		s.running["acme default"].failed <- errors.New("namespace not found")
		pass(time.Second)
		is.Equal(s.take(), []string{"started acme default", "stopped acme default", "stopping acme default"})
		is.NoErr(s.end())
	})
	onStage(t, "Should give up what disappears before it could start", func(is *is.I, s *stage) {
		s.change(func() { s.startFor = time.Hour })
		s.assign("acme")
		s.assign()
		is.NoErr(s.end())
		pass(2 * time.Hour)
		is.Equal(s.take(), []string{"started acme default", "stopped acme default", "stopping acme default"}) // and stop it as soon as possible
	})
	onStage(t, "Should bound how many start at once", func(is *is.I, s *stage) {
		s.change(func() { s.startFor = time.Second })
		var orgs []string
		for i := range 10 * parallelStarts {
			orgs = append(orgs, fmt.Sprint("o", i))
		}
		s.assign(orgs...)
		pass(20 * time.Second)
		is.Equal(len(s.running), len(orgs))
		is.Equal(s.busiest, parallelStarts)
		is.NoErr(s.end())
	})
	onStage(t, "Should go on serving while the API is away", func(is *is.I, s *stage) {
		s.assign("acme")
		s.change(func() { s.apiErr = errors.New("connection refused") })
		pass(10 * time.Minute)
		is.Equal(s.take(), []string{"started acme default"})
		is.Equal(strings.Count(s.log.String(), "connection refused"), 1)
		s.change(func() { s.apiErr = nil })
		s.assign("acme", "bolt")
		pass(longestRetry)
		is.Equal(s.take(), []string{"started bolt default"})
		is.True(strings.Contains(s.log.String(), "available again"))
		is.NoErr(s.end())
	})
	onStage(t, "Should say at once that the API is back, and once", func(is *is.I, s *stage) {
		s.assign("acme")
		s.change(func() { s.apiErr = errors.New("connection refused") })
		pass(10 * time.Minute)
		is.True(strings.Contains(s.log.String(), "serving what is known"))
		s.mu.Lock()
		s.apiErr = nil // and nothing else has changed
		s.mu.Unlock()
		pass(longestRetry + time.Second)
		is.Equal(strings.Count(s.log.String(), "available again"), 1)
		pass(10 * time.Minute)
		is.Equal(strings.Count(s.log.String(), "available again"), 1)
		is.NoErr(s.end())
	})
	onStage(t, "Should not claim to serve what it has not been told", func(is *is.I, s *stage) {
		s.change(func() { s.apiErr = errors.New("connection refused") })
		pass(time.Minute)
		is.True(strings.Contains(s.log.String(), "cannot ask for assignments; trying again"))
		is.True(!strings.Contains(s.log.String(), "what is known"))
		is.NoErr(s.end())
	})
	onStage(t, "Should go on serving when the key is refused later: its tokens end by themselves", func(is *is.I, s *stage) {
		s.assign("acme")
		s.change(func() { s.apiErr = &Error{Status: 401} })
		pass(time.Minute)
		is.Equal(s.take(), []string{"started acme default"})
		is.NoErr(s.end())
	})
}

func TestFleetStart(t *testing.T) {
	t.Run("Should fail at once when the API refuses the key", func(t *testing.T) {
		is := is.New(t)
		f := &Fleet{
			log: slog.New(slog.DiscardHandler),
			assignments: func(context.Context, AssignmentQuery, string, time.Duration) (*AssignmentList, string, error) {
				return nil, "", &Error{Status: 401, Detail: "The credential is not valid."}
			},
			engine: func() (func(context.Context, target) (runner, error), func()) { return nil, func() {} },
		}
		is.True(IsUnauthenticated(f.Run(t.Context())))
	})
	t.Run("Should refuse a configuration that cannot work", func(t *testing.T) {
		is := is.New(t)
		c, err := New(Config{URL: "http://host", APIKey: testKey})
		is.NoErr(err)
		keyless, err := New(Config{URL: "http://host"})
		is.NoErr(err)
		register := func(worker.Registry, Assignment) {}
		for _, cfg := range []FleetConfig{
			{Register: register},
			{Client: c},
			{Client: keyless, Register: register},
			{Client: c, Register: register, ClientOptions: client.Options{Credentials: client.NewAPIKeyStaticCredentials("x")}},
		} {
			_, err := NewFleet(cfg)
			is.True(err != nil)
		}
		_, err = NewFleet(FleetConfig{Client: c, Register: register})
		is.NoErr(err)
	})
	t.Run("Should leave limits that the user sets alone", func(t *testing.T) {
		is := is.New(t)
		fatal := 0
		e := newEngine(FleetConfig{Logger: slog.Default(), WorkerOptions: worker.Options{
			MaxConcurrentActivityExecutionSize: 7, OnFatalError: func(error) { fatal++ },
		}}, newPools(1, 1))
		w := &workers{failed: make(chan error, 1)}
		o, err := e.workerOptions(w, &accounts{})
		is.NoErr(err)
		is.True(o.Tuner == nil) // Temporal refuses both
		is.Equal(o.WorkerStopTimeout, defaultStopTimeout)
		o.OnFatalError(errors.New("one"))
		o.OnFatalError(errors.New("two"))
		is.Equal(fatal, 2)
		is.Equal((<-w.Failed()).Error(), "one")
	})
	t.Run("Should share one lazily made connection, without heartbeats", func(t *testing.T) {
		is := is.New(t)
		e := newEngine(FleetConfig{Logger: slog.Default()}, newPools(1, 1))
		defer e.close()
		one, err := e.connection("127.0.0.1:1")
		is.NoErr(err)
		two, err := e.connection("127.0.0.1:1")
		is.NoErr(err)
		is.Equal(one, two)
		o := e.options("127.0.0.1:1")
		is.True(o.WorkerHeartbeatInterval < 0)
		is.Equal(len(o.ConnectionOptions.DialOptions), 1)
	})
}

func TestTemporalLog(t *testing.T) {
	t.Run("Should keep what workflows log and lower what each worker says of itself", func(t *testing.T) {
		is := is.New(t)
		var out bytes.Buffer
		l := newTemporalLog(slog.New(slog.NewTextHandler(&out, nil)))
		l.With("Namespace", "org-a").Info(startedWorker)
		for range 100 {
			l.With("Namespace", "org-a").Warn(failedPoll, "Error", "away")
		}
		l.Info("charging the card", "amount", 3)
		l.Warn("card is about to expire")
		l.Error("card refused")
		l.Debug("nothing")
		is.Equal(strings.Count(out.String(), "\n"), 4)
		is.Equal(strings.Count(out.String(), failedPoll), 1)
		is.True(strings.Contains(out.String(), "amount=3"))
	})
	t.Run("Should complain again after a while", func(t *testing.T) {
		is := is.New(t)
		o := occasional{every: time.Minute}
		now := time.Now()
		is.True(o.now(now))
		is.True(!o.now(now.Add(59 * time.Second)))
		is.True(o.now(now.Add(time.Minute)))
	})
}
