package wire

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi"
	"github.com/bulkheadhq/bulkhead/adapters/system"
	"github.com/bulkheadhq/bulkhead/adapters/telemetry"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/sleep"
)

// How often a process looks after what is not urgent, and how soon it tries
// again when something it depends on is away.
const (
	rotateEvery = time.Minute
	eraseEvery  = time.Minute
	retryEvery  = time.Second
)

// heapFloor is memory that is never touched, and so never taken from the machine.
// The collector counts it: it lets 64 MiB of garbage come together before it looks
// through what an API keeps for ever, which is little but full of pointers, such as
// the API's document. Without it that is done many times a second under load, for a
// fifth of the throughput (docs/performance.md). GOGC still holds, of what is added.
const heapFloor = 64 << 20

// Run serves the API until ctx ends, and then until its requests have ended.
func (a *API) Run(ctx context.Context) error {
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	a.Log.InfoContext(ctx, "API starts", "version", a.Build.Version, "config", a.Config)
	g, ctx := errgroup.WithContext(ctx)
	system.Listen(ctx, g, httpapi.NewHTTPServer(a.Config.HTTP.Address, a.HTTP), system.Shutdown{
		Announce: a.HTTP.SetDraining, Delay: a.Config.HTTP.DrainDelay, Limit: a.Config.HTTP.ShutdownLimit,
	}, a.Log)
	// A panic of any of these ends the process: the requests before it are in the log.
	logged := func(f func() error) {
		g.Go(func() error { defer a.Lines.Flush(); return f() })
	}
	logged(func() error { return verify(ctx, a.Log, "Postgres", a.DB.CheckServer) })
	logged(func() error { return verify(ctx, a.Log, "Temporal", a.Temporal.CheckServer) })
	logged(func() error { return rotate(ctx, a.Log, a.Tokens.Rotate) })
	logged(func() error { a.Refusals.Run(ctx); return nil })
	logged(func() error { a.Auth.Run(ctx); return nil })
	logged(func() error { a.Usage.Run(ctx); return nil })
	logged(func() error { a.Limits.Run(ctx); return nil })
	logged(func() error { a.Ledger.Run(ctx); return nil })
	logged(func() error { a.Serving.Run(ctx); return nil })
	measure(ctx, g, a.Metrics, a.Config.Metrics.API(), a.Config.Metrics.Unset, a.Log)
	err := g.Wait()
	a.flush(context.WithoutCancel(ctx)) // no request is left that could use a key
	return ended(a.Log, "API", err)
}

// flushLimit bounds what the uses of keys, usage, outcomes, refusals and warnings may take of the process's end.
const flushLimit = 5 * time.Second

func (a *API) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	if err := a.Auth.Flush(ctx); err != nil {
		a.Log.WarnContext(ctx, "uses of API keys not noted", "error", err)
	}
	if err := a.Usage.Flush(ctx); err != nil {
		a.Log.WarnContext(ctx, "usage not added", "error", err)
	}
	if err := a.Limits.Flush(ctx); err != nil {
		a.Log.WarnContext(ctx, "warnings of limits not written", "error", err)
	}
	if err := a.Ledger.Flush(ctx); err != nil {
		a.Log.WarnContext(ctx, "outcomes of starts not written; the worker finds them out", "error", err)
	}
	a.Refusals.Flush(ctx) // those of the requests that ended last
}

// measure serves the metrics, if they have an address. One that nobody chose may
// be taken: the process does without.
func measure(ctx context.Context, g *errgroup.Group, m *telemetry.Metrics, address string, optional bool, log *slog.Logger) {
	if address == "" {
		return
	}
	quiet := system.Shutdown{Announce: func() {}, Limit: time.Second}
	if !optional {
		system.Listen(ctx, g, m.NewServer(address), quiet, log)
		return
	}
	own, ctx := errgroup.WithContext(ctx)
	system.Listen(ctx, own, m.NewServer(address), quiet, log) // before anybody waits for it
	g.Go(func() error {
		if err := own.Wait(); err != nil {
			log.WarnContext(ctx, "no metrics; choose an address with BULKHEAD_METRICS_ADDRESS", "error", err)
		}
		return nil
	})
}

// Run delivers the outbox and serves Bulkhead's own workflows until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	w.Log.InfoContext(ctx, "worker starts", "version", w.Build.Version, "config", w.Config)
	g, ctx := errgroup.WithContext(ctx)
	system.Listen(ctx, g, httpapi.NewProbeServer(w.Config.Worker.HTTPAddress, w.Probe), system.Shutdown{
		Announce: w.Probe.SetDraining, Limit: w.Config.HTTP.ShutdownLimit,
	}, w.Log)
	g.Go(func() error { return verify(ctx, w.Log, "Postgres", w.DB.CheckServer) })
	g.Go(func() error { return verify(ctx, w.Log, "Temporal", w.Temporal.CheckServer) })
	g.Go(func() error { return rotate(ctx, w.Log, w.Tokens.Rotate) })
	g.Go(func() error { return erase(ctx, w.Log, "answers", w.Requests.Erase) })
	g.Go(func() error { return erase(ctx, w.Log, "usage", w.Usage.Erase) })
	g.Go(func() error { return erase(ctx, w.Log, "starts", w.Starts.Erase) })
	g.Go(func() error { w.Relay.Run(ctx); return nil })
	g.Go(func() error { w.Ledger.Repair(ctx); return nil })
	g.Go(func() error { w.Keys.Run(ctx); return nil })
	g.Go(func() error { w.Namespaces.Run(ctx); return nil })
	measure(ctx, g, w.Metrics, w.Config.Metrics.Worker(), w.Config.Metrics.Unset, w.Log)
	g.Go(func() error { w.Archive.Run(ctx); return nil })
	g.Go(func() error {
		w.System.Start(ctx)
		<-ctx.Done()
		w.System.Stop()
		return nil
	})
	return ended(w.Log, "worker", g.Wait())
}

// verify checks once that a dependency keeps tenants apart. As long as it is
// away that is not known, and it is asked again; what it finds wrong ends the
// process.
func verify(ctx context.Context, log *slog.Logger, name string, check func(context.Context) error) error {
	for {
		err := check(ctx)
		if err == nil {
			log.InfoContext(ctx, "dependency checked", "name", name)
			return nil
		}
		if ctx.Err() == nil && !isAway(err) {
			return err
		}
		log.WarnContext(ctx, "dependency not checked yet; trying again", "name", name, "error", err)
		if !sleep.For(ctx, retryEvery) {
			return nil // asked to end
		}
	}
}

// isAway tells a dependency that could not be asked, and may be asked again,
// from one that was found wrong.
func isAway(err error) bool {
	_, ok := errors.AsType[*fault.Error](err)
	return ok
}

// rotate looks after the signing keys: at once, as without one nothing is
// signed, and then every minute.
func rotate(ctx context.Context, log *slog.Logger, do func(context.Context, bool) error) error {
	for {
		wait := rotateEvery
		if err := do(ctx, false); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "signing keys not looked after; trying again", "error", err)
			wait = retryEvery
		}
		if !sleep.For(ctx, wait) {
			return nil
		}
	}
}

// eraseBatch is how much is forgotten at once, so that no transaction is long.
const eraseBatch = 1000

// erase forgets what has been kept for its time.
func erase(ctx context.Context, log *slog.Logger, what string, do func(context.Context, int) (int, error)) error {
	for {
		n, err := do(ctx, eraseBatch)
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "not erased whose time is over; trying again", "what", what, "error", err)
		}
		if n == eraseBatch {
			continue
		}
		if !sleep.For(ctx, eraseEvery) {
			return nil
		}
	}
}

func ended(log *slog.Logger, name string, err error) error {
	if err != nil {
		log.Error("process ends", "process", name, "error", err)
		return err
	}
	log.Info("process ends", "process", name)
	return nil
}
