package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) workflowBatchCommand() *cli.Command {
	query := &cli.StringFlag{Name: "query", Usage: "list filter of Temporal that chooses the workflows (`QUERY`)"}
	reason := &cli.StringFlag{Name: "reason", Usage: "why, for people (`TEXT`)"}
	wait := &cli.DurationFlag{Name: "wait", Usage: "how long to wait for its end, such as 5m; not at all if absent (`DURATION`)"}
	return &cli.Command{
		Name: "batch", Usage: "do the same to many workflows",
		Description: `Whatever runs and is chosen by a list filter is reached, one workflow after the
other; it goes on when Bulkhead is away. One batch of an organization runs at a time.

Example:
  bulkhead workflow batch cancel --org acme --query 'WorkflowType = "Charge"' --wait 5m`,
		Subcommands: []*cli.Command{
			{
				Name: "cancel", Usage: "ask many workflows to cancel what they do", ArgsUsage: "--query QUERY",
				Flags: []cli.Flag{orgFlag(), query, reason, wait},
				Description: `When and how is up to each workflow. All that runs: --query "ExecutionStatus = 'Running'".

Example:
  bulkhead workflow batch cancel --org acme --query 'WorkflowType = "Charge"' --reason "wrong prices"`,
				Action: s.batchCancel,
			},
			{
				Name: "terminate", Usage: "end many workflows at once", ArgsUsage: "--query QUERY --reason TEXT",
				Flags: []cli.Flag{orgFlag(), query, reason, wait, yesFlag()},
				Description: `Says how many workflows run and are chosen, and asks. They learn nothing of it and
clean nothing up: cancel them if they can.

Example:
  bulkhead workflow batch terminate --org acme --query 'TaskQueue = "old"' --reason "the queue is gone" --wait 5m`,
				Action: s.batchTerminate,
			},
			{
				Name: "signal", Usage: "send a signal to many workflows", ArgsUsage: "--query QUERY --name NAME",
				Flags: []cli.Flag{
					orgFlag(), query, reason, wait, inputFlag(),
					&cli.StringFlag{Name: "name", Usage: "signal that the workflows wait for (`NAME`)"},
				},
				Description: `It is delivered to each of them once.

Example:
  bulkhead workflow batch signal --org acme --query 'WorkflowType = "Charge"' --name approve -i '{"by":"ada"}'`,
				Action: s.batchSignal,
			},
			{
				Name: "list", Usage: "list batches", Flags: []cli.Flag{orgFlag(), limitFlag("batches to list", 0)},
				Description: `What runs first; a change is seen a moment after it has happened.

Example:
  bulkhead workflow batch list --org acme`,
				Action: s.batchList,
			},
			{
				Name: "show", Aliases: []string{"get"}, Usage: "show a batch", ArgsUsage: "ID", Flags: []cli.Flag{orgFlag()},
				Description: `How far it has come, as of some seconds ago.

Example:
  bulkhead workflow batch show batch-cancel-6c5a… --org acme`,
				Action: s.batchShow,
			},
			{
				Name: "stop", Usage: "stop a batch", ArgsUsage: "ID --reason TEXT", Flags: []cli.Flag{orgFlag(), reason},
				Description: `What it has done stays done, and it may reach a few workflows more.

Example:
  bulkhead workflow batch stop batch-cancel-6c5a… --org acme --reason "wrong query"`,
				Action: s.batchStop,
			},
		},
	}
}

func (s *shell) batchCancel(c *cli.Context) error {
	return s.batch(c, func(ctx context.Context, api *sdk.Client, org string) (*sdk.WorkflowBatch, error) {
		return api.BatchCancelWorkflows(ctx, org, sdk.WorkflowBatchCancel{Query: c.String("query"), Reason: c.String("reason")})
	})
}

func (s *shell) batchTerminate(c *cli.Context) error {
	if err := needed(c, "query", "reason"); err != nil {
		return err
	}
	return s.batch(c, func(ctx context.Context, api *sdk.Client, org string) (*sdk.WorkflowBatch, error) {
		if err := s.confirmBatch(c, api, org); err != nil {
			return nil, err
		}
		return api.BatchTerminateWorkflows(ctx, org, sdk.WorkflowBatchTerminate{Query: c.String("query"), Reason: c.String("reason")})
	})
}

// confirmBatch asks after saying how many workflows it is about.
func (s *shell) confirmBatch(c *cli.Context, api *sdk.Client, org string) error {
	if c.Bool("yes") {
		return nil
	}
	n, err := api.CountWorkflows(c.Context, org, c.String("query"))
	if err != nil {
		return err
	}
	running := int64(0)
	for _, g := range n.ByStatus {
		if !g.Status.Closed() {
			running += g.Count
		}
	}
	return s.confirm(c, fmt.Sprintf("Terminate %d running workflows of %s? They can clean nothing up.", running, org))
}

func (s *shell) batchSignal(c *cli.Context) error {
	if err := needed(c, "query", "name"); err != nil {
		return err
	}
	input, err := inputs(c, "input")
	if err != nil {
		return err
	}
	signal := sdk.WorkflowSignal{Name: c.String("name"), Input: input}
	return s.batch(c, func(ctx context.Context, api *sdk.Client, org string) (*sdk.WorkflowBatch, error) {
		return api.BatchSignalWorkflows(ctx, org, sdk.WorkflowBatchSignal{Query: c.String("query"), Reason: c.String("reason"), Signal: signal})
	})
}

// batch starts a batch, waits for its end if that is asked for, and shows it.
func (s *shell) batch(c *cli.Context, start func(ctx context.Context, api *sdk.Client, org string) (*sdk.WorkflowBatch, error)) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	if err := needed(c, "query"); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	b, err := start(c.Context, api, org)
	if err != nil {
		return err
	}
	waits := c.Duration("wait") > 0
	if waits {
		if b, err = s.awaitBatch(c, api, org, b); err != nil {
			return err
		}
	}
	if err := s.printBatch(c, b); err != nil {
		return err
	}
	if !waits {
		if !asJSON(c) {
			s.say("\nNext, see how far it has come:\n  bulkhead workflow batch show %s --org %s\n", b.ID, quote(org))
		}
		return nil
	}
	return batchFailure(b)
}

// awaitBatch waits until a batch has ended or the time to wait is over, and returns
// how it stands then.
func (s *shell) awaitBatch(c *cli.Context, api *sdk.Client, org string, b *sdk.WorkflowBatch) (*sdk.WorkflowBatch, error) {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("wait"))
	defer cancel()
	last, said := b, ""
	ended, err := api.AwaitWorkflowBatch(ctx, org, b.ID, func(now sdk.WorkflowBatch) {
		last = &now
		if line := fmt.Sprintf("%d of %d done, %d failed", now.Done, now.Total, now.Failed); s.env.ErrTerminal && !asJSON(c) && now.Total > 0 && line != said {
			said = line
			s.say("%s\n", line)
		}
	})
	if errors.Is(err, context.DeadlineExceeded) && c.Err() == nil {
		return last, nil
	}
	return ended, err
}

// batchFailure tells a batch that was waited for and has not reached all.
func batchFailure(b *sdk.WorkflowBatch) error {
	switch {
	case b.State == sdk.WorkflowBatchStateRunning:
		return &failure{code: exitUnavailable, message: fmt.Sprintf("batch %s still runs", b.ID), hint: "To wait longer: --wait 15m"}
	case b.State == sdk.WorkflowBatchStateFailed:
		return &failure{code: exitWorkflow, message: fmt.Sprintf("batch %s was stopped, or has failed", b.ID)}
	case b.Failed > 0:
		return &failure{code: exitWorkflow, message: fmt.Sprintf("batch %s has not reached %d of %d workflows", b.ID, b.Failed, b.Total)}
	}
	return nil
}

func (s *shell) batchList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	all, err := collect(c, api.AllWorkflowBatches(c.Context, org))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(sdk.WorkflowBatchList{Items: all})
	}
	rows := make([][]string, 0, len(all))
	for _, b := range all {
		rows = append(rows, []string{b.ID, string(b.Kind), string(b.State), s.ago(b.StartedAt), s.ago(b.ClosedAt)})
	}
	return s.printTable([]string{"BATCH", "KIND", "STATE", "STARTED", "CLOSED"}, rows)
}

func (s *shell) batchShow(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	b, err := api.WorkflowBatch(c.Context, org, id)
	if err != nil {
		return err
	}
	return s.printBatch(c, b)
}

func (s *shell) printBatch(c *cli.Context, b *sdk.WorkflowBatch) error {
	if asJSON(c) {
		return s.printJSON(b)
	}
	count := func(n int64) string {
		if b.Total == 0 && b.State != sdk.WorkflowBatchStateCompleted {
			return "" // not known
		}
		return strconv.FormatInt(n, 10)
	}
	took := ""
	if !b.ClosedAt.IsZero() {
		took = b.ClosedAt.Sub(b.StartedAt).Round(time.Second).String()
	}
	return s.printPairs(
		pair{"batch", b.ID}, pair{"kind", string(b.Kind)}, pair{"state", string(b.State)}, pair{"query", b.Query},
		pair{"workflows", count(b.Total)}, pair{"done", count(b.Done)}, pair{"failed", count(b.Failed)},
		pair{"started", s.moment(b.StartedAt)}, pair{"closed", s.moment(b.ClosedAt)}, pair{"took", took},
		pair{"reason", b.Reason}, pair{"started by", b.StartedBy},
	)
}

func (s *shell) batchStop(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	if err := needed(c, "reason"); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	if err := api.StopWorkflowBatch(c.Context, org, id, c.String("reason")); err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(struct{}{})
	}
	return s.printPairs(pair{"batch", id}, pair{"done", "stopped"})
}
