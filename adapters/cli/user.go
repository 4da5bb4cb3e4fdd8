package cli

import (
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) userCommand() *cli.Command {
	return &cli.Command{
		Name: "user", Usage: "users of an organization", Category: categoryTenants,
		Description: `A user is a person or a service account, in exactly one organization. Commands name a
user by id or, a person, by e-mail address.

Example:
  bulkhead user add grace@acme.example --org acme --role member`,
		Subcommands: []*cli.Command{
			s.userAddCommand(), s.userListCommand(),
			{
				Name: "get", Aliases: []string{"show"}, Usage: "show a user", ArgsUsage: "USER", Flags: []cli.Flag{orgFlag()},
				Description: `Removed users are shown by their id.

Example:
  bulkhead user get grace@acme.example --org acme`,
				Action: s.userGet,
			},
			{
				Name: "activity", Usage: "show what a user has been doing", ArgsUsage: "USER", Flags: []cli.Flag{orgFlag()},
				Description: `When the user was last seen, their API keys, and their latest entries of the audit trail.

Example:
  bulkhead user activity grace@acme.example --org acme`,
				Action: s.userActivity,
			},
			{
				Name: "update", Usage: "change a user's name or role", ArgsUsage: "USER",
				Flags: []cli.Flag{
					orgFlag(),
					&cli.StringFlag{Name: "name", Usage: "the new `NAME`"},
					&cli.StringFlag{Name: "role", Usage: "the new `ROLE`: admin, manager, member, viewer, or a custom role's name or id"},
				},
				Description: `Nobody changes their own role, or somebody who may do more than they.

Example:
  bulkhead user update grace@acme.example --org acme --role manager`,
				Action: s.userUpdate,
			},
			{
				Name: "suspend", Usage: "take away a user's access, reversibly", ArgsUsage: "USER",
				Flags: []cli.Flag{orgFlag(), &cli.StringFlag{Name: "reason", Usage: "why, for people (`TEXT`)"}},
				Description: `The user's API keys are refused at once.

Example:
  bulkhead user suspend grace@acme.example --org acme --reason "on leave"`,
				Action: s.userSuspend,
			},
			{
				Name: "resume", Usage: "give a suspended user access again", ArgsUsage: "USER", Flags: []cli.Flag{orgFlag()},
				Description: `Example:
  bulkhead user resume grace@acme.example --org acme`,
				Action: s.userResume,
			},
			{
				Name: "remove", Usage: "remove a user for good", ArgsUsage: "USER", Flags: []cli.Flag{orgFlag(), yesFlag()},
				Description: `The user's API keys are refused at once, and the e-mail address is free again.

Example:
  bulkhead user remove grace@acme.example --org acme`,
				Action: s.userRemove,
			},
			s.userImportCommand(),
		},
	}
}

func (s *shell) userAddCommand() *cli.Command {
	return &cli.Command{
		Name: "add", Usage: "add a user", ArgsUsage: "EMAIL --role ROLE",
		Flags: []cli.Flag{
			orgFlag(),
			&cli.StringFlag{Name: "role", Usage: "admin, manager, member, viewer, or a custom role's name or id (`ROLE`)"},
			&cli.StringFlag{Name: "name", Usage: "name of the user; the address if absent (`NAME`)"},
			&cli.BoolFlag{Name: "service-account", Usage: "a program: the argument is its name, as it has no address"},
		},
		Description: `Nobody can give a role with more power than their own.

Examples:
  bulkhead user add grace@acme.example --org acme --role member
  bulkhead user add ci --service-account --role manager`,
		Action: s.userAdd,
	}
}

func (s *shell) userListCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list users",
		Flags: []cli.Flag{
			orgFlag(),
			&cli.StringFlag{Name: "state", Usage: "only users in this `STATE`: active, suspended or removed"},
			&cli.StringFlag{Name: "kind", Usage: "only users of this `KIND`: person or service_account"},
			&cli.StringFlag{Name: "role", Usage: "only users with the role of this `NAME`"},
			&cli.StringFlag{Name: "email-prefix", Usage: "only users whose address begins with `TEXT`"},
			limitFlag("users to list", 0),
		},
		Description: `Oldest first; removed users are listed when their state is asked for.

Examples:
  bulkhead user list --org acme
  bulkhead user list --org acme --role admin --state active`,
		Action: s.userList,
	}
}

func (s *shell) userAdd(c *cli.Context) error {
	named, err := argument(c, "EMAIL")
	if err != nil {
		return err
	}
	if err := needed(c, "role"); err != nil {
		return err
	}
	in := sdk.UserCreate{Email: named, Name: c.String("name"), Role: c.String("role")}
	if c.Bool("service-account") {
		if c.String("name") != "" {
			return usageError("a service account's name is its argument")
		}
		in = sdk.UserCreate{Kind: sdk.UserKindServiceAccount, Name: named, Role: c.String("role")}
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	u, err := api.CreateUser(c.Context, org, in)
	if err != nil {
		return err
	}
	if err := s.printUser(c, u); err != nil || asJSON(c) {
		return err
	}
	s.say("\nNext, create an API key for the user:\n  bulkhead apikey create NAME --org %s --user %s\n", quote(org), quote(called(u)))
	return nil
}

// called is how commands name a user: people by what people know.
func called(u *sdk.User) string {
	if u.Email != "" {
		return u.Email
	}
	return u.ID
}

func (s *shell) printUser(c *cli.Context, u *sdk.User) error {
	if asJSON(c) {
		return s.printJSON(u)
	}
	pairs := []pair{{"user", called(u)}, {"id", u.ID}, {"kind", string(u.Kind)}, {"name", u.Name}, {"role", u.Role}, {"state", string(u.State)}}
	if u.Reason != "" {
		pairs = append(pairs, pair{"reason", u.Reason})
	}
	return s.printPairs(append(pairs, pair{"organization", s.orgName})...)
}

// oneUser returns the client, the organization and the user that the argument
// names.
func (s *shell) oneUser(c *cli.Context) (api *sdk.Client, org, user string, err error) {
	named, err := argument(c, "USER")
	if err != nil {
		return nil, "", "", err
	}
	if api, org, err = s.within(c); err != nil {
		return nil, "", "", err
	}
	user, err = findUser(c.Context, api, org, named)
	return api, org, user, err
}

func (s *shell) userGet(c *cli.Context) error {
	api, org, id, err := s.oneUser(c)
	if err != nil {
		return err
	}
	u, err := api.User(c.Context, org, id)
	if err != nil {
		return err
	}
	return s.printUser(c, u)
}

func (s *shell) userActivity(c *cli.Context) error {
	api, org, id, err := s.oneUser(c)
	if err != nil {
		return err
	}
	a, err := api.UserActivity(c.Context, org, id)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(a)
	}
	seen := "never, as far as is known"
	if !a.LastSeenAt.IsZero() {
		seen = s.ago(a.LastSeenAt)
	}
	if err := s.printPairs(pair{"last seen", seen}, pair{"API keys", strconv.Itoa(len(a.APIKeys))}); err != nil {
		return err
	}
	var rows [][]string
	for _, e := range a.Recent {
		rows = append(rows, []string{s.ago(e.At), e.Action, e.ResourceType + " " + e.ResourceID, string(e.Outcome)})
	}
	return s.printTable([]string{"WHEN", "ACTION", "RESOURCE", "OUTCOME"}, rows)
}

func (s *shell) userUpdate(c *cli.Context) error {
	if c.String("name") == "" && c.String("role") == "" {
		return usageError("--name or --role is needed")
	}
	api, org, id, err := s.oneUser(c)
	if err != nil {
		return err
	}
	u, err := api.UpdateUser(c.Context, org, id, sdk.AnyVersion, sdk.UserUpdate{Name: c.String("name"), Role: c.String("role")})
	if err != nil {
		return err
	}
	return s.printUser(c, u)
}

func (s *shell) userSuspend(c *cli.Context) error {
	api, org, id, err := s.oneUser(c)
	if err != nil {
		return err
	}
	u, err := api.SuspendUser(c.Context, org, id, c.String("reason"))
	if err != nil {
		return err
	}
	return s.printUser(c, u)
}

func (s *shell) userResume(c *cli.Context) error {
	api, org, id, err := s.oneUser(c)
	if err != nil {
		return err
	}
	u, err := api.ResumeUser(c.Context, org, id)
	if err != nil {
		return err
	}
	return s.printUser(c, u)
}

func (s *shell) userRemove(c *cli.Context) error {
	api, org, id, err := s.oneUser(c)
	if err != nil {
		return err
	}
	if err := s.confirm(c, "Remove the user "+c.Args().First()+" for good?"); err != nil {
		return err
	}
	u, err := api.RemoveUser(c.Context, org, id, sdk.AnyVersion)
	if err != nil {
		return err
	}
	return s.printUser(c, u)
}

func (s *shell) userList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	all, err := collect(c, api.AllUsers(c.Context, org, sdk.UserFilter{
		State: sdk.UserState(c.String("state")), Kind: sdk.UserKind(c.String("kind")), Role: c.String("role"), EmailPrefix: c.String("email-prefix"),
	}))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(sdk.UserList{Items: all})
	}
	var rows [][]string
	for _, u := range all {
		rows = append(rows, []string{called(&u), u.Name, u.Role, string(u.State), u.ID, s.ago(u.CreatedAt)})
	}
	return s.printTable([]string{"USER", "NAME", "ROLE", "STATE", "ID", "CREATED"}, rows)
}
