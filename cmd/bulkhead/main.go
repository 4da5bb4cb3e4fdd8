// Command bulkhead is the product: the API server, the worker, the migrations
// and the command line of operators and tenants.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/bulkheadhq/bulkhead/adapters/cli"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args, cli.OS(), deps())
	stop()
	os.Exit(code)
}
