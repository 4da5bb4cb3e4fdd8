package command

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/postgres"
)

type postgresLine struct {
	AdminURL string `json:"admin_url"`
	PID      int    `json:"pid"` // of the postmaster
	Port     int    `json:"port"`
}

func postgresCommand() *cli.Command {
	return &cli.Command{
		Name:  "postgres",
		Usage: "run a Postgres server",
		Description: "Prints one line of JSON when connections are accepted, and runs until it is told to stop:\n" +
			`{"admin_url":"postgres://…","pid":4711,"port":5433}` + "\n" +
			"where pid is Postgres's own process. Example:\n\n" +
			"   bulkhead-dev postgres --data-dir /tmp/pg --fast",
		Flags: []cli.Flag{
			dataDirFlag(""),
			&cli.IntFlag{Name: "port", Usage: "port to listen on, a free one when 0"},
			&cli.StringFlag{Name: "listen", Usage: "loopback address to listen on", Value: "127.0.0.1"},
			&cli.BoolFlag{Name: "fast", Usage: "do not wait for the disk (fsync=off): for tests"},
			postgresBinFlag(), postgresRepositoryFlag(), exitWithStdinFlag(),
		},
		Action: runPostgres,
	}
}

func runPostgres(c *cli.Context) error {
	ctx, cancel := withStdin(c)
	defer cancel()
	server, err := postgres.Start(ctx, postgres.Config{
		DataDir: c.String("data-dir"), Listen: c.String("listen"), Port: c.Int("port"),
		BinDir: c.String("postgres-bin"), Repository: c.String("postgres-repository"), Fast: c.Bool("fast"),
		Note: func(message string) { _, _ = fmt.Fprintln(c.App.ErrWriter, "bulkhead-dev: "+message) },
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it was up, as asked
		}
		return err
	}
	defer server.Stop()
	if err := announce(c, postgresLine{AdminURL: server.AdminURL, PID: server.PID(), Port: server.Port}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-server.Done():
		return server.Failure()
	}
}
