package wire

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi"
	"github.com/bulkheadhq/bulkhead/adapters/system"
	"github.com/bulkheadhq/bulkhead/core/fault"
)

// How often a process looks after what is not urgent, and how soon it tries
// again when something it depends on is away.
const (
	rotateEvery = time.Minute
	eraseEvery  = time.Minute
	retryEvery  = time.Second
)

// Run serves the API until ctx ends, and then until its requests have ended.
func (a *API) Run(ctx context.Context) error {
	a.Log.InfoContext(ctx, "API starts", "version", a.Build.Version, "config", a.Config)
	g, ctx := errgroup.WithContext(ctx)
	system.Listen(ctx, g, httpapi.NewHTTPServer(a.Config.HTTP.Address, a.HTTP), system.Shutdown{
		Announce: a.HTTP.SetDraining, Delay: a.Config.HTTP.DrainDelay, Limit: a.Config.HTTP.ShutdownLimit,
	}, a.Log)
	g.Go(func() error { return verify(ctx, a.Log, "Postgres", a.DB.CheckServer) })
	g.Go(func() error { return verify(ctx, a.Log, "Temporal", a.Temporal.CheckServer) })
	g.Go(func() error { return rotate(ctx, a.Log, a.Tokens.Rotate) })
	g.Go(func() error { a.Refusals.Run(ctx); return nil })
	return ended(a.Log, "API", g.Wait())
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
	g.Go(func() error { return erase(ctx, w.Log, w.Requests.Erase) })
	g.Go(func() error { w.Relay.Run(ctx); return nil })
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
		if !system.Pause(ctx, retryEvery) {
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
		if !system.Pause(ctx, wait) {
			return nil
		}
	}
}

// eraseBatch is how many requests are forgotten at once, so that no transaction
// is long.
const eraseBatch = 1000

// erase forgets the requests, and the answers, whose time is over.
func erase(ctx context.Context, log *slog.Logger, do func(context.Context, int) (int, error)) error {
	for {
		n, err := do(ctx, eraseBatch)
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "expired answers not erased; trying again", "error", err)
		}
		if n == eraseBatch {
			continue
		}
		if !system.Pause(ctx, eraseEvery) {
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
