package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
)

// exitCodesTopic is a page of the help that is about no command.
const exitCodesTopic = "exit-codes"

func (s *shell) helpCommand() *cli.Command {
	return &cli.Command{
		Name: "help", Usage: "explain a command, or the exit codes", ArgsUsage: "[COMMAND...]",
		Description: `The same as --help after the command.

Examples:
  bulkhead help org create
  bulkhead help exit-codes`,
		Action: func(c *cli.Context) error { return s.help(c.App, c.Args().Slice()) },
	}
}

// help prints the page of a command, or the first page.
func (s *shell) help(app *cli.App, path []string) error {
	if len(path) == 1 && path[0] == exitCodesTopic {
		return s.printExitCodes()
	}
	commands, command := app.Commands, (*cli.Command)(nil)
	for i, name := range path {
		if command = find(commands, name); command == nil {
			return unknownCommand(path[:i], commands, name)
		}
		commands = command.Subcommands
	}
	var page strings.Builder
	if command == nil {
		writeFirstPage(&page, app)
	} else {
		writePage(&page, app, command, path)
	}
	_, err := fmt.Fprint(s.env.Out, page.String())
	return err
}

func (s *shell) printExitCodes() error {
	var page strings.Builder
	page.WriteString("What the program ends with:\n\n")
	for _, e := range exitCodes {
		fmt.Fprintf(&page, "  %3d  %s\n", e.code, e.meaning)
	}
	page.WriteString(`
A failure is told on the standard error, with the code in brackets by which the API
names it. With --output json it is one JSON object there:

  detail               what is wrong, in words
  exit_code            one of the above
  hint                 the next step, for people
  code, status         the API's code for it, and the HTTP status
  fields               the rules that are broken: pointer, rule and detail
  request_id           for the operator
  retry_after_seconds  when the API says to come back

What is absent is not known. When the API asks to come back within 10 seconds, the
command waits, says so (not with --output json), and asks again, three times at most.
When it asks for more, the command fails.
`)
	_, err := fmt.Fprint(s.env.Out, page.String())
	return err
}

func writeFirstPage(w *strings.Builder, app *cli.App) {
	fmt.Fprintf(w, "%s: %s\n\nUsage:\n  %[1]s COMMAND [ARGUMENTS] [FLAGS]\n", app.Name, app.Usage)
	var categories []string
	for _, c := range app.Commands {
		if n := len(categories); c.Category != "" && (n == 0 || categories[n-1] != c.Category) {
			categories = append(categories, c.Category)
		}
	}
	for _, category := range append(categories, "") {
		writeCommands(w, first(category, "Other"), app.Commands, func(c *cli.Command) bool { return c.Category == category })
	}
	writeFlags(w, "Flags of every command", app.Flags)
	fmt.Fprintf(w, `
Environment:
  BULKHEAD_API_KEY          the API key; there is no flag, which the shell would remember
  BULKHEAD_URL              address of the API
  BULKHEAD_ORG              the organization, for commands with --org
  BULKHEAD_IDEMPOTENCY_KEY  a word of your own: with it the command may be run again, and is done once
  NO_COLOR                  no colours

Run "%[1]s COMMAND --help" for a command, and "%[1]s help %[2]s" for the exit codes.
`, app.Name, exitCodesTopic)
}

func writePage(w *strings.Builder, app *cli.App, c *cli.Command, path []string) {
	name := strings.Join(append([]string{app.Name}, path...), " ")
	fmt.Fprintf(w, "%s: %s\n\nUsage:\n  %s", name, c.Usage, name)
	switch {
	case len(c.Subcommands) > 0:
		w.WriteString(" COMMAND")
	case c.ArgsUsage != "":
		w.WriteString(" " + c.ArgsUsage)
	}
	if len(c.Flags) > 0 || len(c.Subcommands) > 0 {
		w.WriteString(" [FLAGS]")
	}
	w.WriteString("\n")
	if c.Description != "" {
		fmt.Fprintf(w, "\n%s\n", c.Description)
	}
	writeCommands(w, "Commands", c.Subcommands, func(*cli.Command) bool { return true })
	writeFlags(w, "Flags", c.Flags)
	writeFlags(w, "Flags of every command", commonFlags(app, path))
}

// commonFlags returns those flags of every command that mean anything to the
// command at a path: what does not speak to the API needs neither its address
// nor a key.
func commonFlags(app *cli.App, path []string) []cli.Flag {
	if len(path) == 0 {
		return app.Flags
	}
	if c := find(app.Commands, path[0]); c != nil && c.Category != categoryServe && c.Category != "" {
		return app.Flags
	}
	return slices.DeleteFunc(slices.Clone(app.Flags), func(f cli.Flag) bool {
		return slices.Contains(f.Names(), "url") || slices.Contains(f.Names(), "api-key-file")
	})
}

func writeCommands(w *strings.Builder, title string, commands []*cli.Command, wanted func(*cli.Command) bool) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, n := 0, 0; i < len(commands); i++ {
		if c := commands[i]; wanted(c) {
			if n++; n == 1 {
				fmt.Fprintf(w, "\n%s:\n", title)
			}
			fmt.Fprintf(table, "  %s\t%s\n", c.Name, c.Usage)
		}
	}
	_ = table.Flush() // a strings.Builder does not fail
}

// placeholder is the name of a flag's value, in backquotes in its usage.
var placeholder = regexp.MustCompile("(?: \\()?`([^`]+)`\\)?")

func writeFlags(w *strings.Builder, title string, flags []cli.Flag) {
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range flags {
		var names []string
		for _, n := range f.Names() {
			names = append(names, dashed(n))
		}
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok {
			continue
		}
		usage, value := splitUsage(doc.GetUsage())
		if doc.TakesValue() {
			names[len(names)-1] += " " + value
		}
		fmt.Fprintf(table, "  %s\t%s\n", strings.Join(names, ", "), usage)
	}
	_ = table.Flush() // a strings.Builder does not fail
}

// splitUsage returns a flag's usage without the backquotes, and what they held.
// In brackets at the end they hold a name that the text itself does not have.
func splitUsage(usage string) (text, value string) {
	m := placeholder.FindStringSubmatchIndex(usage)
	if m == nil {
		return usage, "VALUE"
	}
	value = usage[m[2]:m[3]]
	if strings.HasPrefix(usage[m[0]:], " (") {
		return usage[:m[0]] + usage[m[1]:], value
	}
	return usage[:m[0]] + value + usage[m[1]:], value
}
