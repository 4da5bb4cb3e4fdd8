package system

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bulkheadhq/bulkhead/core/sleep"
)

// Shutdown is how a listener ends: announced, then still served for a while,
// then drained.
type Shutdown struct {
	Announce func()        // tells load balancers and long polls that the end is near
	Delay    time.Duration // how long new requests are still served after that
	Limit    time.Duration // how long requests in flight may take after that
}

// Listen serves on the server's address until ctx ends, and then until the
// requests in flight have ended. It adds its work to g.
func Listen(ctx context.Context, g *errgroup.Group, srv *http.Server, end Shutdown, log *slog.Logger) {
	g.Go(func() error {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", srv.Addr)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", srv.Addr, err)
		}
		log.InfoContext(ctx, "listening", "address", l.Addr().String())
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve on %s: %w", srv.Addr, err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		end.Announce()
		sleep.For(context.WithoutCancel(ctx), end.Delay)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), end.Limit)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			return errors.Join(fmt.Errorf("requests cut off after %v: %w", end.Limit, err), srv.Close())
		}
		return nil
	})
}
