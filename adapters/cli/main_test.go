package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// serve gives the world what wire would, and returns what is called.
func (w *world) serve() *[]string {
	var calls []string
	call := func(name string) func(context.Context) error {
		return func(context.Context) error { calls = append(calls, name); return nil }
	}
	w.deps.Server, w.deps.Worker = call("server"), call("worker")
	w.deps.Migrations = Migrations{
		Init: call("init"), Up: call("up"), Down: call("down"),
		To: func(_ context.Context, n int) error { calls = append(calls, fmt.Sprint("to ", n)); return nil },
		Status: func(context.Context) (MigrationStatus, error) {
			return MigrationStatus{Current: 2, Latest: 3, Migrations: []Migration{
				{1, "organizations", true}, {2, "users", true}, {3, "api_keys", false},
			}}, nil
		},
		Check: func(context.Context) ([]Violation, error) { return nil, nil },
	}
	w.deps.Bootstrap = func(_ context.Context, o BootstrapOptions) (BootstrapResult, error) {
		if o.NewKey {
			return BootstrapResult{OperatorKey: newKey}, nil
		}
		return BootstrapResult{Created: true, OperatorKey: newKey, WorkerKey: "bhk_worker"}, nil
	}
	w.deps.Peppers = func(context.Context) ([]Pepper, error) {
		return []Pepper{{Version: 1, Secrets: 3}, {Version: 2, Secrets: 120, Configured: true}}, nil
	}
	return &calls
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"server": "server", "worker": "worker", "migrate init": "init", "migrate up": "up", "migrate to 3": "to 3",
		"migrate down --yes": "down", "migrate to 1 -y": "to 1", "migrate -y to 1": "", "server now": "", "migrate to": "",
		"migrate to x": "", "migrate to 4": "", "migrate to -1": "",
	} {
		t.Run("Should call what belongs to "+line, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			calls := w.serve()
			code, _, _ := w.run(strings.Fields(line)...)
			is.Equal(strings.Join(*calls, ","), want)
			is.Equal(code == 0, want != "")
			is.True(want != "" || code == 2)
		})
	}
	t.Run("Should say which rules of the schema are broken, and fail", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.deps.Migrations.Check = func(context.Context) ([]Violation, error) {
			return []Violation{{Rule: "row-level security", By: "users"}}, nil
		}
		for format, want := range map[string]string{
			"table": "RULE                BROKEN BY\nrow-level security  users\n",
			"json":  "{\n  \"violations\": [\n    {\n      \"rule\": \"row-level security\",\n      \"by\": \"users\"\n    }\n  ]\n}\n",
		} {
			code, out, err := w.run("migrate", "check", "-o", format)
			is.Equal(code, int(exitConflict))
			is.Equal(out, want)
			is.True(strings.Contains(err, "does not keep the tenants apart"))
		}
	})
	t.Run("Should hand on what went wrong", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.deps.Server = func(context.Context) error { return errors.New("listen: address in use") }
		code, _, err := w.run("server")
		is.Equal(code, 1)
		is.Equal(err, "error: listen: address in use\n")
	})
	t.Run("Should keep the lines of an error", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.deps.Server = func(context.Context) error {
			return errors.New("the configuration is not complete:\nA is missing\nB is missing")
		}
		_, _, err := w.run("server")
		lines, hint, _ := strings.Cut(err, "The README")
		is.Equal(lines, "error: the configuration is not complete:\n  A is missing\n  B is missing\n")
		is.True(strings.Contains(hint, `"Run it for real"`))
		is.True(strings.HasSuffix(hint, ". .data/env\n"))
	})
	t.Run("Should say that there is an operator already", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.deps.Bootstrap = func(context.Context, BootstrapOptions) (BootstrapResult, error) { return BootstrapResult{}, nil }
		code, out, err := w.run("bootstrap")
		is.Equal(code, 0)
		is.Equal(out, "")
		is.True(strings.Contains(err, "bootstrap --new-key"))
		_, out, _ = w.run("bootstrap", "-o", "json")
		is.Equal(out, "{\n  \"created\": false\n}\n")
	})
	t.Run("Should not show the keys of a result", func(t *testing.T) {
		is := is.New(t)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			is.True(!strings.Contains(fmt.Sprintf(verb, BootstrapResult{OperatorKey: newKey}), newKey))
		}
		is.True(!strings.Contains(BootstrapResult{OperatorKey: newKey}.LogValue().String(), newKey))
	})
	t.Run("Should end as interrupted when it was", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		w.deps.Worker = func(ctx context.Context) error { cancel(); return ctx.Err() }
		code, _, _ := w.runContext(ctx, "worker")
		is.Equal(code, 130)
	})
}

func TestConfirmation(t *testing.T) {
	t.Parallel()
	commands := map[string]string{
		"migrate down": "down", "migrate to 1": "to 1", "apikey revoke " + keyID + " --org acme": "revoke",
		"schedule pause --all --no-wait --org acme": "pause-all", "schedule resume --all --no-wait --org acme": "resume-all",
	}
	done := func(w *world, calls *[]string) string {
		for _, asked := range []string{"revoke", "pause-all", "resume-all"} {
			if strings.HasSuffix(w.last().line, "/"+asked) {
				return asked
			}
		}
		return strings.Join(*calls, ",")
	}
	for line, effect := range commands {
		t.Run("Should ask before "+line, func(t *testing.T) {
			is := is.New(t)
			for answer, agreed := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "yep\n": false} {
				w := newWorld(t)
				calls := w.serve()
				w.typing(answer)
				code, _, err := w.run(strings.Fields(line)...)
				is.True(strings.Contains(err, "[y/N]"))
				is.Equal(done(w, calls) == effect, agreed)
				is.Equal(code == 0, agreed)
				is.True(agreed || code == 1)
			}
		})
		t.Run("Should refuse "+line+" where nobody can be asked", func(t *testing.T) {
			is := is.New(t)
			for _, terminal := range []bool{false, true} { // a terminal at its end is nobody too
				w := newWorld(t)
				calls := w.serve()
				w.env.InTerminal, w.env.ErrTerminal = terminal, terminal
				code, _, err := w.run(strings.Fields(line)...)
				is.Equal(code, 2)
				is.True(strings.Contains(err, "--yes"))
				is.Equal(done(w, calls), "")
			}
		})
		t.Run("Should not ask before "+line+" --yes", func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			calls := w.serve()
			code, _, err := w.run(append(strings.Fields(line), "--yes")...)
			is.Equal(code, 0)
			is.True(!strings.Contains(err, "[y/N]"))
			is.Equal(done(w, calls), effect)
		})
	}
	t.Run("Should say which key is about to go", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.typing("n\n")
		_, _, err := w.run("apikey", "revoke", keyID)
		is.True(strings.HasPrefix(err, "Revoke API key ci of acme (bhk_NEWKEYNE…0000) for good? [y/N] "))
	})
}

func TestArguments(t *testing.T) {
	t.Parallel()
	same := []string{
		"user add grace@acme.example --org acme --role member -o json",
		"user add --org acme --role member -o json grace@acme.example",
		"user add --org=acme grace@acme.example --role=member --output=json",
		"-o json user --output json add --role member grace@acme.example -org acme",
		"--output json user add --org acme --role member -- grace@acme.example",
	}
	var first string
	for i, line := range same {
		t.Run("Should understand "+line, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			code, out, _ := w.run(strings.Fields(line)...)
			is.Equal(code, 0)
			is.Equal(w.last().body, `{"email":"grace@acme.example","role":"member"}`)
			if i == 0 {
				first = out
			}
			is.Equal(out, first)
		})
	}
	t.Run("Should take what follows -- as it is", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		code, _, _ := w.run("workflow", "show", "--org", "acme", "--", "--greet")
		is.Equal(code, 3)
		is.Equal(w.last().line, "GET /api/v0/organizations/acme/workflows/--greet")
	})
	t.Run("Should take a flag's value that looks like a flag", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		_, _, _ = w.run("workflow", "start", "--org", "acme", "-t", "T", "-q", "q", "--id", "-x", "-i", "-1")
		is.Equal(w.last().body, `{"input":[-1],"task_queue":"q","type":"T","workflow_id":"-x"}`)
	})
	for line, want := range map[string]string{
		"ogr list":                              `Did you mean "bulkhead org"?`,
		"workfolw":                              `Did you mean "bulkhead workflow"?`,
		"org creat x":                           `Did you mean "bulkhead org create"?`,
		"user create x":                         `Did you mean "bulkhead user add"?`,
		"apikey remove x":                       `Did you mean "bulkhead apikey delete"?`,
		"org add x":                             `Did you mean "bulkhead org create"?`,
		"tenant list":                           `Did you mean "bulkhead org"?`,
		"xyzzy":                                 `there is no command "bulkhead xyzzy"`,
		"org create acme --admin-mail x":        "Did you mean --admin-email?",
		"org create acme --xyzzy x":             "there is no flag --xyzzy",
		"--org acme user list":                  "Flags of a command stand after it.",
		"org create acme":                       "--admin-email is needed",
		"workflow start":                        "--type and --task-queue are needed",
		"workflow show":                         "ID is missing",
		"workflow show a b":                     `"b" is one argument too many`,
		"org show a b":                          `"b" is one argument too many`,
		"org list x":                            `"x" is one argument too many`,
		"org create acme --admin-email":         "--admin-email needs a value",
		"org list -o yaml":                      `--output is table or json, not "yaml"`,
		"apikey create x --user u --expires-in": "--expires-in needs a value",
		"apikey create x --user u --expires-in soon":      "--expires-in is a time such as 12h or 30d",
		"apikey create x --user u --expires-in 99999999d": "--expires-in is a time",
		"apikey create x --user u --expires-in 0s":        "--expires-in is a time",
		"apikey create x":                                  "whose key is it?",
		"token --access admin":                             "--access is read or write",
		"whoami --url nowhere":                             "the URL of the API must look like",
		"workflow start -t T -q q --execution-timeout 1ms": "a second or more",
	} {
		t.Run("Should refuse "+line+" and help", func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			code, out, err := w.run(strings.Fields(line)...)
			is.Equal(code, 2)
			is.Equal(out, "")
			is.True(strings.HasPrefix(err, "error: "))
			is.True(strings.Contains(err, want))
			is.True(strings.Count(err, "\n") == 2 || line == "xyzzy") // what is wrong, and what to do
			is.Equal(len(w.asked()), 0)
		})
	}
}

func FuzzReadArguments(f *testing.F) {
	for _, line := range []string{
		"", "org create acme --admin-email a@b", "-o", "--", "-", "--=", "user add -- --x", "help org", "--output=json whoami -h",
	} {
		f.Add(line)
	}
	app := (&shell{}).app()
	f.Fuzz(func(t *testing.T, line string) {
		l, err := readArguments(app, strings.Split(line, " "))
		if err != nil {
			var known *failure
			if !errors.As(err, &known) || known.code != exitUsage {
				t.Errorf("%q: %v is no usage error", line, err)
			}
			return
		}
		// What it puts in order must mean the same when it is read again.
		again, err := readArguments(app, l.ordered()[1:])
		if err != nil || !slices.Equal(again.ordered(), l.ordered()) {
			t.Errorf("%q became %q, and that %q (%v)", line, l.ordered(), again.ordered(), err)
		}
	})
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status, code int
		hint         string
	}{
		{400, 2, ""},
		{401, 4, "Check BULKHEAD_API_KEY"},
		{403, 4, "bulkhead whoami"},
		{404, 3, "--org"},
		{409, 5, ""},
		{412, 5, ""},
		{422, 2, ""},
		{500, 1, ""},
		{503, 6, "Try again"},
	} {
		t.Run(fmt.Sprintf("Should end with %d for the status %d", c.code, c.status), func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			w.problem("POST /organizations/acme/users", c.status, "some.code", "It is so.", sdk.ProblemField{Pointer: "/email", Detail: "is odd"})
			code, out, err := w.run("user", "add", "x@y", "--org", "acme", "--role", "member")
			is.Equal(code, c.code)
			is.Equal(out, "")
			is.True(strings.HasPrefix(err, "error: It is so. (some.code)\n  email: is odd\nrequest id: req_1\n"))
			is.True(strings.Contains(err, c.hint))
		})
	}
	for _, c := range []struct{ args, request, code, hint string }{
		{
			"org create acme --admin-email a@b", "POST /organizations", "org.slug_taken",
			"Look at the one that has it: bulkhead org show acme\n",
		},
		{
			"workflow start --org acme -t T -q q --id greet-1", "POST /organizations/acme/workflows", "workflow.already_started",
			"Look at it: bulkhead workflow show greet-1 --org acme, or choose another --id\n",
		},
		{
			"workflow start -t T -q q --id greet-1", "POST /organizations/acme/workflows", "org.not_active",
			"See its state: bulkhead org show acme\n",
		},
		{"token --org acme", "POST /auth/token", "org.not_active", "See its state: bulkhead org show acme\n"},
		{"token", "POST /auth/token", "org.not_active", "See its state: bulkhead org show\n"},
	} {
		t.Run("Should show what is in the way of "+c.args+" for "+c.code, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			w.problem(c.request, 409, c.code, "It is so.")
			code, _, err := w.run(strings.Fields(c.args)...)
			is.Equal(code, 5)
			is.Equal(err, "error: It is so. ("+c.code+")\nrequest id: req_1\n"+c.hint)
		})
	}
	t.Run("Should want an organization from an operator who asks for a token", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.problem("POST /auth/token", 409, "org.reserved", "This is not possible for the system organization.")
		code, _, err := w.run("token")
		is.Equal(code, 2)
		is.True(strings.Contains(err, "--org is needed, as the key belongs to the platform"))
		code, _, err = w.run("token", "--org", "system")
		is.Equal(code, 5)
		is.True(strings.Contains(err, "This is not possible")) // it is named, and the wrong one
	})
	t.Run("Should say how to set an address or a key that cannot be one", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		code, _, err := w.run("whoami", "--url", "nowhere")
		is.Equal(code, 2)
		is.True(strings.HasSuffix(err, "Set it by --url or BULKHEAD_URL.\n"))
		w.vars["BULKHEAD_API_KEY"] = "bhk_…"
		code, _, err = w.run("whoami")
		is.Equal(code, 2)
		is.True(strings.Contains(err, "looks like a placeholder"))
		is.True(strings.Contains(err, "Set it by BULKHEAD_API_KEY"))
		is.Equal(len(w.asked()), 0)
	})
	t.Run("Should ask whether the server is running", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		code, _, err := w.run("whoami", "--url", "http://127.0.0.1:1")
		is.Equal(code, 6)
		is.True(strings.HasPrefix(err, "error: cannot reach the API at http://127.0.0.1:1: "))
		is.True(strings.Contains(err, `Start it with "make run"`))
	})
	t.Run("Should ask for a key where there is none", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		delete(w.vars, "BULKHEAD_API_KEY")
		code, _, err := w.run("whoami")
		is.Equal(code, 4)
		is.Equal(err, "error: there is no API key\nSet BULKHEAD_API_KEY, or name a file by --api-key-file.\n")
	})
	t.Run("Should doubt the address when what answers is not Bulkhead", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.answers["GET /auth/whoami"] = http.NotFound
		code, _, err := w.run("whoami")
		is.Equal(code, 3)
		is.True(strings.Contains(err, "the address of Bulkhead?"))
	})
	t.Run("Should say that there is no such user, and how to add one", func(t *testing.T) {
		is := is.New(t)
		code, _, err := newWorld(t).run("apikey", "create", "ci", "--user", "nobody@acme.example")
		is.Equal(code, 3)
		is.True(strings.Contains(err, "bulkhead user add nobody@acme.example --org acme"))
	})
}
