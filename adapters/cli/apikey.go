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
					&cli.StringFlag{Name: "user", Usage: "whose key it is: an id, usr_…, or an e-mail address, which takes users:read to find (`USER`)"},
					&cli.StringSliceFlag{Name: "scope", Usage: "what the key may do, such as workflows:start; repeat for more (`SCOPE`)"},
					&cli.StringFlag{Name: "expires-in", Usage: "how long it is valid, such as 12h or 30d; as the organization says if absent (`DURATION`)"},
					&cli.StringFlag{Name: "description", Usage: "what it is for (`TEXT`)"},
					&cli.StringSliceFlag{Name: "allow-ip", Usage: "address or network it can be used from; repeat for more (`CIDR`)"},
					&cli.StringFlag{Name: "requests", Usage: requestsUsage},
					&cli.StringSliceFlag{Name: "metadata", Usage: "a note of your own; repeat for more (`NAME=VALUE`)"},
				},
				Description: `The key goes to the standard output, this once; everything else goes to the standard
error. A key without a user is the organization's own, and needs scopes. A user's key
without scopes may do all that the user may.

Examples:
  bulkhead apikey create laptop --user ada@acme.example
  export BULKHEAD_API_KEY=$(bulkhead apikey create ci --org acme --user ci@acme.example --expires-in 30d)
  bulkhead apikey create starter --org acme --scope workflows:start --scope workflows:read --requests 100/1m/10`,
				Action: s.apikeyCreate,
			},
			{
				Name: "list", Usage: "list API keys",
				Flags: []cli.Flag{
					orgFlag(),
					&cli.StringFlag{Name: "user", Usage: "only those of this user, by id or e-mail address (`USER`)"},
					&cli.StringFlag{Name: "state", Usage: "only those that are active, disabled or revoked (`STATE`)"},
					&cli.BoolFlag{Name: "expires-soon", Usage: "only those that expire within 30 days"},
					limitFlag("keys to list", 0),
				},
				Description: `Oldest first, revoked ones too.

Examples:
  bulkhead apikey list --org acme
  bulkhead apikey list --org acme --expires-soon`,
				Action: s.apikeyList,
			},
			{
				Name: "get", Aliases: []string{"show"}, Usage: "show an API key", ArgsUsage: "KEY_ID", Flags: []cli.Flag{orgFlag()},
				Description: `Everything but the secret, which nobody can show.

Example:
  bulkhead apikey get ` + exampleKey + ` --org acme`,
				Action: s.apikeyGet,
			},
			{
				Name: "update", Usage: "change an API key", ArgsUsage: "KEY_ID", Flags: s.apikeyUpdateFlags(),
				Description: `What is not named stays.

Examples:
  bulkhead apikey update ` + exampleKey + ` --name deploy --expires-in 90d
  bulkhead apikey update ` + exampleKey + ` --allow-ip 192.0.2.0/24 --allow-ip 2001:db8::7`,
				Action: s.apikeyUpdate,
			},
			{
				Name: "rotate", Usage: "give an API key a new secret", ArgsUsage: "KEY_ID",
				Flags: []cli.Flag{
					orgFlag(), yesFlag(),
					&cli.StringFlag{Name: "grace", Usage: "how long the old secret lives on, such as 2h or 7d; a day if absent, at once if 0s (`DURATION`)"},
					&cli.BoolFlag{Name: "until-seen", Usage: "end the old secret when the new one is first used"},
				},
				Description: `The new key goes to the standard output, this once. With --until-seen alone the old
secret lives until the new one was used, whenever that is. A key has two live secrets
at most. Asks before the old secret ends at once, unless --yes.

Examples:
  bulkhead apikey rotate ` + exampleKey + ` --until-seen
  bulkhead apikey rotate ` + exampleKey + ` --grace 0s --yes`,
				Action: s.apikeyRotate,
			},
			s.apikeySwitchCommand("disable", "switch an API key off, reversibly", (*sdk.Client).DisableAPIKey),
			s.apikeySwitchCommand("enable", "switch an API key on again", (*sdk.Client).EnableAPIKey),
			{
				Name: "revoke", Usage: "revoke an API key for good", ArgsUsage: "KEY_ID", Flags: []cli.Flag{orgFlag(), yesFlag()},
				Description: `The key stops working within moments. Asks before, unless --yes. Revoking a revoked
key is success.

Example:
  bulkhead apikey revoke key_01h455vb4pex5vsknk084sn02q --org acme`,
				Action: s.apikeyRevoke,
			},
			{
				Name: "delete", Usage: "remove an API key that is revoked or has expired", ArgsUsage: "KEY_ID", Flags: []cli.Flag{orgFlag(), yesFlag()},
				Description: `What the audit trail says of it stays. Asks before, unless --yes.

Example:
  bulkhead apikey delete ` + exampleKey + ` --org acme`,
				Action: s.apikeyDelete,
			},
			{
				Name: "verify", Usage: "say what a key is worth that was presented to you",
				Flags: []cli.Flag{
					&cli.StringSliceFlag{Name: "permission", Usage: "what the key is to be allowed to do; repeat for more (`PERMISSION`)"},
					&cli.StringFlag{Name: "ip", Usage: "the address it was presented from (`ADDRESS`)"},
				},
				Description: `Reads the key from the standard input, never from the command line. Fails with the
exit code of a conflict when the key is not valid.

Example:
  bulkhead apikey verify --permission workflows:start < key.txt`,
				Action: s.apikeyVerify,
			},
			{
				Name: "report-leak", Usage: "revoke a key that has leaked, whose ever it is",
				Description: `For operators. Reads the key from the standard input, never from the command line.

Example:
  bulkhead apikey report-leak < key.txt`,
				Action: s.apikeyReportLeak,
			},
			{
				Name: "peppers", Usage: "count the keys under each pepper",
				Description: `Works on the database itself. A version without secrets can be taken out of the
configuration.

Needs:
  BULKHEAD_DATABASE_URL, BULKHEAD_DATABASE_AUTH_URL
  BULKHEAD_API_KEY_PEPPERS

Example:
  bulkhead apikey peppers`,
				Action: s.apikeyPeppers,
			},
		},
	}
}

func (s *shell) apikeyCreate(c *cli.Context) error {
	name, err := argument(c, "NAME")
	if err != nil {
		return err
	}
	in := sdk.APIKeyCreate{
		Name: name, Description: c.String("description"), Scopes: c.StringSlice("scope"), AllowedIPs: c.StringSlice("allow-ip"),
	}
	if in.Metadata, err = parseMetadata(c.StringSlice("metadata")); err != nil {
		return err
	}
	if in.Limits, err = parseRequests(c.String("requests")); err != nil {
		return err
	}
	if text := c.String("expires-in"); text != "" {
		valid, err := parseLife("--expires-in", text)
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
func parseLife(flag, text string) (time.Duration, error) {
	const day, most = 24 * time.Hour, 100 * 365
	d, err := time.ParseDuration(text)
	if days, found := strings.CutSuffix(text, "d"); found {
		var n int
		if n, err = strconv.Atoi(days); n <= most {
			d = time.Duration(n) * day
		}
	}
	if err != nil || d <= 0 {
		return 0, usageError(fmt.Sprintf("%s is a time such as 12h or 30d, not %q", flag, text))
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
	filter := sdk.APIKeyFilter{State: sdk.APIKeyState(c.String("state")), ExpiresSoon: c.Bool("expires-soon")}
	if user := c.String("user"); user != "" {
		if filter.User, err = findUser(c.Context, api, org, user); err != nil {
			return err
		}
	}
	all, err := collect(c, api.AllAPIKeys(c.Context, org, filter))
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
			string(k.State), hint(k), s.ago(k.ExpiresAt), s.ago(k.LastUsedAt), s.ago(k.CreatedAt),
		})
	}
	return s.printTable([]string{"ID", "NAME", "OWNER", "SCOPES", "STATE", "KEY", "EXPIRES", "USED", "CREATED"}, rows)
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
	return s.printKey(c, k)
}
