package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) apikeyCommand() *cli.Command {
	return &cli.Command{
		Name: "apikey", Usage: "API keys of users and of organizations", Category: categoryTenants,
		Description: `The power of a key is its scopes, within the role of its owner.

Example:
  bulkhead apikey create ci --org acme --user ada@acme.example`,
		Subcommands: []*cli.Command{
			{
				Name: "create", Usage: "create an API key", ArgsUsage: "NAME",
				Flags: []cli.Flag{
					orgFlag(),
					&cli.StringFlag{Name: "user", Usage: "id or e-mail address of the user whose key it is (`USER`)"},
					&cli.StringSliceFlag{Name: "scope", Usage: "what the key may do, such as workflows:start; repeat for more (`SCOPE`)"},
					&cli.StringFlag{Name: "expires-in", Usage: "how long it is valid, such as 12h or 30d; for ever if absent (`DURATION`)"},
				},
				Description: `The key goes to the standard output, this once; everything else goes to the standard
error. A key without a user is the organization's own, and needs scopes. A user's key
without scopes may do all that the user may.

Examples:
  bulkhead apikey create laptop --user ada@acme.example
  export BULKHEAD_API_KEY=$(bulkhead apikey create ci --org acme --user ci@acme.example --expires-in 30d)
  bulkhead apikey create starter --org acme --scope workflows:start --scope workflows:read`,
				Action: s.apikeyCreate,
			},
			{
				Name: "list", Usage: "list API keys", Flags: []cli.Flag{orgFlag()},
				Description: `Oldest first, revoked ones too.

Example:
  bulkhead apikey list --org acme`,
				Action: s.apikeyList,
			},
			{
				Name: "revoke", Usage: "revoke an API key for good", ArgsUsage: "KEY_ID", Flags: []cli.Flag{orgFlag(), yesFlag()},
				Description: `The key stops working within moments. Asks before, unless --yes. Revoking a revoked
key is success.

Example:
  bulkhead apikey revoke key_01h455vb4pex5vsknk084sn02q --org acme`,
				Action: s.apikeyRevoke,
			},
		},
	}
}

func (s *shell) apikeyCreate(c *cli.Context) error {
	name, err := argument(c, "NAME")
	if err != nil {
		return err
	}
	in := sdk.APIKeyCreate{Name: name, Scopes: c.StringSlice("scope")}
	if text := c.String("expires-in"); text != "" {
		valid, err := parseLife(text)
		if err != nil {
			return err
		}
		in.ExpiresAt = s.env.Now().Add(valid).UTC().Truncate(time.Second)
	}
	if c.String("user") == "" && len(in.Scopes) == 0 {
		return usageError("whose key is it? Name a --user, or give a key of the organization itself a --scope")
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	if user := c.String("user"); user != "" {
		if in.UserID, err = findUser(c.Context, api, org, user); err != nil {
			return err
		}
	}
	made, err := api.CreateAPIKey(c.Context, org, in)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(made)
	}
	return s.printSecret(made.Secret,
		fmt.Sprintf("API key %s (%s) of %s, %s.\n", printable(made.APIKey.Name), printable(made.APIKey.ID), org, s.expiry(made.APIKey)),
		"Use it:\n  export BULKHEAD_API_KEY=…\n  bulkhead whoami\n")
}

// parseLife reads how long a key is valid: a duration, or a number of days, which
// is what people think in and Go's durations lack.
func parseLife(text string) (time.Duration, error) {
	const day, most = 24 * time.Hour, 100 * 365
	d, err := time.ParseDuration(text)
	if days, found := strings.CutSuffix(text, "d"); found {
		var n int
		if n, err = strconv.Atoi(days); n <= most {
			d = time.Duration(n) * day
		}
	}
	if err != nil || d <= 0 {
		return 0, usageError(fmt.Sprintf("--expires-in is a time such as 12h or 30d, not %q", text))
	}
	return d, nil
}

func (s *shell) expiry(k sdk.APIKey) string {
	if k.ExpiresAt.IsZero() {
		return "which does not expire"
	}
	return "valid until " + k.ExpiresAt.UTC().Format(time.RFC3339)
}

func (s *shell) apikeyList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	all, err := collect(api.AllAPIKeys(c.Context, org))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(sdk.APIKeyList{Items: all})
	}
	var rows [][]string
	for _, k := range all {
		rows = append(rows, []string{
			k.ID, k.Name, first(k.UserID, "(organization)"), first(strings.Join(k.Scopes, ","), "(all of the role)"),
			string(k.State), hint(k), s.ago(k.ExpiresAt), s.ago(k.CreatedAt),
		})
	}
	return s.printTable([]string{"ID", "NAME", "OWNER", "SCOPES", "STATE", "KEY", "EXPIRES", "CREATED"}, rows)
}

// hint is what of a key may be shown, to tell it from others.
func hint(k sdk.APIKey) string { return k.Prefix + "…" + k.LastFour }

func (s *shell) apikeyRevoke(c *cli.Context) error {
	id, err := argument(c, "KEY_ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	if !c.Bool("yes") {
		k, err := api.APIKey(c.Context, org, id)
		if err != nil {
			return err
		}
		question := fmt.Sprintf("Revoke API key %s of %s (%s) for good?", printable(k.Name), org, printable(hint(*k)))
		if err := s.confirm(c, question); err != nil {
			return err
		}
	}
	k, err := api.RevokeAPIKey(c.Context, org, id)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(k)
	}
	return s.printPairs(pair{"key", k.ID}, pair{"name", k.Name}, pair{"state", string(k.State)}, pair{"revoked", s.moment(k.RevokedAt)})
}
