// Command bulkhead-example-worker serves every organization that Bulkhead assigns
// to its key with one workflow, Greet, on the task queue "default". It is the
// whole of what a worker needs: copy it and put your own workflows in.
//
// It reads BULKHEAD_URL and BULKHEAD_API_KEY.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		slog.Error("the worker has ended", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, err := sdk.New(sdk.Config{
		URL:       os.Getenv("BULKHEAD_URL"),
		APIKey:    os.Getenv("BULKHEAD_API_KEY"),
		UserAgent: "bulkhead-example-worker",
	})
	if err != nil {
		return err
	}
	fleet, err := sdk.NewFleet(sdk.FleetConfig{
		Client:     client,
		TaskQueues: []string{"default"},
		Register: func(r worker.Registry, _ sdk.Assignment) {
			r.RegisterWorkflow(Greet)
			r.RegisterActivity(Compose)
		},
	})
	if err != nil {
		return err
	}
	slog.InfoContext(ctx, "waiting for organizations to serve", "api", client)
	return fleet.Run(ctx)
}

// Greet is a workflow that greets somebody.
func Greet(ctx workflow.Context, name string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	var greeting string
	err := workflow.ExecuteActivity(ctx, Compose, name).Get(ctx, &greeting)
	return greeting, err
}

// Compose is the activity that puts the greeting together.
func Compose(_ context.Context, name string) (string, error) {
	return "Hello, " + name + "!", nil
}
