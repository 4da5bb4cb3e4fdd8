package cli

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) roleCommand() *cli.Command {
	permission := &cli.StringSliceFlag{Name: "permission", Usage: "what the role may do, such as workflows:start; repeat for more (`PERMISSION`)"}
	return &cli.Command{
		Name: "role", Usage: "roles of an organization", Category: categoryTenants,
		Description: `A role is a set of permissions. Some are built in; an organization can make more of
its own and give them to users like those.

Example:
  bulkhead role create deployer --org acme --permission workflows:start --permission workflows:read`,
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "list roles", Flags: []cli.Flag{orgFlag(), limitFlag("roles to list", 0)},
				Description: `The built-in ones from the weakest to the strongest, then the organization's own.

Example:
  bulkhead role list --org acme`,
				Action: s.roleList,
			},
			{
				Name: "get", Aliases: []string{"show"}, Usage: "show a role with its permissions", ArgsUsage: "ROLE", Flags: []cli.Flag{orgFlag()},
				Description: `ROLE is a name, or a custom role's id.

Example:
  bulkhead role get deployer --org acme`,
				Action: s.roleGet,
			},
			{
				Name: "create", Usage: "create a custom role", ArgsUsage: "NAME --permission PERMISSION",
				Flags: []cli.Flag{orgFlag(), permission, &cli.StringFlag{Name: "description", Usage: "what it is for (`TEXT`)"}},
				Description: `A role can hold no more than its maker may do. See bulkhead permission list.

Example:
  bulkhead role create deployer --org acme --permission workflows:start --description "CI"`,
				Action: s.roleCreate,
			},
			{
				Name: "update", Usage: "change a custom role", ArgsUsage: "ROLE",
				Flags: []cli.Flag{
					orgFlag(), permission,
					&cli.StringFlag{Name: "name", Usage: "another name (`NAME`)"},
					&cli.StringFlag{Name: "description", Usage: "what it is for; empty to remove it (`TEXT`)"},
				},
				Description: `The permissions that are named are all that the role has afterwards. Users who have
it, and their keys, are bound by it from their next request on.

Example:
  bulkhead role update deployer --org acme --permission workflows:start --permission workflows:read`,
				Action: s.roleUpdate,
			},
			{
				Name: "delete", Usage: "delete a custom role that nobody has", ArgsUsage: "ROLE", Flags: []cli.Flag{orgFlag(), yesFlag()},
				Description: `Asks before, unless --yes.

Example:
  bulkhead role delete deployer --org acme`,
				Action: s.roleDelete,
			},
		},
	}
}

func (s *shell) permissionCommand() *cli.Command {
	return &cli.Command{
		Name: "permission", Usage: "what roles and scopes are made of", Category: categoryTenants,
		Description: `Example:
  bulkhead permission list`,
		Subcommands: []*cli.Command{{
			Name: "list", Usage: "list permissions, and the built-in roles that hold them",
			Description: `TEMPORAL is what a permission becomes in a data-plane token.

Example:
  bulkhead permission list`,
			Action: s.permissionList,
		}},
	}
}

func (s *shell) roleList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	all, err := collect(c, api.AllRoles(c.Context, org))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(sdk.RoleList{Items: all})
	}
	var rows [][]string
	for _, r := range all {
		rows = append(rows, []string{r.Name, first(r.ID, "(built in)"), fmt.Sprint(len(r.Permissions)), r.Description, s.ago(r.CreatedAt)})
	}
	return s.printTable([]string{"NAME", "ID", "PERMISSIONS", "DESCRIPTION", "CREATED"}, rows)
}

func (s *shell) roleGet(c *cli.Context) error {
	name, err := argument(c, "ROLE")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	r, err := api.Role(c.Context, org, name)
	if err != nil {
		return err
	}
	return s.printRole(c, r)
}

func (s *shell) printRole(c *cli.Context, r *sdk.RoleDefinition) error {
	if asJSON(c) {
		return s.printJSON(r)
	}
	return s.printPairs(
		pair{"role", r.Name}, pair{"id", first(r.ID, "(built in)")}, pair{"description", r.Description},
		pair{"permissions", strings.Join(r.Permissions, ", ")}, pair{"updated", s.moment(r.UpdatedAt)},
	)
}

func (s *shell) roleCreate(c *cli.Context) error {
	name, err := argument(c, "NAME")
	if err != nil {
		return err
	}
	in := sdk.RoleCreate{Name: name, Description: c.String("description"), Permissions: c.StringSlice("permission")}
	if len(in.Permissions) == 0 {
		return usageError("--permission is needed; see bulkhead permission list")
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	r, err := api.CreateRole(c.Context, org, in)
	if err != nil {
		return err
	}
	if err := s.printRole(c, r); err != nil || asJSON(c) {
		return err
	}
	s.say("\nNext, give it to a user:\n  bulkhead user add EMAIL --org %s --role %s\n", quote(org), quote(r.Name))
	return nil
}

func (s *shell) roleUpdate(c *cli.Context) error {
	name, err := argument(c, "ROLE")
	if err != nil {
		return err
	}
	in := sdk.RoleUpdate{Name: c.String("name"), Permissions: c.StringSlice("permission")}
	if c.IsSet("description") {
		in.Description = new(c.String("description"))
	}
	if in.Name == "" && in.Description == nil && len(in.Permissions) == 0 {
		return usageError("what is to change? Name a flag, such as --permission")
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	r, err := api.UpdateRole(c.Context, org, name, sdk.AnyVersion, in)
	if err != nil {
		return err
	}
	return s.printRole(c, r)
}

func (s *shell) roleDelete(c *cli.Context) error {
	name, err := argument(c, "ROLE")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	version := sdk.AnyVersion
	if !c.Bool("yes") {
		r, err := api.Role(c.Context, org, name)
		if err != nil {
			return err
		}
		version = r.Etag // what is deleted is what was asked about
		if err := s.confirm(c, fmt.Sprintf("Delete role %s of %s?", printable(r.Name), org)); err != nil {
			return err
		}
	}
	if err := api.DeleteRole(c.Context, org, name, version); err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(struct{}{})
	}
	return s.printPairs(pair{"role", name}, pair{"state", "deleted"})
}

func (s *shell) permissionList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, err := s.client(c)
	if err != nil {
		return err
	}
	all, err := api.Permissions(c.Context)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(all)
	}
	var rows [][]string
	for _, p := range all.Items {
		rows = append(rows, []string{p.Name, strings.Join(p.Roles, ","), string(p.Temporal), p.Meaning})
	}
	return s.printTable([]string{"PERMISSION", "ROLES", "TEMPORAL", "MEANING"}, rows)
}
