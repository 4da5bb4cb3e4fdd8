// Command bulkhead-dev runs the whole Bulkhead stack on one machine: Postgres, an embedded Temporal server with
// authorization on, and the product's own processes. It is a module of its own so that Temporal's server never
// becomes a dependency of the product.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/command"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/temporal/embedded"
)

func main() {
	started := time.Now()
	forgetPostgresDefaults()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Once the first signal has begun the orderly shutdown, a second one ends the process at once.
	context.AfterFunc(ctx, stop)

	app := command.New(started, embedded.Start)
	if err := app.RunContext(ctx, os.Args); err != nil {
		fmt.Fprintf(os.Stderr, "bulkhead-dev: %v\n", err)
		os.Exit(1)
	}
}

// forgetPostgresDefaults drops libpq's variables: a PGOPTIONS or PGSSLMODE left over in a shell would otherwise
// change how this process and its children talk to the database they just made.
func forgetPostgresDefaults() {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "PG") {
			_ = os.Unsetenv(name)
		}
	}
}
