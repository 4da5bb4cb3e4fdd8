package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/urfave/cli/v2"
)

// Environment is the world as a command sees it.
type Environment struct {
	Getenv func(string) string
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	// Whether a person sits at them: only then is anybody asked, and only there
	// does anything move or have a colour.
	InTerminal, OutTerminal, ErrTerminal bool
	Now                                  func() time.Time
}

// OS returns the environment of this process.
func OS() Environment {
	return Environment{
		Getenv: os.Getenv, In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTerminal: isTerminal(os.Stdin), OutTerminal: isTerminal(os.Stdout), ErrTerminal: isTerminal(os.Stderr),
		Now: time.Now,
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Main runs the command that args name, the first of them being the program, and
// returns its exit code.
func Main(ctx context.Context, args []string, env Environment, deps Deps) int {
	s := &shell{env: env, deps: deps}
	app := s.app()
	if len(args) > 1 && args[1] == completeCommand {
		s.complete(app, args[2:])
		return int(exitOK)
	}
	line, err := readArguments(app, args[min(1, len(args)):])
	s.json = line.readsJSON(err == nil, args)
	if err == nil {
		switch {
		case line.help || line.command == nil:
			err = s.help(app, line.path)
		default:
			err = app.RunContext(ctx, line.ordered())
		}
	}
	return int(s.report(ctx, err, line.path))
}

// programName is what the program is called in its own texts.
const programName = "bulkhead"

// shell is what all commands have in common.
type shell struct {
	env  Environment
	deps Deps
	url  string // of the API, once a command speaks to it
	json bool   // a program reads what is printed

	// What the command is about, as far as it has got, for the next step when it fails.
	orgName, workflowID string
}

// app returns the tree of commands.
func (s *shell) app() *cli.App {
	app := &cli.App{
		Name:      programName,
		Usage:     "a multi-tenant control plane for Temporal",
		Writer:    s.env.Out,
		ErrWriter: s.env.Err,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "url", Usage: "address of the API; $BULKHEAD_URL, else " + defaultURL + " (`URL`)"},
			&cli.StringFlag{Name: "api-key-file", Usage: "read the API key from `FILE` instead of $BULKHEAD_API_KEY"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: outputTable, Usage: "what is printed: table or json (`FORMAT`)"},
		},
		Before: s.checkOutput,
		Commands: []*cli.Command{
			s.orgCommand(), s.namespaceCommand(), s.userCommand(), s.roleCommand(), s.permissionCommand(), s.authzCommand(), s.apikeyCommand(),
			s.workflowCommand(), s.scheduleCommand(), s.operationCommand(), s.auditCommand(), s.poolCommand(),
			s.whoamiCommand(), s.tokenCommand(),
			s.serverCommand(), s.workerCommand(), s.migrateCommand(), s.bootstrapCommand(),
			s.versionCommand(), s.completionCommand(), s.helpCommand(),
		},
		// urfave/cli's own help, suggestions and exits are replaced, not mixed with ours.
		HideHelp:                  true,
		HideVersion:               true,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              asUsageError,
		DisableSliceFlagSeparator: true, // a comma in JSON is a comma
	}
	for _, c := range app.Commands {
		prepare(c)
	}
	return app
}

// prepare gives a command and those below it what all have in common.
func prepare(c *cli.Command) {
	c.HideHelp = true
	c.OnUsageError = asUsageError
	for _, sub := range c.Subcommands {
		prepare(sub)
	}
}

// asUsageError says what a flag takes, where urfave/cli says how it failed to read it.
func asUsageError(c *cli.Context, err error, _ bool) error {
	m := unreadable.FindStringSubmatch(err.Error())
	if m == nil || c.Command == nil {
		return usageError(err.Error())
	}
	var rule string
	switch f := findFlag(c.Command.Flags, m[2]).(type) {
	case *cli.IntFlag:
		if rule = "a whole number"; f.Action != nil {
			rule = "a whole number above 0" // that is what actions see to
		}
	case *cli.Int64Flag:
		rule = "a whole number"
	case *cli.DurationFlag:
		rule = "a time such as 90s, 15m or 12h"
	default:
		return usageError(err.Error())
	}
	return usageError(fmt.Sprintf("%s is %s, not %s", dashed(m[2]), rule, m[1]))
}

// unreadable is what urfave/cli says of a flag's value.
var unreadable = regexp.MustCompile(`^invalid value (".*") for flag -+(\S+): `)

func (s *shell) checkOutput(c *cli.Context) error {
	switch o := c.String("output"); o {
	case outputTable, outputJSON:
		return nil
	default:
		return usageError(fmt.Sprintf("--output is table or json, not %q", o))
	}
}
