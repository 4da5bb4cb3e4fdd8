// Package stack runs the whole product on one machine, one process tree: Postgres, the migrations, the API server,
// Temporal, the worker and the example worker, started in this order and stopped in reverse.
package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/datadir"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/netport"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/postgres"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/process"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/temporal"
)

const (
	logsName        = "logs"
	environmentName = "env"
	stepTimeout     = 90 * time.Second
	stopGrace       = 15 * time.Second
	probeInterval   = 25 * time.Millisecond
)

// Config says what to run.
type Config struct {
	DataDir       string
	Wished        Ports  // ports the user insists on
	Bulkhead      string // the product's binary; found when empty
	ExampleWorker string // found when empty
	NoExample     bool   // start no example worker: its task queue belongs to a worker of the user's
	AdminURL      string // an existing Postgres to use instead of starting one
	BinDir        string // where to look for Postgres
	Repository    string // where to download Postgres from
	Started       time.Time
	StartTemporal temporal.Starter
	Out           io.Writer
}

// stack is one run.
type stack struct {
	cfg      Config
	report   reporter
	bulkhead string
	example  string // "" when there is none
	ports    Ports
	secrets  Secrets
	product  []variable
	admin    string

	fail    context.CancelCauseFunc // ends the run because of a part of it
	running []part                  // in the order of their start
}

// part is something that runs until it is stopped.
type part struct {
	name string
	stop func()
}

// Run starts everything, and returns after everything has been stopped again: nil when ctx ended first, else why the
// stack could not start or go on.
func Run(ctx context.Context, cfg Config) (err error) {
	s := &stack{cfg: cfg, report: reporter{out: cfg.Out}}
	if s.cfg.DataDir, err = filepath.Abs(cfg.DataDir); err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	lock, err := datadir.Acquire(s.cfg.DataDir)
	if err != nil {
		return err
	}
	defer lock.Release()

	asked := ctx
	ctx, s.fail = context.WithCancelCause(ctx)
	defer s.fail(nil)
	// A part is stopped before the lock is released, whatever happens.
	defer s.shutdown()

	if err = s.start(ctx); err == nil {
		<-ctx.Done()
		err = context.Cause(ctx)
	}
	// Whoever asked the stack to stop does not want to read that it stopped.
	if asked.Err() != nil && errors.Is(err, context.Cause(asked)) {
		return nil
	}
	return err
}

// start runs the steps. Each of them ends early, with the right cause, when a part that was started before it dies.
func (s *stack) start(ctx context.Context) (err error) {
	if err := s.prepare(); err != nil {
		return err
	}
	steps := []struct {
		name string
		run  func(context.Context) (detail string, err error)
	}{
		{"postgres", s.startPostgres},
		{"migrate init", s.oneShot(migrateInit)},
		{"migrate up", s.oneShot(migrateUp)},
		{"bootstrap", s.bootstrap},
		{"server", s.startServer},
		{"temporal", s.startTemporal},
		{"worker", s.startWorker},
		{"api ready", s.waitAPI},
		{"example-worker", s.startExample},
	}
	for _, step := range steps {
		began := time.Now()
		limited, cancel := context.WithTimeoutCause(ctx, stepTimeout, fmt.Errorf("took more than %v", stepTimeout))
		detail, err := step.run(limited)
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		s.report.step(step.name, time.Since(began), detail)
	}
	s.summary(s.secrets.UnshownOperatorKey, s.example != "" && s.secrets.WorkerKey != "")
	if s.secrets.UnshownOperatorKey != "" {
		s.secrets.UnshownOperatorKey = ""
		return s.secrets.save(s.cfg.DataDir)
	}
	return nil
}

// prepare does everything that can fail before anything runs.
func (s *stack) prepare() (err error) {
	s.report.line("bulkhead-dev: starting in %s", s.cfg.DataDir)
	if s.bulkhead, err = findProgram(productName, s.cfg.Bulkhead); err != nil {
		return err
	}
	if err := s.findExample(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.cfg.DataDir, logsName), 0o700); err != nil {
		return fmt.Errorf("create the log directory: %w", err)
	}
	if s.secrets, err = loadSecrets(s.cfg.DataDir); err != nil {
		return err
	}
	ports, notes, err := choosePorts(s.cfg.DataDir, s.cfg.Wished, s.cfg.AdminURL == "")
	for _, note := range notes {
		s.report.note(note)
	}
	s.ports = ports
	return err
}

// findExample settles which example worker to start, if any.
func (s *stack) findExample() (err error) {
	if s.cfg.NoExample {
		if s.cfg.ExampleWorker != "" {
			return fmt.Errorf("--example-worker and --no-example-worker exclude each other: leave one of them out")
		}
		return nil
	}
	if s.example, err = findProgram(exampleName, s.cfg.ExampleWorker); err != nil {
		if s.cfg.ExampleWorker != "" {
			return err
		}
		s.report.note("there is no " + exampleName + " to start: workflows will wait for a worker of yours")
	}
	return nil
}

func (s *stack) startPostgres(ctx context.Context) (string, error) {
	detail := "an existing server"
	if s.admin = s.cfg.AdminURL; s.admin != "" {
		if err := postgres.Ping(ctx, s.admin); err != nil {
			return "", fmt.Errorf("reach the existing server: %w", err)
		}
	} else {
		server, err := postgres.Start(ctx, postgres.Config{
			DataDir: filepath.Join(s.cfg.DataDir, "postgres"), Port: s.ports.Postgres, BinDir: s.cfg.BinDir,
			Repository: s.cfg.Repository, LogPath: s.logPath("postgres"), Note: s.report.note,
		})
		if err != nil {
			return "", err
		}
		s.keep("postgres", server.Stop, server.Done(), server.Failure)
		s.admin = server.AdminURL
		detail = fmt.Sprintf("%s, version %v from %s", netport.Address(host, server.Port), server.Release, server.BinDir)
	}
	var err error
	if s.product, err = productVariables(s.secrets, s.ports, s.admin); err != nil {
		return "", err
	}
	forShells := append([]variable{{"BULKHEAD_URL", "http://" + netport.Address(host, s.ports.HTTP)}}, s.product...)
	return detail, datadir.WriteFile(filepath.Join(s.cfg.DataDir, environmentName), shellFile(forShells))
}

func (s *stack) oneShot(args []string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return "", s.call(ctx, args, nil)
	}
}

// bootstrap keeps the keys it creates before anything else can fail: they cannot be asked for again.
func (s *stack) bootstrap(ctx context.Context) (string, error) {
	var output bytes.Buffer
	if err := s.call(ctx, bootstrap, &output); err != nil {
		return "", err
	}
	result, err := parseBootstrapped(output.Bytes())
	if err != nil || !result.Created {
		return "exists", err
	}
	s.secrets.WorkerKey, s.secrets.UnshownOperatorKey = result.WorkerKey, result.OperatorKey
	return "system organization and its operator created", s.secrets.save(s.cfg.DataDir)
}

// call runs a command of the product to its end. Standard output goes to stdout when it is set.
func (s *stack) call(ctx context.Context, args []string, stdout io.Writer) error {
	name := args[0]
	if len(args) > 1 && args[1][0] != '-' {
		name += "-" + args[1]
	}
	log, err := process.OpenLog(s.logPath(name))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	return process.Run(ctx, process.Command{
		Name: productName + " " + args[0], Path: s.bulkhead, Args: args, Env: environment(s.product), Dir: s.cfg.DataDir,
		Log: log, Stdout: stdout,
	})
}

func (s *stack) startServer(ctx context.Context) (string, error) {
	if err := s.launch("server", s.bulkhead, serve, serving(s.product)); err != nil {
		return "", err
	}
	base := "http://" + netport.Address(host, s.ports.HTTP)
	if err := waitOK(ctx, base+livePath); err != nil {
		return "", err
	}
	return base, temporal.WaitForKeys(ctx, base+keysPath)
}

func (s *stack) startTemporal(ctx context.Context) (string, error) {
	dir := filepath.Join(s.cfg.DataDir, "temporal")
	if err := datadir.Create(dir); err != nil {
		return "", err
	}
	log, err := process.OpenLog(s.logPath("temporal"))
	if err != nil {
		return "", err
	}
	server, err := s.cfg.StartTemporal(ctx, temporal.Config{
		DatabasePath: filepath.Join(dir, "temporal.db"),
		Port:         s.ports.Temporal,
		HTTPPort:     s.ports.TemporalHTTP,
		KeysURL:      "http://" + netport.Address(host, s.ports.HTTP) + keysPath,
		Audience:     audience,
		Log:          log,
	})
	if err != nil {
		_ = log.Close()
		return "", fmt.Errorf("%w (log: %s)", err, log.Path())
	}
	s.keep("temporal", func() {
		if err := server.Stop(); err != nil {
			s.report.note(fmt.Sprintf("temporal did not stop cleanly: %v", err))
		}
		_ = log.Close()
	}, nil, nil)
	return netport.Address(host, s.ports.Temporal) + ", authorization on", nil
}

func (s *stack) startWorker(ctx context.Context) (string, error) {
	if err := s.launch("worker", s.bulkhead, work, serving(s.product)); err != nil {
		return "", err
	}
	return "", waitOK(ctx, "http://"+netport.Address(host, s.ports.WorkerHTTP)+readyPath)
}

func (s *stack) waitAPI(ctx context.Context) (string, error) {
	return "", waitOK(ctx, "http://"+netport.Address(host, s.ports.HTTP)+readyPath)
}

func (s *stack) startExample(context.Context) (string, error) {
	switch {
	case s.cfg.NoExample:
		return "not started, as asked: workflows will wait for a worker of yours", nil
	case s.example == "":
		return "not started: there is none", nil
	case s.secrets.WorkerKey == "":
		return "not started: its key was lost when the first start was interrupted, create an API key for a worker of yours", nil
	}
	return "", s.launch("example-worker", s.example, nil, exampleVariables(s.ports, s.secrets.WorkerKey))
}

// launch starts a child and makes its end the end of the stack.
func (s *stack) launch(name, path string, args []string, variables []variable) error {
	log, err := process.OpenLog(s.logPath(name))
	if err != nil {
		return err
	}
	child, err := process.Start(process.Command{
		Name: name, Path: path, Args: args, Env: environment(variables), Dir: s.cfg.DataDir, Log: log,
	})
	if err != nil {
		_ = log.Close()
		return err
	}
	s.keep(name, func() {
		child.Stop(stopGrace)
		_ = log.Close()
	}, child.Done(), child.Failure)
	return nil
}

// keep adds a part to the running ones. When done is given, its end ends the stack.
func (s *stack) keep(name string, stop func(), done <-chan struct{}, failure func() error) {
	s.running = append(s.running, part{name: name, stop: stop})
	if done == nil {
		return
	}
	go func() {
		<-done
		s.fail(failure()) // without effect when the stack is stopping already
	}()
}

func (s *stack) shutdown() {
	// From here on the end of a part is wanted.
	s.fail(nil)
	for _, part := range slices.Backward(s.running) {
		began := time.Now()
		part.stop()
		s.report.step("stopped", time.Since(began), part.name)
	}
}

func (s *stack) logPath(name string) string {
	return filepath.Join(s.cfg.DataDir, logsName, name+".log")
}

// waitOK returns when the page answers 200.
func waitOK(ctx context.Context, page string) error {
	client := &http.Client{Timeout: 5 * time.Second}
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		err := probe(ctx, client, page)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}

func probe(ctx context.Context, client *http.Client, page string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s answers %s", page, response.Status)
	}
	return nil
}
