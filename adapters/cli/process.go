package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"
)

// The categories of commands on the first page of the help.
const (
	categoryTenants = "Organizations and what is in them"
	categoryKey     = "The API key"
	categoryServe   = "Running Bulkhead"
)

// What commands that run Bulkhead read from the environment.
const (
	neededByProcesses = `Needs:
  BULKHEAD_DATABASE_URL, BULKHEAD_DATABASE_AUTH_URL
  BULKHEAD_API_KEY_PEPPERS, BULKHEAD_ENCRYPTION_KEYS
  BULKHEAD_TEMPORAL_ADDRESS, unless it is 127.0.0.1:7233
The README has these and all others: "Run it for real".`
	neededByMigrations = `Needs BULKHEAD_DATABASE_OWNER_URL.`
)

func (s *shell) serverCommand() *cli.Command {
	return &cli.Command{
		Name: "server", Usage: "serve the API", Category: categoryServe,
		Description: `Serves until it is told to end, and then finishes what is under way.

` + neededByProcesses + `

Example:
  bulkhead server`,
		Action: func(c *cli.Context) error {
			if _, err := arguments(c); err != nil {
				return err
			}
			return s.deps.Server(c.Context)
		},
	}
}

func (s *shell) workerCommand() *cli.Command {
	return &cli.Command{
		Name: "worker", Usage: "do the control plane's own work, such as provisioning", Category: categoryServe,
		Description: `Runs Bulkhead's own workflows until it is told to end. The workers of tenants are
programs of your own, made with the SDK.

` + neededByProcesses + `

Example:
  bulkhead worker`,
		Action: func(c *cli.Context) error {
			if _, err := arguments(c); err != nil {
				return err
			}
			return s.deps.Worker(c.Context)
		},
	}
}

func (s *shell) migrateCommand() *cli.Command {
	return &cli.Command{
		Name: "migrate", Usage: "change the database's schema", Category: categoryServe,
		Description: `The migrations are in the program. Several may run at once: one works, the others wait.
` + neededByMigrations + ` What else "init" needs is in its help.

Example:
  bulkhead migrate init && bulkhead migrate up`,
		Subcommands: []*cli.Command{
			{
				Name: "init", Usage: "create the database and its roles",
				Description: `Doing it again is harmless.

Needs:
  BULKHEAD_DATABASE_ADMIN_URL, of a superuser
  BULKHEAD_DATABASE_URL, BULKHEAD_DATABASE_AUTH_URL, BULKHEAD_DATABASE_OWNER_URL and
  BULKHEAD_DATABASE_DUMP_URL, which name the four roles

Example:
  bulkhead migrate init`,
				Action: s.migration(s.deps.Migrations.Init, "the database and its roles are there"),
			},
			{
				Name: "up", Usage: "apply what is missing",
				Description: `Applies every migration that is not yet applied, in order.
` + neededByMigrations + `

Example:
  bulkhead migrate up`,
				Action: s.migration(s.deps.Migrations.Up, "the schema is up to date"),
			},
			{
				Name: "down", Usage: "take the last migration back", Flags: []cli.Flag{yesFlag()},
				Description: `What the migration added is lost, with the data in it. Asks before, unless --yes.
` + neededByMigrations + `

Example:
  bulkhead migrate down`,
				Action: s.migrateDown,
			},
			{
				Name: "status", Usage: "show which migrations are applied",
				Description: `Changes nothing. ` + neededByMigrations + `

Example:
  bulkhead migrate status`,
				Action: s.migrateStatus,
			},
			{
				Name: "check", Usage: "check what keeps the tenants apart",
				Description: `Asks the database whether every table has its row-level security and nobody a right
too many: after a restore, or after somebody has worked on the database by hand.
Changes nothing. Exit code 5 when something is wrong. ` + neededByMigrations + `

Example:
  bulkhead migrate check`,
				Action: s.migrateCheck,
			},
			{
				Name: "to", Usage: "go to a migration, up or down", ArgsUsage: "NUMBER", Flags: []cli.Flag{yesFlag()},
				Description: `Going down asks before, unless --yes. Number 0 is the empty schema.
` + neededByMigrations + `

Example:
  bulkhead migrate to 5`,
				Action: s.migrateTo,
			},
		},
	}
}

// migration runs a migration that needs no question, and says that it is done.
func (s *shell) migration(run func(ctx context.Context) error, done string) cli.ActionFunc {
	return func(c *cli.Context) error {
		if _, err := arguments(c); err != nil {
			return err
		}
		if err := run(c.Context); err != nil {
			return err
		}
		s.say("%s\n", done)
		return nil
	}
}

func (s *shell) migrateDown(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	status, err := s.deps.Migrations.Status(c.Context)
	if err != nil {
		return err
	}
	if status.Current == 0 {
		return &failure{code: exitConflict, message: "no migration is applied"}
	}
	if err := s.confirm(c, fmt.Sprintf("Take back migration %s? What it added is lost.", status.name(status.Current))); err != nil {
		return err
	}
	if err := s.deps.Migrations.Down(c.Context); err != nil {
		return err
	}
	s.say("migration %s is taken back\n", status.name(status.Current))
	return nil
}

func (s *shell) migrateTo(c *cli.Context) error {
	given, err := argument(c, "NUMBER")
	if err != nil {
		return err
	}
	to, err := strconv.Atoi(given)
	if err != nil || to < 0 {
		return usageError(fmt.Sprintf("%q is not the number of a migration", given))
	}
	status, err := s.deps.Migrations.Status(c.Context)
	if err != nil {
		return err
	}
	if to > status.Latest {
		return usageError(fmt.Sprintf("there is no migration %d; the latest is %d", to, status.Latest))
	}
	if to < status.Current {
		question := fmt.Sprintf("Go down from migration %d to %d? What those after %[2]d added is lost.", status.Current, to)
		if err := s.confirm(c, question); err != nil {
			return err
		}
	}
	if err := s.deps.Migrations.To(c.Context, to); err != nil {
		return err
	}
	s.say("the schema is at migration %d\n", to)
	return nil
}

func (s *shell) migrateStatus(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	status, err := s.deps.Migrations.Status(c.Context)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(status)
	}
	var rows [][]string
	for _, m := range status.Migrations {
		state := "missing"
		if m.Applied {
			state = "applied"
		}
		rows = append(rows, []string{strconv.Itoa(m.Number), m.Name, state})
	}
	if err := s.printTable([]string{"NUMBER", "NAME", "STATE"}, rows); err != nil {
		return err
	}
	if status.Current < status.Latest {
		s.say("\nApply what is missing:\n  bulkhead migrate up\n")
	}
	return nil
}

func (s *shell) migrateCheck(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	found, err := s.deps.Migrations.Check(c.Context)
	if err != nil {
		return err
	}
	if asJSON(c) {
		if found == nil {
			found = []Violation{} // an empty list, not null
		}
		err = s.printJSON(struct {
			Violations []Violation `json:"violations"`
		}{found})
	} else if len(found) > 0 {
		rows := make([][]string, len(found))
		for i, v := range found {
			rows[i] = []string{v.Rule, v.By}
		}
		err = s.printTable([]string{"RULE", "BROKEN BY"}, rows)
	}
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return &failure{code: exitConflict, message: "the schema does not keep the tenants apart as it should"}
	}
	if !asJSON(c) {
		s.say("the schema is sound\n")
	}
	return nil
}

// name returns a migration's number and name.
func (m MigrationStatus) name(number int) string {
	for _, one := range m.Migrations {
		if one.Number == number {
			return fmt.Sprintf("%d (%s)", number, one.Name)
		}
	}
	return strconv.Itoa(number)
}

func (s *shell) bootstrapCommand() *cli.Command {
	return &cli.Command{
		Name: "bootstrap", Usage: "create the first operator and the worker's key", Category: categoryServe,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "new-key", Usage: "make another key for the operator, if the first is lost"}},
		Description: `Works on the database itself, as nobody could be asked for a key yet. Where there
is an operator it changes nothing and says so. The keys are shown this once. With
--new-key the key goes to the standard output alone.

Needs:
  BULKHEAD_DATABASE_URL, BULKHEAD_DATABASE_AUTH_URL
  BULKHEAD_API_KEY_PEPPERS

Examples:
  bulkhead bootstrap
  bulkhead bootstrap --output json
  export BULKHEAD_API_KEY=$(bulkhead bootstrap --new-key)`,
		Action: s.bootstrap,
	}
}

func (s *shell) bootstrap(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	made, err := s.deps.Bootstrap(c.Context, BootstrapOptions{NewKey: c.Bool("new-key")})
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(made)
	}
	if made.OperatorKey == "" {
		s.say("There is an operator already; nothing was changed.\nIf the key is lost, make another:\n  bulkhead bootstrap --new-key\n")
		return nil
	}
	if c.Bool("new-key") {
		return s.printSecret(made.OperatorKey, "A new key of the operator.\n", "Use it:\n  export BULKHEAD_API_KEY=…\n  bulkhead whoami\n")
	}
	if err := s.printPairs(pair{"operator key", made.OperatorKey}, pair{"worker key", made.WorkerKey}); err != nil {
		return err
	}
	s.say("\nThis is the only time that it is shown. Keep it like a password.\n\nUse the operator key, and create an organization:\n" +
		"  export BULKHEAD_API_KEY=…\n  bulkhead org create acme --admin-email ada@acme.example\n")
	return nil
}
