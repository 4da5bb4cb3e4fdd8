package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/urfave/cli/v2"
)

// walk calls f for every command, with the words that name it.
func walk(commands []*cli.Command, above []string, f func(path []string, c *cli.Command)) {
	for _, c := range commands {
		path := append(append([]string{}, above...), c.Name)
		f(path, c)
		walk(c.Subcommands, path, f)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	app := (&shell{}).app()
	pages := map[string]bool{"bulkhead": true, "exit-codes": true}

	t.Run("Should show the first page to whoever says nothing", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		_, page, _ := w.run()
		for _, args := range [][]string{{"--help"}, {"-h"}, {"help"}} {
			code, out, _ := w.run(args...)
			is.Equal(code, 0)
			is.Equal(out, page)
		}
		golden(t, "help/bulkhead", page)
	})
	t.Run("Should list the exit codes", func(t *testing.T) {
		is := is.New(t)
		code, out, _ := newWorld(t).run("help", "exit-codes")
		is.Equal(code, 0)
		golden(t, "help/exit-codes", out)
	})
	walk(app.Commands, nil, func(path []string, c *cli.Command) {
		name := strings.Join(path, "-")
		pages[name] = true
		t.Run("Should explain "+strings.Join(path, " ")+" with an example", func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			code, page, _ := w.run(append(path, "--help")...)
			is.Equal(code, 0)
			golden(t, "help/"+name, page)
			_, same, _ := w.run(append([]string{"help"}, path...)...)
			is.Equal(same, page)
			is.True(c.Usage != "")
			is.Equal(c.HasName("show"), c.HasName("get")) // nobody has to remember which it is
			is.True(strings.Contains(c.Description, "Example"))
			is.True(strings.Contains(c.Description, "bulkhead "))
			for l := range strings.SplitSeq(page, "\n") {
				is.True(len(l) <= 120) // fits a terminal
			}
			is.Equal(len(w.asked()), 0)
		})
		t.Run("Should parse the examples of "+strings.Join(path, " "), func(t *testing.T) {
			for l := range strings.SplitSeq(c.Description, "\n") {
				words := strings.Fields(l)
				if len(words) == 0 || words[0] != "bulkhead" {
					continue
				}
				if _, err := readArguments(app, words[1:]); err != nil {
					t.Errorf("%s: %v", l, err)
				}
			}
		})
	})
	t.Run("Should name the API's flags only where the API is asked", func(t *testing.T) {
		is := is.New(t)
		for line, asks := range map[string]bool{
			"server": false, "worker": false, "migrate": false, "migrate up": false, "bootstrap": false, "completion": false,
			"version": false, "org": true, "org list": true, "token": true, "whoami": true,
		} {
			_, page, _ := newWorld(t).run(append(strings.Fields(line), "--help")...)
			is.Equal(strings.Contains(page, "--url"), asks)          // of line
			is.Equal(strings.Contains(page, "--api-key-file"), asks) // of line
			is.True(strings.Contains(page, "--output"))
		}
	})
	t.Run("Should have no page of a command that is gone", func(t *testing.T) {
		files, err := filepath.Glob("testdata/help/*.txt")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if pages[strings.TrimSuffix(filepath.Base(f), ".txt")] {
				continue
			}
			if *update {
				_ = os.Remove(f)
				continue
			}
			t.Errorf("%s belongs to no command (remove it with -update)", f)
		}
	})
	t.Run("Should refuse to explain what is not there", func(t *testing.T) {
		is := is.New(t)
		code, _, err := newWorld(t).run("help", "org", "creat")
		is.Equal(code, 2)
		is.True(strings.Contains(err, `Did you mean "bulkhead org create"?`))
	})
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"wo":                             "workflow worker",
		"org ":                           "create list show usage update suspend resume delete restore diff reconcile doctor limits allow-list",
		"org create acme --a":            "--api-key-file --admin-email --admin-name --adopt-namespace",
		"--url http://x org s":           "show suspend",
		"org list --output ":             "table json",
		"org list -o j":                  "json",
		"user add --role m":              "member manager",
		"token --access ":                "read write",
		"completion ":                    "bash zsh fish",
		"org create -- ":                 "",
		"org create acme --admin-email ": "",
		"nonsense --x":                   "",
		"server --":                      "--output --help",
	} {
		t.Run("Should complete "+line, func(t *testing.T) {
			is := is.New(t)
			code, out, err := newWorld(t).run(append([]string{"__complete"}, strings.Split(line, " ")...)...)
			is.Equal(code, 0)
			is.Equal(err, "")
			is.Equal(strings.Join(strings.Fields(out), " "), want)
		})
	}
	for _, name := range []string{"bash", "zsh", "fish"} {
		t.Run("Should print the script for "+name, func(t *testing.T) {
			is := is.New(t)
			code, out, _ := newWorld(t).run("completion", name)
			is.Equal(code, 0)
			is.True(strings.Contains(out, "bulkhead __complete"))
		})
	}
	t.Run("Should refuse a shell it does not know", func(t *testing.T) {
		is := is.New(t)
		code, _, _ := newWorld(t).run("completion", "tcsh")
		is.Equal(code, 2)
	})
}
