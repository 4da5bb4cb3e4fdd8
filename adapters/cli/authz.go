package cli

import (
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) authzCommand() *cli.Command {
	return &cli.Command{
		Name: "authz", Usage: "why somebody may or may not do something", Category: categoryTenants,
		Description: `What decides is the role, the scopes of the key, the address that it is used from, or the
state of the key, its user or their organization.

Example:
  bulkhead authz explain workflows:start`,
		Subcommands: []*cli.Command{{
			Name: "explain", Usage: "explain a decision", ArgsUsage: "PERMISSION",
			Flags: []cli.Flag{
				orgFlag(),
				&cli.StringFlag{Name: "actor", Usage: "id of the user or API key that it is about; the key in use if absent (`ID`)"},
				&cli.StringFlag{Name: "ip", Usage: "address that the key is used from; for the key in use that of this request if absent (`ADDRESS`)"},
				&cli.BoolFlag{Name: "platform", Usage: "on the platform as a whole, not in an organization"},
			},
			Description: `By the very decisions that requests are met with. Exits 0 whatever the answer is.

Examples:
  bulkhead authz explain workflows:start --org acme
  bulkhead authz explain users:create --actor ` + exampleKey + ` --ip 192.0.2.7
  bulkhead authz explain organizations:create --platform`,
			Action: s.authzExplain,
		}},
	}
}

func (s *shell) authzExplain(c *cli.Context) error {
	q := sdk.Question{Actor: c.String("actor"), IP: c.String("ip"), Resource: "platform"}
	var err error
	if q.Action, err = argument(c, "PERMISSION"); err != nil {
		return err
	}
	api, err := s.client(c)
	if err != nil {
		return err
	}
	if !c.Bool("platform") {
		if q.Resource, err = s.org(c, api); err != nil {
			return err
		}
	}
	e, err := api.Explain(c.Context, q)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(e)
	}
	allowed := "no"
	if e.Allowed {
		allowed = "yes"
	}
	return s.printPairs(
		pair{"allowed", allowed}, pair{"decided by", string(e.DecidedBy)}, pair{"reason", e.Reason}, pair{"missing", e.Permission}, pair{"role", e.Role},
		pair{"scopes", first(strings.Join(e.Scopes, " "), "(all of the role)")},
		pair{"key", e.States.APIKey}, pair{"user", e.States.User}, pair{"organization", e.States.Organization},
		pair{"resource", e.States.Resource}, pair{"in temporal", e.TemporalPermission},
	)
}
