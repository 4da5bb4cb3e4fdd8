package cli

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) whoamiCommand() *cli.Command {
	return &cli.Command{
		Name: "whoami", Usage: "show who the API key belongs to and what it may do", Category: categoryKey,
		Description: `What the key may do is its scopes within its owner's role, as they are now.

Example:
  bulkhead whoami`,
		Action: func(c *cli.Context) error {
			if _, err := arguments(c); err != nil {
				return err
			}
			api, err := s.client(c)
			if err != nil {
				return err
			}
			me, err := api.Whoami(c.Context)
			if err != nil {
				return err
			}
			if asJSON(c) {
				return s.printJSON(me)
			}
			return s.printPairs(
				pair{"organization", fmt.Sprintf("%s (%s)", me.Organization.Slug, me.Organization.ID)},
				pair{"key of", "the " + string(me.Kind)}, pair{"user", me.UserID}, pair{"key", me.APIKeyID}, pair{"role", me.Role},
				pair{"may", strings.Join(me.Permissions, " ")},
			)
		},
	}
}

func (s *shell) tokenCommand() *cli.Command {
	return &cli.Command{
		Name: "token", Usage: "get a token for Temporal itself", Category: categoryKey,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "org", Usage: "slug or id of the organization; $BULKHEAD_ORG, else the key's own (`ORG`)"},
			&cli.StringFlag{Name: "access", Usage: "read or write; write if absent (`ACCESS`)"},
		},
		Description: `The token goes to the standard output. Temporal accepts it for a few minutes, for one
namespace. Workers made with the SDK need no such step.

Example, without TLS, as under "make run"; for NAMESPACE see "bulkhead org show", or
--output json:
  temporal workflow list --address 127.0.0.1:7233 --tls=false \
    --namespace NAMESPACE --api-key "$(bulkhead token --access read)"`,
		Action: s.token,
	}
}

func (s *shell) token(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	access := c.String("access")
	if access != "" && !sdk.TokenRequestAccess(access).Valid() {
		return usageError(fmt.Sprintf("--access is read or write, not %q", access))
	}
	api, err := s.client(c)
	if err != nil {
		return err
	}
	s.orgName = s.namedOrg(c)
	t, err := api.Token(c.Context, sdk.TokenRequest{Organization: s.orgName, Access: sdk.TokenRequestAccess(access)})
	if problem, ok := errors.AsType[*sdk.Error](err); ok && problem.Code == org.ErrReserved.Code && s.orgName == "" {
		return errPlatformKey()
	}
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(t)
	}
	s.say("%s access to namespace %s at %s, until %s\n",
		t.Access, printable(t.Namespace), printable(t.TemporalAddress), t.ExpiresAt.UTC().Format(time.RFC3339))
	_, err = fmt.Fprintln(s.env.Out, t.Token)
	return err
}

func (s *shell) versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "show the release of this program",
		Description: `That of the server is at its address /version.

Example:
  bulkhead version`,
		Action: func(c *cli.Context) error {
			if _, err := arguments(c); err != nil {
				return err
			}
			v := sdk.Version{Version: first(s.deps.Version, "dev"), Go: runtime.Version()}
			if asJSON(c) {
				return s.printJSON(v)
			}
			_, err := fmt.Fprintf(s.env.Out, "%s %s (%s)\n", programName, v.Version, v.Go)
			return err
		},
	}
}
