package command

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/datadir"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/netport"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/temporal"
)

type temporalLine struct {
	Address     string `json:"address"`
	HTTPAddress string `json:"http_address"`
	PID         int    `json:"pid"`
}

func temporalCommand(start temporal.Starter) *cli.Command {
	return &cli.Command{
		Name:  "temporal",
		Usage: "run a Temporal server with authorization on",
		Description: "Waits for the JWKS, prints one line of JSON when the frontend answers, and runs until it is told to stop:\n" +
			`{"address":"127.0.0.1:7233","http_address":"127.0.0.1:7243","pid":4711}` + "\n" +
			"Warnings go to standard error. Example:\n\n" +
			"   bulkhead-dev temporal --data-dir /tmp/temporal --jwks http://127.0.0.1:7400/.well-known/jwks.json",
		Flags: []cli.Flag{
			dataDirFlag(""),
			&cli.StringFlag{Name: "jwks", Usage: "URL or file of the keys whose tokens are accepted", Required: true},
			&cli.DurationFlag{Name: "jwks-timeout", Usage: "how long to wait for the keys", Value: time.Minute},
			&cli.StringFlag{Name: "audience", Usage: "audience a token must name", Value: "temporal"},
			&cli.IntFlag{Name: "port", Usage: "port of the gRPC frontend, a free one when 0"},
			&cli.IntFlag{Name: "http-port", Usage: "port of the HTTP API, a free one when 0"},
			exitWithStdinFlag(),
		},
		Action: func(c *cli.Context) error { return runTemporal(c, start) },
	}
}

func runTemporal(c *cli.Context, start temporal.Starter) error {
	ctx, cancel := withStdin(c)
	defer cancel()
	free, release, err := netport.Reserve(temporal.Host, 2)
	if err != nil {
		return err
	}
	defer release()
	cfg, err := temporalConfig(c, free)
	if err != nil {
		return err
	}
	lock, err := datadir.Acquire(c.String("data-dir"))
	if err != nil {
		return err
	}
	defer lock.Release()

	keysCtx, cancelKeys := context.WithTimeoutCause(ctx, c.Duration("jwks-timeout"), fmt.Errorf("gave up after %v", c.Duration("jwks-timeout")))
	err = temporal.WaitForKeys(keysCtx, cfg.KeysURL)
	cancelKeys()
	if ctx.Err() != nil {
		return nil // stopped before it was up, as asked
	}
	if err != nil {
		return err
	}
	server, err := start(ctx, cfg)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	err = announce(c, temporalLine{
		Address:     netport.Address(temporal.Host, cfg.Port),
		HTTPAddress: netport.Address(temporal.Host, cfg.HTTPPort),
		PID:         os.Getpid(),
	})
	if err == nil {
		<-ctx.Done()
	}
	if stopErr := server.Stop(); stopErr != nil {
		return fmt.Errorf("stop the Temporal server: %w", stopErr)
	}
	return err
}

// temporalConfig reads the flags. Where they leave the choice of a port, it is one of two that are free.
func temporalConfig(c *cli.Context, free []int) (temporal.Config, error) {
	dataDir, err := filepath.Abs(c.String("data-dir"))
	if err != nil {
		return temporal.Config{}, fmt.Errorf("find the data directory: %w", err)
	}
	keysURL, err := temporal.KeysURL(c.String("jwks"))
	if err != nil {
		return temporal.Config{}, err
	}
	if c.String("audience") == "" {
		return temporal.Config{}, fmt.Errorf("--audience is empty: tokens made for other services would be accepted")
	}
	cfg := temporal.Config{
		DatabasePath: filepath.Join(dataDir, "temporal.db"),
		Port:         c.Int("port"), HTTPPort: c.Int("http-port"),
		KeysURL: keysURL, Audience: c.String("audience"), Log: c.App.ErrWriter,
	}
	if cfg.Port == 0 {
		cfg.Port = free[0]
	}
	if cfg.HTTPPort == 0 {
		cfg.HTTPPort = free[1]
	}
	return cfg, nil
}
