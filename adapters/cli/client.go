package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/sdk"
)

const defaultURL = "http://127.0.0.1:7400"

// client returns a client of the API. The key comes from the environment or a
// file, never from a flag: other users see the arguments of a process, and the
// shell remembers them.
func (s *shell) client(c *cli.Context) (*sdk.Client, error) {
	s.url = first(c.String("url"), s.env.Getenv("BULKHEAD_URL"), defaultURL)
	key, err := s.apiKey(c.String("api-key-file"))
	if err != nil {
		return nil, err
	}
	cfg := sdk.Config{URL: s.url, UserAgent: "bulkhead-cli/" + first(s.deps.Version, "dev"), MaxPause: longestPause, OnPause: s.sayPause}
	if _, err := sdk.New(cfg); err != nil {
		// Without the key first: what is wrong then is the address.
		return nil, &failure{code: exitUsage, message: err.Error(), hint: "Set it by --url or BULKHEAD_URL."}
	}
	cfg.APIKey = key
	api, err := sdk.New(cfg)
	if err != nil {
		return nil, &failure{code: exitUsage, message: err.Error(), hint: "Set it by BULKHEAD_API_KEY, or name a file by --api-key-file."}
	}
	if word := s.env.Getenv("BULKHEAD_IDEMPOTENCY_KEY"); word != "" {
		c.Context = sdk.WithIdempotencyKey(c.Context, word)
	}
	return api, nil
}

// longestPause is the longest that a command waits until it asks again: who waits
// longer had better know, and decide.
const longestPause = 10 * time.Second

// sayPause says what a command waits for.
func (s *shell) sayPause(why error, pause time.Duration) {
	var problem *sdk.Error
	if s.json || !errors.As(why, &problem) {
		return
	}
	s.say("waiting %s: %s\n", pause, printable(problem.Detail))
}

// maxKeyFile is more than any file with a key has.
const maxKeyFile = 4096

func (s *shell) apiKey(file string) (string, error) {
	if file == "" {
		if key := s.env.Getenv("BULKHEAD_API_KEY"); key != "" {
			return key, nil
		}
		return "", &failure{code: exitDenied, message: "there is no API key", hint: "Set BULKHEAD_API_KEY, or name a file by --api-key-file."}
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read the API key: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return "", fmt.Errorf("read the API key: %w", err)
	}
	key := strings.TrimSpace(string(text))
	if key == "" {
		return "", &failure{code: exitDenied, message: "there is no API key in " + file}
	}
	return key, nil
}

// orgFlag chooses the organization of a command.
func orgFlag() cli.Flag {
	return &cli.StringFlag{Name: "org", Usage: "slug or id of the organization; $BULKHEAD_ORG, else the key's own (`ORG`)"}
}

// namedOrg returns the organization that is named, or "".
func (s *shell) namedOrg(c *cli.Context) string {
	return first(c.String("org"), s.env.Getenv("BULKHEAD_ORG"))
}

// errPlatformKey says that a key alone does not tell the organization that is meant.
func errPlatformKey() *failure {
	return usageError("--org is needed, as the key belongs to the platform")
}

// org returns the organization that is meant.
func (s *shell) org(c *cli.Context, api *sdk.Client) (string, error) {
	if named := s.namedOrg(c); named != "" {
		return named, nil
	}
	me, err := api.Whoami(c.Context)
	if err != nil {
		return "", err
	}
	if me.Organization.Slug == org.SystemSlug {
		// Hardly ever what an operator means, and then it can be said.
		return "", errPlatformKey()
	}
	return me.Organization.Slug, nil
}

// within returns the client and the organization that is meant.
func (s *shell) within(c *cli.Context) (*sdk.Client, string, error) {
	api, err := s.client(c)
	if err != nil {
		return nil, "", err
	}
	s.orgName, err = s.org(c, api)
	return api, s.orgName, err
}

const userIDPrefix = "usr_"

// findUser returns the id of a user who is named by id or e-mail address.
func findUser(ctx context.Context, api *sdk.Client, org, named string) (string, error) {
	if strings.HasPrefix(named, userIDPrefix) {
		return named, nil
	}
	if !strings.Contains(named, "@") {
		return "", usageError(fmt.Sprintf("a user is named by id, usr_…, or by e-mail address, and not by %q", named))
	}
	for u, err := range api.AllUsers(ctx, org, sdk.UserFilter{EmailPrefix: named}) {
		var problem *sdk.Error
		if errors.As(err, &problem) && sdk.IsForbidden(err) {
			return "", &failure{
				code: exitDenied, message: fmt.Sprintf("to find the user %s takes the permission %s, which the API key lacks", named, authz.UsersRead),
				hint: "Name the user by id, which takes none: usr_…", cause: problem,
			}
		}
		if err != nil {
			return "", err
		}
		if strings.EqualFold(u.Email, named) {
			return u.ID, nil
		}
	}
	return "", &failure{
		code: exitNotFound, message: fmt.Sprintf("there is no user %s in %s", named, org),
		hint: fmt.Sprintf("Add one: bulkhead user add %s --org %s --role member", quote(named), quote(org)),
	}
}

// arguments returns the arguments of a command, which must be exactly these.
func arguments(c *cli.Context, names ...string) ([]string, error) {
	given := c.Args().Slice()
	if len(given) > len(names) {
		return nil, usageError(fmt.Sprintf("%q is one argument too many", given[len(names)]))
	}
	for i, name := range names {
		if i >= len(given) || given[i] == "" {
			return nil, usageError(name + " is missing")
		}
	}
	return given, nil
}

// argument returns the one argument of a command.
func argument(c *cli.Context, name string) (string, error) {
	given, err := arguments(c, name)
	if err != nil {
		return "", err
	}
	return given[0], nil
}

// needed returns the values of flags that must be there.
func needed(c *cli.Context, flags ...string) error {
	var missing []string
	for _, f := range flags {
		if c.String(f) == "" {
			missing = append(missing, dashed(f))
		}
	}
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return usageError(missing[0] + " is needed")
	}
	return usageError(strings.Join(missing, " and ") + " are needed")
}

// confirm asks before something that cannot be undone. Where nobody can answer
// it refuses: a script says --yes.
func (s *shell) confirm(c *cli.Context, question string) error {
	if c.Bool("yes") {
		return nil
	}
	refused := usageError("this needs a confirmation, and there is no terminal to ask on")
	refused.hint = "Pass --yes if you are sure."
	if !s.env.InTerminal || !s.env.ErrTerminal {
		return refused
	}
	s.say("%s [y/N] ", question)
	answer, err := readLine(s.env.In)
	if errors.Is(err, io.EOF) && answer == "" {
		s.say("\n")
		return refused
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return &failure{code: exitFailure, message: "not confirmed; nothing was changed"}
}

// readLine reads to the end of a line and not a byte further.
func readLine(r io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for len(line) < 1024 {
		if _, err := io.ReadFull(r, b); err != nil {
			return string(line), err
		}
		if b[0] == '\n' {
			break
		}
		line = append(line, b[0])
	}
	return string(line), nil
}

func yesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"}
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// plainWord means the same with and without quotes, in every shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.@/:,+-]+$`)

// quote makes a value safe to paste into a shell, if it needs to.
func quote(value string) string {
	if plainWord.MatchString(value) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
