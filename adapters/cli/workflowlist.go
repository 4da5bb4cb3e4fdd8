package cli

import (
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) workflowListCommands() []*cli.Command {
	query := &cli.StringFlag{Name: "query", Usage: "only what this list filter of Temporal chooses (`QUERY`)"}
	return []*cli.Command{
		{
			Name: "list", Usage: "list workflows",
			Flags: []cli.Flag{orgFlag(), query, limitFlag("workflows to list", 50)},
			Description: `What runs first, then what has ended; a change is seen a moment after it has happened.

Examples:
  bulkhead workflow list --org acme
  bulkhead workflow list --query 'WorkflowType = "Charge" AND ExecutionStatus = "Failed"'`,
			Action: s.workflowList,
		},
		{
			Name: "count", Usage: "count workflows", Flags: []cli.Flag{orgFlag(), query},
			Description: `In all, and by status.

Example:
  bulkhead workflow count --org acme --query 'WorkflowType = "Charge"'`,
			Action: s.workflowCount,
		},
	}
}

func (s *shell) workflowList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	all, err := collect(c, api.AllWorkflows(c.Context, org, c.String("query")))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(sdk.WorkflowList{Items: all})
	}
	rows := make([][]string, 0, len(all))
	for _, w := range all {
		rows = append(rows, []string{w.WorkflowID, w.Type, string(w.Status), s.ago(w.StartedAt), s.ago(w.ClosedAt), w.RunID})
	}
	return s.printTable([]string{"WORKFLOW", "TYPE", "STATUS", "STARTED", "CLOSED", "RUN"}, rows)
}

func (s *shell) workflowCount(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	n, err := api.CountWorkflows(c.Context, org, c.String("query"))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(n)
	}
	pairs := []pair{{"all", strconv.FormatInt(n.Count, 10)}}
	for _, g := range n.ByStatus {
		pairs = append(pairs, pair{string(g.Status), strconv.FormatInt(g.Count, 10)})
	}
	return s.printPairs(pairs...)
}
