package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// runFlag chooses a run of a workflow.
func runFlag() cli.Flag {
	return &cli.StringFlag{Name: "run", Usage: "one run; the latest if absent (`RUN_ID`)"}
}

// inputFlag takes arguments for the code of a workflow.
func inputFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "input", Aliases: []string{"i"}, Usage: "an argument, as JSON; repeat for more, in order (`JSON`)"}
}

func (s *shell) workflowControlCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "signal", Usage: "send a signal to a workflow", ArgsUsage: "ID --name NAME",
			Flags: []cli.Flag{
				orgFlag(), runFlag(), inputFlag(),
				&cli.StringFlag{Name: "name", Usage: "signal that the workflow waits for (`NAME`)"},
			},
			Description: `What comes of it is up to the workflow; the signal waits until a worker runs.

Example:
  bulkhead workflow signal charge-42 --org acme --name approve --input '{"by":"ada"}'`,
			Action: s.workflowSignal,
		},
		{
			Name: "cancel", Usage: "ask a workflow to cancel what it does", ArgsUsage: "ID",
			Flags: []cli.Flag{orgFlag(), runFlag(), &cli.StringFlag{Name: "reason", Usage: "why, for people (`TEXT`)"}},
			Description: `When and how is up to the workflow, which can clean up first.

Example:
  bulkhead workflow cancel charge-42 --org acme --reason "changed my mind"`,
			Action: s.workflowCancel,
		},
		{
			Name: "terminate", Usage: "end a workflow at once", ArgsUsage: "ID --reason TEXT",
			Flags: []cli.Flag{orgFlag(), runFlag(), yesFlag(), &cli.StringFlag{Name: "reason", Usage: "why, for people (`TEXT`)"}},
			Description: `The workflow learns nothing of it and cleans nothing up: cancel it if it can.

Example:
  bulkhead workflow terminate charge-42 --org acme --reason stuck`,
			Action: s.workflowTerminate,
		},
	}
}

func (s *shell) workflowSignal(c *cli.Context) error {
	if err := needed(c, "name"); err != nil {
		return err
	}
	input, err := inputs(c)
	if err != nil {
		return err
	}
	signal := sdk.WorkflowSignal{Name: c.String("name"), Input: input}
	return s.control(c, "sent", "", func(ctx context.Context, api *sdk.Client, org, id string) error {
		return api.SignalWorkflow(ctx, org, id, c.String("run"), signal)
	})
}

func (s *shell) workflowCancel(c *cli.Context) error {
	return s.control(c, "asked to cancel", "", func(ctx context.Context, api *sdk.Client, org, id string) error {
		return api.CancelWorkflow(ctx, org, id, c.String("run"), c.String("reason"))
	})
}

func (s *shell) workflowTerminate(c *cli.Context) error {
	if err := needed(c, "reason"); err != nil {
		return err
	}
	const question = "Terminate workflow %s of %s? It can clean nothing up."
	return s.control(c, "terminated", question, func(ctx context.Context, api *sdk.Client, org, id string) error {
		return api.TerminateWorkflow(ctx, org, id, c.String("run"), c.String("reason"))
	})
}

// control does something to the workflow that the argument names, after the
// question if there is one, and says that it is done.
func (s *shell) control(c *cli.Context, done, question string, do func(ctx context.Context, api *sdk.Client, org, id string) error) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	s.workflowID = id
	if question != "" {
		if err := s.confirm(c, fmt.Sprintf(question, printable(id), org)); err != nil {
			return err
		}
	}
	if err := do(c.Context, api, org, id); err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(struct{}{})
	}
	return s.printPairs(pair{"workflow", id}, pair{"done", done})
}

// inputs reads the arguments for the code of a workflow.
func inputs(c *cli.Context) ([]json.RawMessage, error) {
	var in []json.RawMessage
	for _, text := range c.StringSlice("input") {
		if !json.Valid([]byte(text)) {
			e := usageError(fmt.Sprintf("--input %s is not JSON", quote(text)))
			e.hint = fmt.Sprintf("If it is a text: --input %s", quote(strconv.Quote(text)))
			return nil, e
		}
		in = append(in, json.RawMessage(text))
	}
	return in, nil
}
