package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) orgAllowListCommand() *cli.Command {
	return &cli.Command{
		Name: "allow-list", Usage: "which workflows each role may start",
		Description: `Without a rule every role may start everything.

Example:
  bulkhead org allow-list get acme`,
		Subcommands: []*cli.Command{
			{
				Name: "get", Aliases: []string{"show"}, Usage: "show the allow-list", ArgsUsage: "[ORG]", Flags: []cli.Flag{orgFlag()},
				Description: `A rule for * is for every role that no rule names.

Example:
  bulkhead org allow-list get acme`,
				Action: s.orgAllowListGet,
			},
			{
				Name: "set", Usage: "replace the allow-list", ArgsUsage: "[ORG]",
				Flags: []cli.Flag{orgFlag(), &cli.StringSliceFlag{Name: "rule", Usage: "a rule, as JSON; repeat for more, none for none (`JSON`)"}, yesFlag()},
				Description: `A type or a queue stands in full, or as what it begins with and *. Without a rule the
list is emptied, and every role may start everything: asks before, unless --yes.

Examples:
  bulkhead org allow-list set acme --rule '{"role":"member","workflow_types":["Order*"],"task_queues":["orders"]}'
  bulkhead org allow-list set acme`,
				Action: s.orgAllowListSet,
			},
		},
	}
}

func (s *shell) orgAllowListGet(c *cli.Context) error {
	api, named, err := s.named(c)
	if err != nil {
		return err
	}
	l, err := api.AllowList(c.Context, named)
	if err != nil {
		return err
	}
	return s.printAllowList(c, l)
}

func (s *shell) orgAllowListSet(c *cli.Context) error {
	in := sdk.AllowListUpdate{Rules: []sdk.AllowRule{}}
	for _, text := range c.StringSlice("rule") {
		var r sdk.AllowRule
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return usageError(fmt.Sprintf("--rule %s is not a rule in JSON", quote(text)))
		}
		in.Rules = append(in.Rules, r)
	}
	api, named, err := s.named(c)
	if err != nil {
		return err
	}
	if len(in.Rules) == 0 {
		if err := s.confirm(c, fmt.Sprintf("Remove every rule of %s? Then each role may start every workflow.", printable(named))); err != nil {
			return err
		}
	}
	l, err := api.SetAllowList(c.Context, named, sdk.AnyVersion, in)
	if err != nil {
		return err
	}
	return s.printAllowList(c, l)
}

func (s *shell) printAllowList(c *cli.Context, l *sdk.AllowList) error {
	if asJSON(c) {
		return s.printJSON(l)
	}
	rows := make([][]string, 0, len(l.Rules))
	for _, r := range l.Rules {
		rows = append(rows, []string{r.Role, orAny(r.WorkflowTypes), orAny(r.TaskQueues)})
	}
	return s.printTable([]string{"ROLE", "WORKFLOW TYPES", "TASK QUEUES"}, rows)
}

func orAny(patterns []string) string {
	if len(patterns) == 0 {
		return "any"
	}
	return strings.Join(patterns, ", ")
}
