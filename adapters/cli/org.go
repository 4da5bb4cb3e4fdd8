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
		Subcommands: append([]*cli.Command{
			{
				Name: "create", Usage: "create an organization with its first admins", ArgsUsage: "SLUG --admin-email EMAIL",
				Flags: []cli.Flag{
					&cli.StringSliceFlag{Name: "admin-email", Usage: "e-mail address of the first admin; repeat for more admins (`EMAIL`)"},
					&cli.StringFlag{Name: "admin-name", Usage: "name of the first admin (`NAME`)"},
					&cli.StringFlag{Name: "name", Usage: "name for people; the slug if absent (`NAME`)"},
					&cli.StringFlag{Name: "id", Usage: "an identifier of your own choice; a fresh one if absent (`ORG_ID`)"},
					&cli.StringSliceFlag{Name: "metadata", Usage: "a word of your own; repeat for more (`KEY=VALUE`)"},
					&cli.StringFlag{Name: "worker-pool", Usage: "the pool of workers that serve it; default if absent (`POOL`)"},
					&cli.StringFlag{Name: "adopt-namespace", Usage: "a namespace that Temporal has and no organization, with all that is in it (`NAMESPACE`)"},
					&cli.BoolFlag{Name: "no-wait", Usage: "do not wait until it is ready"},
					timeoutFlag(),
				},
				Description: `The slug is its short name: lower-case letters, digits and single hyphens. Waits
until the Temporal namespace is ready. A namespace that is adopted is deleted with the
organization, as any other. For operators.

Examples:
  bulkhead org create acme --admin-email ada@acme.example
  bulkhead org create acme --admin-email ada@acme.example --name "Acme Corp." --no-wait`,
				Action: s.orgCreate,
			},
			{
				Name: "list", Usage: "list organizations",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "state", Usage: "only those in this state, such as suspended (`STATE`)"},
					&cli.StringFlag{Name: "slug-prefix", Usage: "only those whose slug begins so (`PREFIX`)"},
					&cli.StringFlag{Name: "metadata", Usage: "only those with this in their metadata (`KEY=VALUE`)"},
					&cli.StringFlag{Name: "sort", Usage: "created_at or slug; with a - before, the reverse (`ORDER`)"},
					limitFlag("organizations to list", 0),
				},
				Description: `Oldest first. Deleted ones are shown with --state deleted only. For operators.

Examples:
  bulkhead org list
  bulkhead org list --state suspended --sort slug`,
				Action: s.orgList,
			},
			{
				Name: "show", Aliases: []string{"get"}, Usage: "show an organization", ArgsUsage: "[ORG]", Flags: []cli.Flag{orgFlag()},
				Description: `By its slug or id; without one it is the key's own.

Examples:
  bulkhead org show
  bulkhead org show acme --output json`,
				Action: s.orgShow,
			},
			s.orgUsageCommand(),
		}, append(s.orgLifeCommands(), append(s.orgNamespaceCommands(), s.orgLimitsCommand(), s.orgAllowListCommand())...)...),
	}
}

func (s *shell) orgCreate(c *cli.Context) error {
	slug, err := argument(c, "SLUG")
	if err != nil {
		return err
	}
	emails := c.StringSlice("admin-email")
	if len(emails) == 0 {
		return usageError("--admin-email is needed")
	}
	in := sdk.OrganizationCreate{
		ID: c.String("id"), Slug: slug, Name: c.String("name"), Admin: sdk.FirstAdmin{Email: emails[0], Name: c.String("admin-name")},
		WorkerPool: c.String("worker-pool"), AdoptNamespace: c.String("adopt-namespace"),
	}
	for _, email := range emails[1:] {
		in.Admins = append(in.Admins, sdk.FirstAdmin{Email: email})
	}
	if in.Metadata, err = changeMetadata(nil, c.StringSlice("metadata"), nil); err != nil {
		return err
	}
	api, err := s.client(c)
	if err != nil {
		return err
	}
	s.orgName = slug
	made, err := api.CreateOrganization(c.Context, in, 0)
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
	op, err := api.AwaitOperation(ctx, made.Operation.ID, p.report)
	p.end(err == nil)
	var failed *sdk.OperationError
	switch {
	case errors.As(err, &failed):
		return &failure{
			code: exitFailure, message: "the organization could not be prepared: " + hindrance(failed.Operation),
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
	all, err := collect(c, api.AllOrganizations(c.Context, sdk.OrganizationFilter{
		State: sdk.OrganizationState(c.String("state")), SlugPrefix: c.String("slug-prefix"), Metadata: c.String("metadata"), Sort: c.String("sort"),
	}))
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
	api, named, err := s.named(c)
	if err != nil {
		return err
	}
	o, err := api.Organization(c.Context, named)
	if err != nil {
		return err
	}
	return s.printOrganization(c, o)
}
