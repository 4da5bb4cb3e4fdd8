package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/sdk"
)

// completeCommand answers a shell that asks what may stand here. It is no
// command of people's, so it is in no help.
const completeCommand = "__complete"

// scripts make each shell ask completeCommand.
var scripts = map[string]string{
	"bash": `_bulkhead() {
	local IFS=$'\n'
	COMPREPLY=($(compgen -W "$(bulkhead __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _bulkhead bulkhead
`,
	"zsh": `#compdef bulkhead
_bulkhead() {
	local -a words_here
	words_here=("${(@f)$(bulkhead __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	compadd -a words_here
}
compdef _bulkhead bulkhead
`,
	"fish": `complete -c bulkhead -f -a '(bulkhead __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
}

func (s *shell) completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print what makes a shell complete commands", ArgsUsage: "bash|zsh|fish",
		Description: `Put it where your shell reads it at its start.

Examples:
  source <(bulkhead completion bash)
  source <(bulkhead completion zsh)
  bulkhead completion fish | source`,
		Action: func(c *cli.Context) error {
			name, err := argument(c, "SHELL")
			if err != nil {
				return err
			}
			script, ok := scripts[name]
			if !ok {
				return usageError(fmt.Sprintf("there is no completion for %q; there is for bash, zsh and fish", name))
			}
			_, err = fmt.Fprint(s.env.Out, script)
			return err
		},
	}
}

// values are what flags with few of them take.
var values = map[string][]string{
	"output": {outputTable, outputJSON}, "o": {outputTable, outputJSON},
	"role":  roleNames(),
	"scope": authz.Operator.Permissions().Names(), "permission": authz.Admin.Permissions().Names(),
	"access": {string(sdk.TokenAccessRead), string(sdk.TokenAccessWrite)},
}

func roleNames() []string {
	var names []string
	for _, r := range authz.Roles() {
		names = append(names, r.String())
	}
	return names
}

// complete prints what may stand in the place of the last word.
func (s *shell) complete(app *cli.App, words []string) {
	if len(words) == 0 {
		words = []string{""}
	}
	before, word := words[:len(words)-1], words[len(words)-1]
	for _, candidate := range candidates(app, before, word) {
		if strings.HasPrefix(candidate, word) {
			fmt.Fprintln(s.env.Out, candidate)
		}
	}
}

func candidates(app *cli.App, before []string, word string) []string {
	flags, below, path := app.Flags, app.Commands, []string(nil)
	for i := 0; i < len(before); i++ {
		switch w := before[i]; {
		case w == "--":
			return nil
		case strings.HasPrefix(w, "-"):
			name, _, joined := strings.Cut(strings.TrimLeft(w, "-"), "=")
			f := findFlag(flags, name)
			if f == nil || joined || !takesValue(f) {
				continue
			}
			if i == len(before)-1 {
				return values[name] // the word is this flag's value
			}
			i++
		default:
			if c := find(below, w); c != nil {
				below = c.Subcommands
				path = append(path, c.Name)
				flags = append(slices.Clone(commonFlags(app, path)), c.Flags...)
			}
		}
	}
	var out []string
	switch {
	case strings.HasPrefix(word, "-"):
		for _, f := range flags {
			out = append(out, dashed(f.Names()[0]))
		}
		return append(out, "--help")
	case len(path) == 1 && path[0] == "completion":
		return []string{"bash", "zsh", "fish"}
	}
	for _, c := range below {
		out = append(out, c.Name)
	}
	return out
}
