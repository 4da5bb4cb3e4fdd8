package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// namespaceCommand is about Temporal's namespaces as such, whoever's they are.
func (s *shell) namespaceCommand() *cli.Command {
	return &cli.Command{
		Name: "namespace", Usage: "namespaces that no organization has", Category: categoryTenants,
		Description: `What is about an organization's own namespace is at "bulkhead org". For operators.

Example:
  bulkhead namespace orphans`,
		Subcommands: []*cli.Command{
			{
				Name: "orphans", Usage: "list namespaces without an organization, and organizations without their namespace",
				Flags: []cli.Flag{limitFlag("orphans to list", 0)},
				Description: `What is being made or deleted is never among them. Ends with 1 when there are any, so
that a script can tell. For operators.

Examples:
  bulkhead namespace orphans
  bulkhead namespace orphans --output json`,
				Action: s.namespaceOrphans,
			},
			{
				Name: "delete-orphan", Usage: "delete a namespace that no organization has", ArgsUsage: "NAME", Flags: []cli.Flag{yesFlag()},
				Description: `With all that is in it, which nobody brings back. It is refused for whatever is not an
orphan at that moment. Asks before, unless --yes. For operators.

Example:
  bulkhead namespace delete-orphan org-lost-84sn02q0`,
				Action: s.namespaceDeleteOrphan,
			},
		},
	}
}

func (s *shell) namespaceOrphans(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, err := s.client(c)
	if err != nil {
		return err
	}
	found, err := collect(c, api.AllOrphanedNamespaces(c.Context))
	if err != nil {
		return err
	}
	if err := s.printOrphans(c, found); err != nil || len(found) == 0 {
		return err
	}
	return &failure{code: exitFailure, message: "there are orphans"}
}

func (s *shell) printOrphans(c *cli.Context, found []sdk.Orphan) error {
	if asJSON(c) {
		return s.printJSON(sdk.OrphanList{Items: found})
	}
	var rows [][]string
	for _, o := range found {
		rows = append(rows, []string{string(o.Side), o.Namespace, first(o.OrganizationID, "-"), o.Reason, first(s.moment(o.Since), "-"), o.Repair})
	}
	return s.printTable([]string{"THERE IS A", "NAMESPACE", "ORGANIZATION", "REASON", "SINCE", "REPAIR"}, rows)
}

func (s *shell) namespaceDeleteOrphan(c *cli.Context) error {
	name, err := argument(c, "NAME")
	if err != nil {
		return err
	}
	api, err := s.client(c)
	if err != nil {
		return err
	}
	if err := s.confirm(c, fmt.Sprintf("Delete namespace %s with all that is in it, now and for good?", printable(name))); err != nil {
		return err
	}
	if err := api.DeleteOrphanedNamespace(c.Context, name); err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(struct{}{})
	}
	return s.printPairs(pair{"namespace", name}, pair{"state", "deleted"})
}
