package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// commandLine is a command line, taken apart. urfave/cli stops reading flags at
// the first argument that is none, so that "org show acme -o json" would have
// two arguments and no flag. Reading the line first lets flags stand anywhere.
type commandLine struct {
	command   *cli.Command // nil: none was named
	path      []string     // of the command
	global    []string     // the global flags, with their values
	flags     []string     // the command's flags, with their values
	arguments []string
	help      bool // asked for by -h or --help, or by naming a group of commands alone
}

// ordered returns the line in the order that urfave/cli wants.
func (l commandLine) ordered() []string {
	out := slices.Concat([]string{programName}, l.global, l.path, l.flags)
	if len(l.arguments) > 0 {
		out = append(append(out, "--"), l.arguments...)
	}
	return out
}

// readArguments takes a command line apart. What it returns with an error is as
// far as it got, for the help that the error refers to.
func readArguments(app *cli.App, args []string) (commandLine, error) {
	var l commandLine
	below := app.Commands // what may be named next
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			l.arguments = append(l.arguments, args[i+1:]...)
			i = len(args)
		case len(arg) > 1 && arg[0] == '-':
			taken, err := l.readFlag(app, args[i:])
			if err != nil {
				return l, err
			}
			i += taken - 1
			if l.command != nil {
				below = l.command.Subcommands
			}
		case len(below) > 0:
			next := find(below, arg)
			if next == nil {
				return l, unknownCommand(l.path, below, arg)
			}
			l.command, below = next, next.Subcommands
			l.path = append(l.path, next.Name)
		default:
			l.arguments = append(l.arguments, arg)
		}
	}
	l.help = l.help || len(below) > 0
	return l, nil
}

// readsJSON tells whether a program reads what is printed. A line that is wrong,
// whose flags are not all known, is taken by its words.
func (l commandLine) readsJSON(right bool, words []string) bool {
	if right {
		words = l.global
	}
	format := outputTable
	for i, word := range words {
		name, value, joined := strings.Cut(strings.TrimLeft(word, "-"), "=")
		switch {
		case word == "--":
			return format == outputJSON
		case !strings.HasPrefix(word, "-") || (name != "o" && name != "output"):
		case joined:
			format = value
		case i+1 < len(words):
			format = words[i+1]
		}
	}
	return format == outputJSON
}

// readFlag reads the flag that args begins with, and returns how many of them
// belong to it.
func (l *commandLine) readFlag(app *cli.App, args []string) (int, error) {
	name, value, joined := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
	if name == "h" || name == "help" {
		l.help = true
		return 1, nil
	}
	if l.command == nil && (name == "version" || name == "v") {
		l.command = find(app.Commands, "version") // what everybody tries first
		l.path = []string{"version"}
		return 1, nil
	}
	into, flag := &l.flags, cli.Flag(nil)
	if l.command != nil {
		flag = findFlag(l.command.Flags, name)
	}
	if flag == nil {
		into, flag = &l.global, findFlag(app.Flags, name)
	}
	if flag == nil {
		return 0, l.unknownFlag(app, name)
	}
	// By its first name, as urfave/cli refuses a flag under two of its names.
	canonical := dashed(flag.Names()[0])
	switch {
	case joined:
		*into = append(*into, canonical+"="+value)
		return 1, nil
	case !takesValue(flag):
		*into = append(*into, canonical)
		return 1, nil
	case len(args) == 1:
		return 0, usageError(fmt.Sprintf("%s needs a value", dashed(name)))
	}
	*into = append(*into, canonical+"="+args[1])
	return 2, nil
}

func (l *commandLine) unknownFlag(app *cli.App, name string) error {
	var known []string
	flags := app.Flags
	if l.command != nil {
		flags = append(slices.Clone(flags), l.command.Flags...)
	}
	for _, f := range flags {
		known = append(known, f.Names()...)
	}
	e := usageError(fmt.Sprintf("there is no flag %s", dashed(name)))
	if similar := nearest(name, known); similar != "" {
		e.hint = fmt.Sprintf("Did you mean %s?", dashed(similar))
	} else if l.command == nil || len(l.command.Subcommands) > 0 {
		e.hint = "Flags of a command stand after it."
	}
	return e
}

func unknownCommand(path []string, known []*cli.Command, name string) error {
	full := strings.Join(append([]string{programName}, path...), " ")
	e := usageError(fmt.Sprintf("there is no command %q", full+" "+name))
	var names []string
	for _, c := range known {
		names = append(names, c.Names()...)
	}
	if similar := nearest(name, names); similar != "" {
		e.hint = fmt.Sprintf("Did you mean %q?", full+" "+similar)
	}
	return e
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

func findFlag(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// synonyms are words that other command lines use for the same.
var synonyms = map[string][]string{
	"add": {"create", "start"}, "create": {"add", "start"}, "new": {"create", "add", "start"},
	"run": {"start", "server"}, "serve": {"server"}, "ls": {"list"},
	"get": {"show"}, "describe": {"show", "get"}, "status": {"show", "get"},
	"delete": {"revoke"}, "remove": {"delete", "revoke"}, "rm": {"delete", "revoke"},
	"key": {"apikey"}, "keys": {"apikey"}, "api-key": {"apikey"}, "tenant": {"org"}, "organization": {"org"}, "organizations": {"org"},
	"wf": {"workflow"}, "login": {"whoami"}, "me": {"whoami"},
}

// nearest returns what was probably meant, or "".
func nearest(word string, known []string) string {
	for _, s := range synonyms[word] {
		if slices.Contains(known, s) {
			return s
		}
	}
	best, least := "", max(1, len(word)/3)+1
	for _, k := range known {
		if d := distance(word, k); len(k) > 1 && d < least {
			best, least = k, d
		}
	}
	for _, k := range known {
		if best == "" && len(word) > 2 && strings.HasPrefix(k, word) {
			best = k
		}
	}
	return best
}

// distance is how many letters must be typed, dropped, replaced or swapped with
// their neighbour to make b of a.
func distance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last = last, row
		row = make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
