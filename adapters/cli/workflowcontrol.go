package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

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
			Name: "query", Usage: "ask a workflow something", ArgsUsage: "ID --name NAME",
			Flags: []cli.Flag{orgFlag(), runFlag(), inputFlag(), &cli.StringFlag{Name: "name", Usage: "query that the workflow answers (`NAME`)"}},
			Description: `Its own code answers, also when it has ended: a worker must run that serves it.

Example:
  bulkhead workflow query charge-42 --org acme --name status`,
			Action: s.workflowQuery,
		},
		{
			Name: "update", Usage: "send an update to a workflow", ArgsUsage: "ID --name NAME",
			Flags: []cli.Flag{
				orgFlag(), runFlag(), inputFlag(),
				&cli.StringFlag{Name: "name", Usage: "update that the workflow takes (`NAME`)"},
				&cli.StringFlag{Name: "id", Usage: "id of the update, which is done once; a random one if absent (`ID`)"},
				&cli.DurationFlag{Name: "wait", Value: 10 * time.Second, Usage: "how long to wait for the answer, 1m at most (`DURATION`)"},
			},
			Description: `Prints how it stands: completed with the answer, failed, or accepted and not answered yet.
Ends with 7 when it has failed.

Example:
  bulkhead workflow update charge-42 --org acme --name approve --input '"ada"'`,
			Action: s.workflowUpdate,
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
		{
			Name: "reset", Usage: "have a workflow go on from an earlier place", ArgsUsage: "ID --reason TEXT",
			Flags: []cli.Flag{
				orgFlag(), runFlag(), yesFlag(),
				&cli.StringFlag{Name: "to", Value: "last_workflow_task", Usage: "first_workflow_task or last_workflow_task (`PLACE`)"},
				&cli.Int64Flag{Name: "event", Usage: "an event with which a workflow task started or ended, instead (`ID`)"},
				&cli.StringFlag{Name: "reason", Usage: "why, for people (`TEXT`)"},
			},
			Description: `The run is ended, and another does again what came after that place; signals and
updates are kept.

Examples:
  bulkhead workflow reset charge-42 --org acme --reason "the bug is mended"
  bulkhead workflow reset charge-42 --org acme --event 14 --reason "the bug is mended"`,
			Action: s.workflowReset,
		},
	}
}

func (s *shell) workflowSignal(c *cli.Context) error {
	if err := needed(c, "name"); err != nil {
		return err
	}
	input, err := inputs(c, "input")
	if err != nil {
		return err
	}
	signal := sdk.WorkflowSignal{Name: c.String("name"), Input: input}
	return s.control(c, "sent", "", func(ctx context.Context, api *sdk.Client, org, id string) error {
		return api.SignalWorkflow(ctx, org, id, c.String("run"), signal)
	})
}

func (s *shell) workflowQuery(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	if err := needed(c, "name"); err != nil {
		return err
	}
	input, err := inputs(c, "input")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	s.workflowID = id
	answer, err := api.QueryWorkflow(c.Context, org, id, c.String("run"), sdk.WorkflowQuestion{Name: c.String("name"), Input: input})
	if err != nil {
		return err
	}
	if len(answer) == 0 {
		answer = json.RawMessage("null")
	}
	_, err = fmt.Fprintf(s.env.Out, "%s\n", answer)
	return err
}

func (s *shell) workflowUpdate(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	if err := needed(c, "name"); err != nil {
		return err
	}
	input, err := inputs(c, "input")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	s.workflowID = id
	in := sdk.WorkflowUpdateRequest{Name: c.String("name"), UpdateID: c.String("id"), Input: input}
	u, err := api.UpdateWorkflow(c.Context, org, id, c.String("run"), in, c.Duration("wait"))
	if err != nil {
		return err
	}
	if asJSON(c) {
		err = s.printJSON(u)
	} else {
		err = s.printPairs(
			pair{"workflow", u.WorkflowID}, pair{"run", u.RunID}, pair{"update", u.UpdateID}, pair{"status", string(u.Status)},
			pair{"answer", string(u.Output)}, pair{"failure", u.Failure.Message},
		)
	}
	if err == nil && u.Status == sdk.WorkflowUpdateStatusFailed {
		return &failure{code: exitWorkflow, message: "the update has failed: " + first(u.Failure.Message, "the reason is not known")}
	}
	return err
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

func (s *shell) workflowReset(c *cli.Context) error {
	if err := needed(c, "reason"); err != nil {
		return err
	}
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	if c.IsSet("to") && c.IsSet("event") {
		return usageError("--to and --event exclude each other")
	}
	if c.IsSet("event") && c.Int64("event") < 1 {
		return usageError("--event is a number above 0")
	}
	in := sdk.WorkflowReset{To: sdk.WorkflowResetTo(c.String("to")), EventID: c.Int64("event"), Reason: c.String("reason")}
	if in.EventID != 0 {
		in.To = sdk.WorkflowResetToEvent
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	s.workflowID = id
	if err := s.confirm(c, fmt.Sprintf("Reset workflow %s of %s? It does again what came after.", printable(id), org)); err != nil {
		return err
	}
	run, err := api.ResetWorkflow(c.Context, org, id, c.String("run"), in)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(run)
	}
	return s.printPairs(pair{"workflow", run.WorkflowID}, pair{"run", run.RunID})
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

// inputs reads the arguments for the code of a workflow that a flag holds.
func inputs(c *cli.Context, flag string) ([]json.RawMessage, error) {
	var in []json.RawMessage
	for _, text := range c.StringSlice(flag) {
		if !json.Valid([]byte(text)) {
			e := usageError(fmt.Sprintf("--%s %s is not JSON", flag, quote(text)))
			e.hint = fmt.Sprintf("If it is a text: --%s %s", flag, quote(strconv.Quote(text)))
			return nil, e
		}
		in = append(in, json.RawMessage(text))
	}
	return in, nil
}
