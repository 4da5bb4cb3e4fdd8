package cli

import (
	"iter"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) userCommand() *cli.Command {
	return &cli.Command{
		Name: "user", Usage: "users of an organization", Category: categoryTenants,
		Description: `A user is a person or a service account, in exactly one organization.

Example:
  bulkhead user add grace@acme.example --org acme --role member`,
		Subcommands: []*cli.Command{
			{
				Name: "add", Usage: "add a user", ArgsUsage: "EMAIL --role ROLE",
				Flags: []cli.Flag{
					orgFlag(),
					&cli.StringFlag{Name: "role", Usage: "admin, manager, member or viewer (`ROLE`)"},
					&cli.StringFlag{Name: "name", Usage: "name of the user; the address if absent (`NAME`)"},
				},
				Description: `Nobody can give a role with more power than their own.

Examples:
  bulkhead user add grace@acme.example --org acme --role member
  bulkhead user add ci@acme.example --role manager --name "CI"`,
				Action: s.userAdd,
			},
			{
				Name: "list", Usage: "list users", Flags: []cli.Flag{orgFlag()},
				Description: `Oldest first.

Example:
  bulkhead user list --org acme`,
				Action: s.userList,
			},
		},
	}
}

func (s *shell) userAdd(c *cli.Context) error {
	email, err := argument(c, "EMAIL")
	if err != nil {
		return err
	}
	if err := needed(c, "role"); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	u, err := api.CreateUser(c.Context, org, sdk.UserCreate{Email: email, Name: c.String("name"), Role: sdk.Role(c.String("role"))})
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(u)
	}
	if err := s.printPairs(
		pair{"user", u.Email}, pair{"id", u.ID}, pair{"name", u.Name}, pair{"role", string(u.Role)}, pair{"organization", org},
	); err != nil {
		return err
	}
	s.say("\nNext, create an API key for the user:\n  bulkhead apikey create NAME --org %s --user %s\n", quote(org), quote(u.Email))
	return nil
}

func (s *shell) userList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	all, err := collect(api.AllUsers(c.Context, org, sdk.UserFilter{}))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(sdk.UserList{Items: all})
	}
	var rows [][]string
	for _, u := range all {
		rows = append(rows, []string{u.Email, u.Name, string(u.Role), string(u.State), u.ID, s.ago(u.CreatedAt)})
	}
	return s.printTable([]string{"EMAIL", "NAME", "ROLE", "STATE", "ID", "CREATED"}, rows)
}

// collect takes everything out of a list. It is never nil, which in JSON would
// not be a list.
func collect[T any](list iter.Seq2[T, error]) ([]T, error) {
	all := []T{}
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}
