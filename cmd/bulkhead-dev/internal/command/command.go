// Package command is the command line of bulkhead-dev.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/temporal"
)

const (
	postgresBinVariable        = "BULKHEAD_DEV_POSTGRES_BIN"
	postgresRepositoryVariable = "BULKHEAD_DEV_POSTGRES_REPOSITORY"
	postgresAdminURLVariable   = "BULKHEAD_DEV_POSTGRES_ADMIN_URL"
)

// New returns the application. The Temporal server is passed in, so that this package compiles without it.
func New(started time.Time, startTemporal temporal.Starter) *cli.App {
	app := &cli.App{
		Name:            "bulkhead-dev",
		Usage:           "run Bulkhead, or the servers it needs, on this machine",
		Suggest:         true,
		HideVersion:     true,
		ExitErrHandler:  func(*cli.Context, error) {}, // main reports the error, once
		Commands:        []*cli.Command{runCommand(started, startTemporal), postgresCommand(), temporalCommand(startTemporal)},
		HideHelpCommand: true,
		OnUsageError:    plainUsageError,
	}
	for _, command := range app.Commands {
		command.OnUsageError = plainUsageError
		command.HideHelpCommand = true
	}
	return app
}

// plainUsageError leaves the message to main. The default would print the help to standard output, where a parent
// process expects nothing but the announcement.
func plainUsageError(_ *cli.Context, err error, _ bool) error {
	return fmt.Errorf("%w (see --help)", err)
}

func dataDirFlag(value string) *cli.StringFlag {
	return &cli.StringFlag{
		Name: "data-dir", Usage: "directory that holds all state, created when missing", Value: value, Required: value == "",
	}
}

func postgresBinFlag() *cli.StringFlag {
	return &cli.StringFlag{
		Name: "postgres-bin", EnvVars: []string{postgresBinVariable},
		Usage: "folder of the Postgres programs; otherwise PATH and the usual install folders are searched",
	}
}

func postgresRepositoryFlag() *cli.StringFlag {
	return &cli.StringFlag{
		Name: "postgres-repository", EnvVars: []string{postgresRepositoryVariable},
		Usage: "Maven repository to download Postgres from when the machine has none, instead of the public one",
	}
}

func exitWithStdinFlag() *cli.BoolFlag {
	return &cli.BoolFlag{
		Name:  "exit-with-stdin",
		Usage: "stop at the end of standard input: a parent that holds the other end takes this process with it, even when it is killed",
	}
}

// errStdinEnded is the cause of an orderly stop.
var errStdinEnded = errors.New("standard input has ended")

// withStdin returns a context that also ends with standard input when the user asked for that.
func withStdin(c *cli.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(c.Context)
	if c.Bool("exit-with-stdin") {
		go func() {
			_, _ = io.Copy(io.Discard, c.App.Reader)
			cancel(errStdinEnded)
		}()
	}
	return ctx, func() { cancel(nil) }
}

// announce prints the one line of JSON that a parent process waits for.
func announce(c *cli.Context, line any) error {
	encoder := json.NewEncoder(c.App.Writer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(line); err != nil {
		return fmt.Errorf("announce the server: %w", err)
	}
	return nil
}
