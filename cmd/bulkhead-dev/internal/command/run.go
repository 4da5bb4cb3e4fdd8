package command

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/stack"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/temporal"
)

func runCommand(started time.Time, start temporal.Starter) *cli.Command {
	port := func(name, what string, usual int) cli.Flag {
		return &cli.IntFlag{Name: name, Usage: what, DefaultText: defaultPort(usual)}
	}
	return &cli.Command{
		Name:  "run",
		Usage: "run everything: Postgres, Temporal, the API, the worker and an example worker",
		Description: "The last line of a start is `ready: <seconds>s`. State is kept in the data directory between runs.\n" +
			"Ctrl-C stops everything. Example:\n\n" +
			"   bulkhead-dev run --data-dir .data",
		Flags: []cli.Flag{
			dataDirFlag(".data"),
			port("http-port", "port of the API", stack.UsualPorts.HTTP),
			port("worker-http-port", "port of the worker's health pages", stack.UsualPorts.WorkerHTTP),
			port("temporal-port", "port of Temporal's gRPC frontend", stack.UsualPorts.Temporal),
			port("temporal-http-port", "port of Temporal's HTTP API", stack.UsualPorts.TemporalHTTP),
			port("postgres-port", "port of Postgres", stack.UsualPorts.Postgres),
			&cli.StringFlag{Name: "bulkhead", Usage: "the product's binary, otherwise the one beside this program or in PATH"},
			&cli.StringFlag{Name: "example-worker", Usage: "the example worker's binary, found in the same way"},
			&cli.BoolFlag{
				Name:  "no-example-worker",
				Usage: "do not start the example worker, which would take tasks of a worker of yours on the queue \"default\"",
			},
			&cli.StringFlag{
				Name: "postgres-admin-url", EnvVars: []string{postgresAdminURLVariable},
				Usage: "superuser `URL` of a Postgres server to use instead of starting one",
			},
			postgresBinFlag(), postgresRepositoryFlag(), exitWithStdinFlag(),
		},
		Action: func(c *cli.Context) error {
			ctx, cancel := withStdin(c)
			defer cancel()
			return stack.Run(ctx, stack.Config{
				DataDir: c.String("data-dir"),
				Wished: stack.Ports{
					HTTP: c.Int("http-port"), WorkerHTTP: c.Int("worker-http-port"),
					Temporal: c.Int("temporal-port"), TemporalHTTP: c.Int("temporal-http-port"), Postgres: c.Int("postgres-port"),
				},
				Bulkhead: c.String("bulkhead"), ExampleWorker: c.String("example-worker"), NoExample: c.Bool("no-example-worker"),
				AdminURL: c.String("postgres-admin-url"), BinDir: c.String("postgres-bin"), Repository: c.String("postgres-repository"),
				Started: started, StartTemporal: start, Out: c.App.Writer,
			})
		},
	}
}

// defaultPort says what happens without the option.
func defaultPort(usual int) string {
	return fmt.Sprintf("that of the last run, else %d, else a free one", usual)
}
