package rows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

// fleet serves the namespaces of many organizations from one process: by the
// SDK's Fleet, and by a client and a worker of Temporal's SDK for each. Every
// round starts both anew, looks at them when all namespaces are served, has each run a
// workflow with an activity in every namespace, and looks at them again.
var fleet = bench.Comparison{
	Rows: []bench.Row{
		{Name: "fleet-memory", Target: 0.5, Direction: bench.AtMost},
		{Name: "fleet-connections", Target: 1, Direction: bench.AtMost},
	},
	Measure: func(t *bench.T) []float64 {
		t.Rounds = 5 // a round starts hundreds of workers twice, and memory varies little
		stack := harness.NewStack(t)
		namespaces := 200
		if t.Short {
			namespaces = 20
		}
		setting := served{
			API: stack.URL, Key: stack.WorkerKey, Temporal: stack.Temporal.Address, Namespaces: createNamespaces(t, stack, namespaces),
			operator: apiClient(t, stack, stack.OperatorKey), workers: apiClient(t, stack, stack.WorkerKey),
		}
		side := func(name string) bench.Side {
			return bench.Side{Name: name, Round: func() bench.Sample { return setting.measure(t, name) }}
		}
		series := bench.Interleave(t, side("fleet"), side("workers"))
		bench.Ratio(t, "MiB heap", series[0], series[1])
		bench.Ratio(t, "goroutines", series[0], series[1])
		bench.Ratio(t, "MiB after work", series[0], series[1])
		bench.Ratio(t, "seconds of work", series[0], series[1])
		return []float64{bench.Ratio(t, "MiB", series[0], series[1]), series[0].Median("connections")}
	},
}

// served is what both programs serve.
type served struct {
	API, Key, Temporal string
	Namespaces         map[string]string // to their tokens

	operator, workers *sdk.Client
}

// createNamespaces creates organizations and returns their namespaces, each with
// a token for it.
func createNamespaces(t *bench.T, stack *harness.Stack, n int) map[string]string {
	t.Helper()
	operator, workers := apiClient(t, stack, stack.OperatorKey), apiClient(t, stack, stack.WorkerKey)
	namespaces := make(map[string]string, n)
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(8)
	for i := range n {
		slug := tenantSlug(i)
		g.Go(func() error {
			if err := createOrganization(ctx, operator, slug); err != nil {
				return err
			}
			token, err := workers.Token(ctx, sdk.TokenRequest{Organization: slug, Access: sdk.TokenRequestAccessWrite})
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			namespaces[token.Namespace] = token.Token
			if len(namespaces)%20 == 0 {
				t.Logf("%d of %d organizations are active", len(namespaces), n)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return namespaces
}

// measure starts a program and looks at it while it serves everything.
func (s served) measure(t *bench.T, program string) bench.Sample {
	t.Helper()
	s.renew(t)
	setting, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/setting"
	if err := os.WriteFile(path, setting, 0o600); err != nil {
		t.Fatal(err)
	}
	var state state
	p := bench.StartProgram(t, &state, program, path)
	defer p.Stop()
	const mib = 1 << 20
	sample := bench.Sample{
		"MiB": float64(bench.Memory(t, p.PID)) / mib, "MiB heap": float64(state.Heap) / mib,
		"goroutines": float64(state.Goroutines), "connections": float64(bench.Connected(t, p.PID, s.Temporal)),
	}
	sample["seconds of work"] = s.work(t).Seconds()
	sample["MiB after work"] = float64(bench.Memory(t, p.PID)) / mib
	return sample
}

// renew gets another token for every namespace: those of the last rounds may end
// within this one.
func (s served) renew(t *bench.T) {
	t.Helper()
	for i := range len(s.Namespaces) {
		token, err := s.workers.Token(t.Context(), sdk.TokenRequest{Organization: tenantSlug(i), Access: sdk.TokenRequestAccessWrite})
		if err != nil {
			t.Fatal(err)
		}
		s.Namespaces[token.Namespace] = token.Token
	}
}

// work has a workflow run in every namespace, and returns how long all of them took.
// They are started by the API: it knows the organizations, and their tokens are not
// too old.
func (s served) work(t *bench.T) time.Duration {
	t.Helper()
	start := time.Now()
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(16)
	for i := range len(s.Namespaces) {
		slug := tenantSlug(i)
		g.Go(func() error {
			w, err := s.operator.StartWorkflow(ctx, slug, sdk.WorkflowStart{Type: "order", TaskQueue: "default"})
			if err != nil {
				return err
			}
			result, err := s.operator.WorkflowResult(ctx, slug, w.WorkflowID, w.RunID, time.Minute)
			if err == nil && result.Status != sdk.WorkflowStatusCompleted {
				err = fmt.Errorf("the workflow of %s is %s", slug, result.Status)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return time.Since(start)
}

// tenantSlug is the slug of an organization that is served.
func tenantSlug(i int) string { return fmt.Sprintf("tenant-%d", i) }

// state is what a program says of itself when it serves everything.
type state struct {
	Heap       uint64
	Goroutines int
}

// settled returns the program's state once what only its start needed is gone.
func settled() state {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return state{Heap: m.HeapInuse, Goroutines: runtime.NumGoroutine()}
}

func readServed(args []string) (s served, err error) {
	text, err := os.ReadFile(args[0])
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// register registers what both serve: a workflow and an activity.
func register(r worker.Registry) {
	r.RegisterWorkflow(order)
	r.RegisterActivity(pack)
}

func order(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	return workflow.ExecuteActivity(ctx, pack).Get(ctx, nil)
}

func pack(context.Context) error { return nil }

// runFleet is the program that serves everything by a Fleet.
func runFleet(ctx context.Context, ready func(any) error, args []string) error {
	s, err := readServed(args)
	if err != nil {
		return err
	}
	api, err := sdk.New(sdk.Config{URL: s.API, APIKey: s.Key})
	if err != nil {
		return err
	}
	all := make(chan struct{})
	f, err := sdk.NewFleet(sdk.FleetConfig{
		Client:   api,
		Register: func(r worker.Registry, _ sdk.Assignment) { register(r) },
		Logger:   slog.New(&servingCounter{Handler: quiet.Handler(), missing: int64(len(s.Namespaces)), all: all}),
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	select {
	case err := <-ended:
		return errors.Join(err, errors.New("the fleet has ended"))
	case <-all:
	}
	if err := ready(settled()); err != nil {
		return err
	}
	return <-ended
}

// servingCounter is a log that waits until a fleet has said of so many
// organizations that it serves them.
type servingCounter struct {
	slog.Handler
	missing int64
	all     chan struct{}
}

// Enabled lets every record come.
func (*servingCounter) Enabled(context.Context, slog.Level) bool { return true }

// Handle counts.
func (c *servingCounter) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "serving") && atomic.AddInt64(&c.missing, -1) == 0 {
		close(c.all)
	}
	return nil
}

// WithAttrs counts on.
func (c *servingCounter) WithAttrs([]slog.Attr) slog.Handler { return c }

// runWorkers is the program that serves everything by a client and a worker for
// each namespace, as they are without options.
func runWorkers(ctx context.Context, ready func(any) error, args []string) error {
	s, err := readServed(args)
	if err != nil {
		return err
	}
	var stops []func()
	defer func() {
		var ending sync.WaitGroup
		for _, stop := range stops {
			ending.Go(stop)
		}
		ending.Wait()
	}()
	for namespace, token := range s.Namespaces {
		c, err := client.DialContext(ctx, optionsOf(s.Temporal, namespace, token))
		if err != nil {
			return err
		}
		w := worker.New(c, "default", worker.Options{})
		register(w)
		if err := w.Start(); err != nil {
			return err
		}
		stops = append(stops, func() { w.Stop(); c.Close() })
	}
	if err := ready(settled()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
