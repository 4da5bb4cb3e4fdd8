package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

const exampleKey = "key_01h455vb4pex5vsknk084sn02q"

// parseMetadata reads NAME=VALUE.
func parseMetadata(in []string) (map[string]string, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(in))
	for _, one := range in {
		name, value, found := strings.Cut(one, "=")
		if !found || name == "" {
			return nil, usageError(fmt.Sprintf("--metadata is NAME=VALUE, not %q", one))
		}
		out[name] = value
	}
	return out, nil
}

// printKey prints all that may be shown of a key.
func (s *shell) printKey(c *cli.Context, k *sdk.APIKey) error {
	if asJSON(c) {
		return s.printJSON(k)
	}
	pairs := []pair{
		{"key", k.ID},
		{"name", k.Name},
		{"description", k.Description},
		{"owner", first(k.UserID, "(organization)")},
		{"scopes", first(strings.Join(k.Scopes, ","), "(all of the role)")},
		{"allowed from", strings.Join(k.AllowedIPs, ",")},
		{"state", string(k.State)},
		{"secret", hint(*k) + secretEnd(s, k)},
		{"last used", s.moment(k.LastUsedAt)},
	}
	if own := ownRequests(k); own != "" {
		pairs = append(pairs, pair{"requests", own})
	}
	if old := k.OldSecret; old.Prefix != "" {
		pairs = append(pairs, pair{"old secret", old.Prefix + "…" + old.LastFour + ", " + first(strings.TrimPrefix(secretEnd(s, k), ", "), oldLife(s, old))}, pair{"old one used", s.moment(old.LastUsedAt)})
	}
	pairs = append(pairs, sortedPairs("metadata", k.Metadata, func(v string) string { return v })...)
	return s.printPairs(append(pairs,
		pair{"expires", s.moment(k.ExpiresAt)}, pair{"revoked", s.moment(k.RevokedAt)}, pair{"created", s.moment(k.CreatedAt)})...)
}

// secretEnd says of all secrets of a key that they have ended, if they have: with it.
func secretEnd(s *shell, k *sdk.APIKey) string {
	if k.State == sdk.APIKeyStateRevoked || (!k.ExpiresAt.IsZero() && !k.ExpiresAt.After(s.env.Now())) {
		return ", ended"
	}
	return ""
}

// oldLife says until when an old secret lives.
func oldLife(s *shell, old sdk.OldSecret) string {
	switch {
	case !old.Live:
		return "ended"
	case old.UntilSeen && old.ExpiresAt.IsZero():
		return "until the new one is used"
	case old.UntilSeen:
		return "until the new one is used, or " + s.moment(old.ExpiresAt)
	}
	return "until " + s.moment(old.ExpiresAt)
}

func (s *shell) apikeyGet(c *cli.Context) error {
	id, err := argument(c, "KEY_ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	k, err := api.APIKey(c.Context, org, id)
	if err != nil {
		return err
	}
	return s.printKey(c, k)
}

func (s *shell) apikeyUpdateFlags() []cli.Flag {
	return []cli.Flag{
		orgFlag(),
		&cli.StringFlag{Name: "name", Usage: "another name (`NAME`)"},
		&cli.StringFlag{Name: "description", Usage: "what it is for; empty to remove it (`TEXT`)"},
		&cli.StringSliceFlag{Name: "scope", Usage: "all that the key may do; repeat for more, or \"\" for all that its user's role allows (`SCOPE`)"},
		&cli.StringSliceFlag{Name: "allow-ip", Usage: "all addresses and networks it can be used from; repeat for more, or \"\" for everywhere (`CIDR`)"},
		&cli.StringSliceFlag{Name: "metadata", Usage: "all notes of your own; repeat for more (`NAME=VALUE`)"},
		&cli.StringFlag{Name: "requests", Usage: requestsUsage + "; \"\" for no limit of its own"},
		&cli.StringFlag{Name: "expires-in", Usage: "how long it is valid from now on, such as 12h or 30d (`DURATION`)"},
		&cli.BoolFlag{Name: "never-expires", Usage: "let it not end by itself"},
	}
}

func (s *shell) apikeyUpdate(c *cli.Context) error {
	id, err := argument(c, "KEY_ID")
	if err != nil {
		return err
	}
	in, err := s.readAPIKeyUpdate(c)
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	k, err := api.APIKey(c.Context, org, id)
	if err != nil {
		return err
	}
	if k, err = api.UpdateAPIKey(c.Context, org, id, k.Etag, in); err != nil {
		return err
	}
	return s.printKey(c, k)
}

// readAPIKeyUpdate reads the flags that were given.
func (s *shell) readAPIKeyUpdate(c *cli.Context) (in sdk.APIKeyUpdate, err error) {
	if c.NumFlags() == 0 || (c.NumFlags() == 1 && c.IsSet("org")) {
		return in, usageError("what is to change? Name a flag, such as --name")
	}
	if c.IsSet("name") {
		in.Name = new(c.String("name"))
	}
	if c.IsSet("description") {
		in.Description = new(c.String("description"))
	}
	if c.IsSet("scope") {
		in.Scopes = new(withoutEmpty(c.StringSlice("scope")))
	}
	if c.IsSet("requests") {
		own, err := parseRequests(c.String("requests"))
		if err != nil {
			return in, err
		}
		in.Limits = &own
	}
	if c.IsSet("allow-ip") {
		in.AllowedIPs = new(withoutEmpty(c.StringSlice("allow-ip")))
	}
	if c.IsSet("metadata") {
		m, err := parseMetadata(withoutEmpty(c.StringSlice("metadata")))
		if err != nil {
			return in, err
		}
		if m == nil {
			m = map[string]string{}
		}
		in.Metadata = &m
	}
	in.NeverExpires = c.Bool("never-expires")
	if text := c.String("expires-in"); text != "" {
		valid, err := parseLife("--expires-in", text)
		if err != nil {
			return in, err
		}
		in.ExpiresAt = s.env.Now().Add(valid).UTC().Truncate(time.Second)
	}
	return in, nil
}

func withoutEmpty(in []string) []string {
	out := []string{}
	for _, s := range in {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (s *shell) apikeyRotate(c *cli.Context) error {
	id, err := argument(c, "KEY_ID")
	if err != nil {
		return err
	}
	in := sdk.APIKeyRotate{UntilSeen: c.Bool("until-seen")}
	if text := c.String("grace"); text != "" {
		var grace time.Duration
		if text != "0" && text != "0s" {
			if grace, err = parseLife("--grace", text); err != nil {
				return err
			}
		}
		in.Grace = new(int32(min(grace/time.Second, math.MaxInt32))) // the API knows the bound
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	if in.Grace != nil && *in.Grace == 0 && !c.Bool("yes") {
		if err := s.confirm(c, fmt.Sprintf("End all present secrets of API key %s of %s at once?", printable(id), org)); err != nil {
			return err
		}
	}
	made, err := api.RotateAPIKey(c.Context, org, id, in)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(made)
	}
	return s.printSecret(made.Secret,
		fmt.Sprintf("A new secret of API key %s (%s); the old one: %s.\n", printable(made.APIKey.Name), printable(made.APIKey.ID), oldLife(s, made.APIKey.OldSecret)),
		"Use it:\n  export BULKHEAD_API_KEY=…\n  bulkhead whoami\n")
}

// apikeySwitchCommand is a command that does one thing to one key.
func (s *shell) apikeySwitchCommand(name, usage string, do func(*sdk.Client, context.Context, string, string) (*sdk.APIKey, error)) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, ArgsUsage: "KEY_ID", Flags: []cli.Flag{orgFlag()},
		Description: "Takes effect within moments.\n\nExample:\n  bulkhead apikey " + name + " " + exampleKey + " --org acme",
		Action: func(c *cli.Context) error {
			id, err := argument(c, "KEY_ID")
			if err != nil {
				return err
			}
			api, org, err := s.within(c)
			if err != nil {
				return err
			}
			k, err := do(api, c.Context, org, id)
			if err != nil {
				return err
			}
			return s.printKey(c, k)
		},
	}
}

func (s *shell) apikeyDelete(c *cli.Context) error {
	id, err := argument(c, "KEY_ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	k, err := api.APIKey(c.Context, org, id)
	if err != nil {
		return err
	}
	if err := s.confirm(c, fmt.Sprintf("Delete API key %s (%s) of %s?", printable(k.Name), printable(k.ID), org)); err != nil {
		return err
	}
	if err := api.DeleteAPIKey(c.Context, org, id, k.Etag); err != nil { // what is deleted is what was asked about
		return err
	}
	if asJSON(c) {
		return s.printJSON(struct {
			ID      string `json:"id"`
			Deleted bool   `json:"deleted"`
		}{id, true})
	}
	return s.printPairs(pair{"key", id}, pair{"state", "deleted"})
}

// readKey reads one key from the standard input.
func (s *shell) readKey() (string, error) {
	if s.env.InTerminal {
		s.say("Paste the key, and press Enter:\n")
	}
	line, err := readLine(s.env.In)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the key: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", usageError("the key is read from the standard input, which is empty")
	}
	return line, nil
}

func (s *shell) apikeyVerify(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, err := s.client(c)
	if err != nil {
		return err
	}
	key, err := s.readKey()
	if err != nil {
		return err
	}
	v, err := api.VerifyAPIKey(c.Context, sdk.VerifyRequest{Key: key, Permissions: c.StringSlice("permission"), IP: c.String("ip")})
	if err != nil {
		return err
	}
	if asJSON(c) {
		err = s.printJSON(v)
	} else {
		err = s.printPairs(pair{"code", string(v.Code)}, pair{"key", v.Actor.APIKeyID}, pair{"user", v.Actor.UserID}, pair{"role", v.Actor.Role},
			pair{"organization", v.Organization.Slug}, pair{"permissions", strings.Join(v.Permissions, ",")}, pair{"expires", s.moment(v.ExpiresAt)})
	}
	if err == nil && !v.Valid {
		return &failure{code: exitConflict, message: "the key is not valid: " + string(v.Code)}
	}
	return err
}

func (s *shell) apikeyReportLeak(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, err := s.client(c)
	if err != nil {
		return err
	}
	key, err := s.readKey()
	if err != nil {
		return err
	}
	r, err := api.ReportLeakedAPIKey(c.Context, sdk.LeakReport{Key: key})
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(r)
	}
	if !r.Found {
		return s.printPairs(pair{"found", "no: it is no key of this deployment"})
	}
	return s.printPairs(pair{"found", "yes"}, pair{"key", r.APIKey.ID}, pair{"organization", r.APIKey.OrganizationID},
		pair{"name", r.APIKey.Name}, pair{"state", string(r.APIKey.State)})
}

func (s *shell) apikeyPeppers(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	peppers, err := s.deps.Peppers(c.Context)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(map[string]any{"items": peppers})
	}
	var rows [][]string
	for _, p := range peppers {
		rows = append(rows, []string{strconv.Itoa(p.Version), strconv.FormatInt(p.Secrets, 10), strconv.FormatBool(p.Configured)})
	}
	return s.printTable([]string{"VERSION", "SECRETS", "CONFIGURED"}, rows)
}
