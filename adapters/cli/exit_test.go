package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// refuse answers with a problem and when to come back, so many times; then as usual.
func (w *world) refuse(request string, times int, status int, after string, p sdk.Problem) {
	w.answers[request] = func(out http.ResponseWriter, _ *http.Request) {
		if times--; times < 0 {
			send(out, usual[request].status, usual[request].body)
			return
		}
		out.Header().Set("Retry-After", after)
		send(out, status, p)
	}
}

func TestPatience(t *testing.T) {
	t.Parallel()
	limited := sdk.Problem{Code: "limit.rate_exceeded", Detail: "Too many requests."}
	start := []string{"workflow", "start", "--org", "acme", "-t", "T", "-q", "q"}
	const request = "POST /organizations/acme/workflows"
	t.Run("Should say what it waits for, but not where a program reads", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for format, said := range map[string]string{"table": "waiting 1s: Too many requests.\n", "json": ""} {
			w := newWorld(t)
			w.refuse(request, 1, 429, "1", limited)
			code, _, err := w.run(append(start, "--output", format)...)
			is.Equal(code, 0)
			is.True(strings.HasPrefix(err, said))
			is.True(format == "table" || err == "")
			is.Equal(len(w.asked()), 2)
		}
	})
	t.Run("Should not wait longer than ten seconds, and say when to try again", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.refuse(request, 9, 429, "1200", limited)
		code, _, err := w.run(start...)
		is.Equal(code, 6)
		is.Equal(err, "error: Too many requests. (limit.rate_exceeded)\nTry again in 20m0s.\n")
		is.Equal(len(w.asked()), 1)
	})
}

func TestQuota(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, request, quota, org string }{
		{"user add x@y --org acme --role member", "POST /organizations/acme/users", "users", "acme"},
		{"apikey create ci --user " + adaID, "POST /organizations/acme/api-keys", "api_keys", "acme"},
		{"workflow start --org acme -t T -q q", "POST /organizations/acme/workflows", "payload_bytes", "acme"},
	} {
		t.Run("Should say who can raise the quota of "+c.quota+", and not to try again", func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			w.problem(c.request, 429, "limit.quota_exceeded", "A quota of the organization is used up.", sdk.ProblemField{Pointer: c.quota, Detail: "50 are allowed"})
			code, _, err := w.run(strings.Fields(c.args)...)
			is.Equal(code, 5)
			is.True(strings.Contains(err, "An operator can raise the quota: bulkhead org limits set "+c.quota+" --org acme --max N\n"))
			is.True(!strings.Contains(err, "ry again"))
			asked := 0
			for _, r := range w.asked() {
				if strings.HasPrefix(r.line, "POST ") {
					asked++
				}
			}
			is.Equal(asked, 1)
		})
	}
}

func TestFailureAsJSON(t *testing.T) {
	t.Parallel()
	failed := func(t *testing.T, w *world, args ...string) (int, trouble) {
		t.Helper()
		code, _, err := w.run(args...)
		var got trouble
		if e := json.Unmarshal([]byte(err), &got); e != nil {
			t.Fatalf("%v: %s", e, err)
		}
		return code, got
	}
	t.Run("Should hand on what the API said", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.refuse("POST /organizations/acme/users", 9, 429, "60", sdk.Problem{
			Code: "limit.rate_exceeded", Detail: "Too many.", RequestID: "req_1", Fields: []sdk.ProblemField{{Pointer: "/email", Rule: "odd", Detail: "is odd"}},
		})
		code, got := failed(t, w, "user", "add", "x@y", "--org", "acme", "--role", "member", "-o", "json")
		is.Equal(code, 6)
		is.Equal(got, trouble{
			Code: "limit.rate_exceeded", Status: 429, Detail: "Too many.", Fields: []sdk.ProblemField{{Pointer: "/email", Rule: "odd", Detail: "is odd"}},
			RequestID: "req_1", RetryAfter: 60, Hint: "Try again in 1m0s.", Exit: 6,
		})
	})
	t.Run("Should be JSON for what the program finds wrong itself", func(t *testing.T) {
		is := is.New(t)
		for _, line := range []string{
			"org create acme -o json", "org show --xyzzy --output=json", "-o json ogr list", "org show a b --output json", "apikey revoke " + keyID + " -o json",
		} {
			code, got := failed(t, newWorld(t), strings.Fields(line)...)
			is.Equal(code, 2)
			is.Equal(got.Exit, exitUsage)
			is.True(got.Detail != "" && got.Hint != "")
		}
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		w.deps.Worker = func(ctx context.Context) error { cancel(); return ctx.Err() }
		code, _, err := w.runContext(ctx, "worker", "-o", "json")
		is.Equal(code, 130)
		is.Equal(err, "{\n  \"detail\": \"interrupted\",\n  \"exit_code\": 130\n}\n")
	})
	t.Run("Should be words without it, also where it is no flag", func(t *testing.T) {
		is := is.New(t)
		for _, line := range []string{"org create acme -o table", "org show --xyzzy -- -o json", "org show -o json -o table a b"} {
			code, _, err := newWorld(t).run(strings.Fields(line)...)
			is.Equal(code, 2)
			is.True(strings.HasPrefix(err, "error: "))
		}
	})
	t.Run("Should show the code dimly on a terminal", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.env.ErrTerminal = true
		w.problem("GET /auth/whoami", 500, "internal", "Something went wrong.")
		_, _, err := w.run("whoami")
		is.True(strings.Contains(err, "Something went wrong.\x1b[2m (internal)\x1b[0m\n"))
	})
}

func TestHints(t *testing.T) {
	t.Parallel()
	t.Run("Should name what a key may be refused for", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.vars["BULKHEAD_API_KEY"] = "bhk_another"
		code, _, err := w.run("whoami")
		is.Equal(code, 4)
		for _, cause := range []string{"mistyped", "revoked", "disabled", "expired", "other addresses", "suspended or deleted", "another deployment"} {
			is.True(strings.Contains(err, cause))
		}
	})
	t.Run("Should name the permission that the key lacks, to people and to programs", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.answer("GET /organizations/acme/users", 403, sdk.Problem{Status: 403, Code: "auth.forbidden", Detail: "No.", Permission: "users:read"})
		code, _, err := w.run("user", "list", "--org", "acme")
		is.Equal(code, 4)
		is.True(strings.Contains(err, "It takes the permission users:read. Run \"bulkhead whoami\""))
		_, _, err = w.run("user", "list", "--org", "acme", "--output", "json")
		is.True(strings.Contains(err, `"permission": "users:read"`))
	})
	t.Run("Should name the permission that finding a user by address takes", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.problem("GET /organizations/acme/users", 403, "auth.forbidden", "This credential does not allow the operation.")
		code, _, err := w.run("apikey", "create", "ci", "--user", "ada@acme.example")
		is.Equal(code, 4)
		is.Equal(err, "error: to find the user ada@acme.example takes the permission users:read, which the API key lacks (auth.forbidden)\n"+
			"request id: req_1\nName the user by id, which takes none: usr_…\n")
		code, _, _ = w.run("apikey", "create", "ci", "--user", adaID)
		is.Equal(code, 0)
	})
	t.Run("Should say how a user is named", func(t *testing.T) {
		is := is.New(t)
		for _, line := range []string{"apikey create x --user ci", "apikey list --user ci", "user get ci"} {
			w := newWorld(t)
			code, _, err := w.run(append(strings.Fields(line), "--org", "acme")...)
			is.Equal(code, 2)
			is.True(strings.HasPrefix(err, `error: a user is named by id, usr_…, or by e-mail address, and not by "ci"`))
			is.Equal(len(w.asked()), 0)
		}
	})
	t.Run("Should send whoever has no schema to make it", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		state := "42P01"
		w.deps.Bootstrap = func(context.Context, BootstrapOptions) (BootstrapResult, error) {
			return BootstrapResult{}, fmt.Errorf("read the organization: %w", postgresError(state))
		}
		code, _, err := w.run("bootstrap")
		is.Equal(code, 1)
		is.Equal(err, "error: the database has no schema yet\nMake it: bulkhead migrate up\n")
		state = "42703"
		_, _, err = w.run("bootstrap")
		is.Equal(err, "error: read the organization: Postgres says 42703\n")
	})
}

// postgresError is what the driver returns, as far as it matters here.
type postgresError string

func (e postgresError) Error() string    { return "Postgres says " + string(e) }
func (e postgresError) SQLState() string { return string(e) }
