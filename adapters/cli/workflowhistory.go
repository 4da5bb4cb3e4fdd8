package cli

import (
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) workflowHistoryCommand() *cli.Command {
	return &cli.Command{
		Name: "history", Usage: "show what a workflow has done", ArgsUsage: "ID",
		Flags: []cli.Flag{
			orgFlag(), runFlag(),
			&cli.BoolFlag{Name: "tasks", Usage: "sum up its activities, timers, children, signals and updates"},
			limitFlag("events or tasks to show", 1000),
		},
		Description: `Event by event, oldest first. With --output json each event has all that it says.

Examples:
  bulkhead workflow history charge-42 --org acme
  bulkhead workflow history charge-42 --org acme --tasks`,
		Action: s.workflowHistory,
	}
}

func (s *shell) workflowHistory(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	s.workflowID = id
	if c.Bool("tasks") {
		tasks, err := collect(c, api.WorkflowTasks(c.Context, org, id, c.String("run")))
		if err != nil {
			return err
		}
		return s.printTasks(c, tasks)
	}
	events, err := collect(c, api.WorkflowEvents(c.Context, org, id, c.String("run")))
	if err != nil {
		return err
	}
	return s.printEvents(c, events)
}

func (s *shell) printEvents(c *cli.Context, events []sdk.WorkflowEvent) error {
	if asJSON(c) {
		return s.printJSON(map[string]any{"events": events})
	}
	rows := make([][]string, 0, len(events))
	for _, e := range events {
		rows = append(rows, []string{strconv.FormatInt(e.ID, 10), s.moment(e.At), e.Type})
	}
	return s.printTable([]string{"ID", "AT", "EVENT"}, rows)
}

func (s *shell) printTasks(c *cli.Context, tasks []sdk.WorkflowTask) error {
	if asJSON(c) {
		return s.printJSON(map[string]any{"tasks": tasks})
	}
	rows := make([][]string, 0, len(tasks))
	for _, t := range tasks {
		attempts, took := "", ""
		if t.Attempts > 0 {
			attempts = strconv.FormatInt(int64(t.Attempts), 10)
		}
		if !t.ClosedAt.IsZero() {
			took = (time.Duration(t.DurationMs) * time.Millisecond).String()
		}
		rows = append(rows, []string{
			strconv.FormatInt(t.EventID, 10), string(t.Kind), t.Type, t.ID, string(t.State), attempts, s.ago(t.ScheduledAt), took, t.Failure.Message,
		})
	}
	return s.printTable([]string{"EVENT", "KIND", "TYPE", "ID", "STATE", "ATTEMPTS", "SCHEDULED", "TOOK", "LAST FAILURE"}, rows)
}
