package cli

import (
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// provisionTimeout is how long the command line waits for a new organization.
// The work goes on without it.
const provisionTimeout = 5 * time.Minute

func (s *shell) orgCommand() *cli.Command {
	return &cli.Command{
		Name: "org", Usage: "organizations: the tenants", Category: categoryTenants,
		Description: `An organization has its own users, API keys and Temporal namespace.

Example:
  bulkhead org create acme --admin-email ada@acme.example`,
		Subcommands: []*cli.Command{
			{
				Name: "create", Usage: "create an organization with its first admin", ArgsUsage: "SLUG --admin-email EMAIL",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "admin-email", Usage: "e-mail address of the first admin (`EMAIL`)"},
					&cli.StringFlag{Name: "admin-name", Usage: "name of the first admin (`NAME`)"},
					&cli.StringFlag{Name: "name", Usage: "name for people; the slug if absent (`NAME`)"},
					&cli.BoolFlag{Name: "no-wait", Usage: "do not wait until it is ready"},
					&cli.DurationFlag{Name: "timeout", Usage: "how long to wait; 5m if absent (`DURATION`)", Value: provisionTimeout},
				},
				Description: `The slug is its short name: lower-case letters, digits and single hyphens. Waits
until the Temporal namespace is ready. For operators.

Examples:
  bulkhead org create acme --admin-email ada@acme.example
  bulkhead org create acme --admin-email ada@acme.example --name "Acme Corp." --no-wait`,
				Action: s.orgCreate,
			},
			{
				Name: "list", Usage: "list organizations",
				Description: `Oldest first. For operators.

Example:
  bulkhead org list`,
				Action: s.orgList,
			},
			{
				Name: "show", Usage: "show an organization", ArgsUsage: "[ORG]", Flags: []cli.Flag{orgFlag()},
				Description: `By its slug or id; without one it is the key's own.

Examples:
  bulkhead org show
  bulkhead org show acme --output json`,
				Action: s.orgShow,
			},
		},
	}
}

func (s *shell) orgCreate(c *cli.Context) error {
	slug, err := argument(c, "SLUG")
	if err != nil {
		return err
	}
	if err := needed(c, "admin-email"); err != nil {
		return err
	}
	api, err := s.client(c)
	if err != nil {
		return err
	}
	s.orgName = slug
	made, err := api.CreateOrganization(c.Context, sdk.OrganizationCreate{
		Slug: slug, Name: c.String("name"), Admin: sdk.FirstAdmin{Email: c.String("admin-email"), Name: c.String("admin-name")},
	}, 0)
	if err != nil {
		return err
	}
	if !c.Bool("no-wait") {
		if err := s.awaitOrganization(c, api, made); err != nil {
			return err
		}
	}
	if asJSON(c) {
		return s.printJSON(made)
	}
	return s.printNewOrganization(made)
}

// awaitOrganization follows the work on a new organization, and brings made up
// to date with how it ended.
func (s *shell) awaitOrganization(c *cli.Context, api *sdk.Client, made *sdk.OrganizationCreated) error {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	slug := made.Organization.Slug
	p := s.newProgress(asJSON(c), "Preparing organization "+slug)
	op, err := api.AwaitOperation(ctx, made.Operation.ID, func(o sdk.Operation) {
		p.report(o.Step, int(o.Attempts), o.Failure)
	})
	p.end(err == nil)
	var failed *sdk.OperationError
	switch {
	case errors.As(err, &failed):
		return &failure{
			code: exitFailure, message: "the organization could not be prepared: " + first(failed.Operation.Failure, "the reason is not known"),
			hint: "It exists, in state failed: " + showOrg(slug),
		}
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && c.Err() == nil:
		return &failure{
			code: exitUnavailable, message: "the organization is not ready yet; the work goes on",
			hint: "Look at it again: " + showOrg(slug),
		}
	case err != nil && errors.Is(c.Err(), context.Canceled):
		return &failure{code: exitInterrupted, message: "interrupted; the organization is being prepared: " + showOrg(slug)}
	case err != nil:
		return err
	}
	made.Operation = *op
	o, err := api.Organization(c.Context, made.Organization.ID)
	if err != nil {
		return err
	}
	made.Organization = *o
	return nil
}

func (s *shell) printNewOrganization(made *sdk.OrganizationCreated) error {
	o := made.Organization
	ready := o.State == sdk.OrganizationStateActive
	operation := made.Operation.ID
	if ready {
		operation = ""
	}
	if err := s.printPairs(
		pair{"organization", o.Slug}, pair{"id", o.ID}, pair{"state", string(o.State)}, pair{"namespace", o.Namespace},
		pair{"admin", made.Admin.Email}, pair{"operation", operation},
	); err != nil {
		return err
	}
	if ready {
		s.say("\nNext, create an API key for the admin:\n")
	} else {
		s.say("\nIt is ready when its state is active:\n  bulkhead org show %s\n\nThen create an API key for the admin:\n", quote(o.Slug))
	}
	s.say("  bulkhead apikey create admin --org %s --user %s\n", quote(o.Slug), quote(made.Admin.Email))
	return nil
}

func (s *shell) orgList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, err := s.client(c)
	if err != nil {
		return err
	}
	all, err := collect(api.AllOrganizations(c.Context))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(sdk.OrganizationList{Items: all})
	}
	var rows [][]string
	for _, o := range all {
		rows = append(rows, []string{o.Slug, o.Name, string(o.State), o.Namespace, s.ago(o.CreatedAt)})
	}
	return s.printTable([]string{"SLUG", "NAME", "STATE", "NAMESPACE", "CREATED"}, rows)
}

func (s *shell) orgShow(c *cli.Context) error {
	if c.Args().Len() > 1 {
		_, err := argument(c, "ORG")
		return err
	}
	api, err := s.client(c)
	if err != nil {
		return err
	}
	named := c.Args().First()
	if named == "" {
		if named, err = s.org(c, api); err != nil {
			return err
		}
	}
	o, err := api.Organization(c.Context, named)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(o)
	}
	return s.printPairs(
		pair{"organization", o.Slug}, pair{"id", o.ID}, pair{"name", o.Name}, pair{"state", string(o.State)},
		pair{"reason", o.StateReason}, pair{"namespace", o.Namespace},
		pair{"created", s.moment(o.CreatedAt)}, pair{"updated", s.moment(o.UpdatedAt)},
	)
}
