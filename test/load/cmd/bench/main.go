// Bench measures what Bulkhead costs, beside what the same costs without it. Run
// it as `make bench`; docs/performance.md says what is compared.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/bulkheadhq/bulkhead/test/harness"
	"github.com/bulkheadhq/bulkhead/test/load/bench"
	"github.com/bulkheadhq/bulkhead/test/load/rows"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer harness.RemoveBuilt()
	if args := os.Args[1:]; bench.IsProgram(args) {
		if err := bench.RunProgram(ctx, rows.Programs, args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	names := flag.String("rows", "", "measure only the rows whose name matches this regular `expression`")
	short := flag.Bool("short", false, "measure less and shorter: to see that it works, not how well")
	flag.Parse()
	chosen, err := regexp.Compile(*names)
	if err != nil || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: bench [-rows EXPRESSION] [-short]:", err, flag.Args())
		return 2
	}
	if !bench.Run(ctx, rows.All, bench.Options{Rows: chosen, Short: *short, Result: os.Stdout, Progress: os.Stderr}) {
		return 1
	}
	return 0
}
