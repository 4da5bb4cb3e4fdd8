package cli

import (
	"net/http"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/sdk"
)

func TestOrganizationLife(t *testing.T) {
	t.Parallel()
	t.Run("Should ask before it suspends or deletes, and change nothing without a yes", func(t *testing.T) {
		is := is.New(t)
		for line, question := range map[string]string{
			"org suspend acme --reason unpaid": "Suspend organization acme?",
			"org delete acme":                  "Delete organization acme (Acme Corp.)? Its keys stop at once, and its namespace org-acme-84sn02q0 goes after its time of grace. [y/N]",
			"org delete acme --now":            "with all its data and its namespace org-acme-84sn02q0, now and for good? [y/N]",
		} {
			w := newWorld(t)
			w.typing("n\n")
			code, _, err := w.run(strings.Fields(line)...)
			is.Equal(code, 1)
			is.True(strings.Contains(err, question))
			for _, r := range w.asked() {
				is.True(strings.HasPrefix(r.line, "GET ")) // it only looked
			}
			w = newWorld(t) // nobody to ask
			code, _, _ = w.run(strings.Fields(line)...)
			is.Equal(code, 2)
		}
	})
	t.Run("Should send the version that it asked about", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		tags := map[string]string{}
		for _, method := range []string{"DELETE", "PATCH"} {
			w.answers[method+" /organizations/acme"] = func(out http.ResponseWriter, r *http.Request) {
				tags[r.Method] = r.Header.Get("If-Match")
				send(out, 412, sdk.Problem{Code: "request.stale", Detail: "It has changed."})
			}
		}
		code, _, _ := w.run("org", "delete", "acme", "--yes")
		is.Equal(code, 5)
		code, _, _ = w.run("org", "update", "acme", "--name", "A")
		is.Equal(code, 5)
		is.Equal(tags, map[string]string{"DELETE": `"7.x"`, "PATCH": `"7.x"`})
	})
	t.Run("Should say how to take the protection off", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.problem("DELETE /organizations/acme", 409, "org.deletion_protected", "It is protected.")
		code, _, err := w.run("org", "delete", "acme", "--yes")
		is.Equal(code, 5)
		is.True(strings.Contains(err, "bulkhead org update acme --unprotect"))
	})
	t.Run("Should say how to go on when an operation has failed, was canceled, or takes long", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.answer("GET /operations/"+opID, 200, ended())
		code, _, err := w.run("operation", "wait", opID)
		is.Equal(code, 1)
		is.True(strings.Contains(err, "the namespace is someone else's"))
		is.True(strings.Contains(err, "bulkhead operation retry "+opID))
		canceled := operation(sdk.OperationStateCanceled, "")
		canceled.Failure = "The organization was restored."
		w.answer("GET /operations/"+opID, 200, canceled)
		code, _, err = w.run("operation", "wait", opID)
		is.Equal(code, 1)
		is.True(strings.Contains(err, "canceled: The organization was restored."))
		w.answer("GET /operations/"+opID, 200, operation(sdk.OperationStateRunning, ""))
		code, _, err = w.run("operation", "wait", opID, "--timeout", "50ms")
		is.Equal(code, 6)
		is.True(strings.Contains(err, "bulkhead operation wait "+opID))
	})
	t.Run("Should say who can take a deletion back", func(t *testing.T) {
		is := is.New(t)
		_, _, err := newWorld(t).run("org", "delete", "acme", "--yes")
		is.True(strings.HasSuffix(err, "To take it back, have an operator run:\n  bulkhead org restore acme\n"))
	})
	t.Run("Should not call it a failure that Temporal takes its time", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		waits := operation(sdk.OperationStateRunning, "namespace_deleted")
		looks := 0
		w.answers["GET /operations/"+opID] = func(out http.ResponseWriter, _ *http.Request) {
			if looks++; looks > 3 {
				waits = operation(sdk.OperationStateSucceeded, "namespace_gone")
			} else {
				waits.Attempts, waits.Failure, waits.FailureCode = int32(looks), ports.ErrNamespaceReclaiming.Public, ports.ErrNamespaceReclaiming.Code
			}
			send(out, 200, waits)
		}
		code, _, err := w.run("org", "delete", "acme", "--now", "--yes")
		is.Equal(code, 0)
		is.Equal(err, "Deleting organization acme\n  namespace deleted; waiting for Temporal to remove what was in the namespace\n  namespace gone\n")
	})
	t.Run("Should ask before it removes every rule of the allow-list", func(t *testing.T) {
		is := is.New(t)
		line := []string{"org", "allow-list", "set", "acme"}
		w := newWorld(t)
		w.typing("n\n")
		code, _, err := w.run(line...)
		is.Equal(code, 1)
		is.True(strings.Contains(err, "Remove every rule of acme? Then each role may start every workflow. [y/N]"))
		code, _, _ = newWorld(t).run(line...) // nobody to ask
		is.Equal(code, 2)
		is.Equal(len(w.asked()), 0)
		w = newWorld(t)
		code, _, _ = w.run(append(line, "--yes")...)
		is.Equal(code, 0)
		is.Equal(w.last().body, `{"rules":[]}`)
	})
	t.Run("Should refuse a command line that names nothing or too much", func(t *testing.T) {
		is := is.New(t)
		for line, want := range map[string]string{
			"org update acme":                                 "nothing is named",
			"org update --org acme":                           "nothing is named",
			"org update acme --protect --unprotect":           "exclude each other",
			"org update acme --metadata plan":                 "KEY=VALUE",
			"org suspend acme":                                "--reason is needed",
			"org create acme":                                 "--admin-email is needed",
			"org create acme --admin-email a@b --metadata =x": "KEY=VALUE",
		} {
			code, _, err := newWorld(t).run(strings.Fields(line)...)
			is.Equal(code, 2)
			is.True(strings.Contains(err, want))
		}
	})
	t.Run("Should create with more admins, an id and metadata", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.run("org", "create", "acme", "--admin-email", "a@b", "--admin-email", "c@d", "--id", orgID, "--metadata", "plan=gold", "--no-wait")
		is.Equal(w.last().body, `{"admin":{"email":"a@b"},"admins":[{"email":"c@d"}],"id":"`+orgID+`","metadata":{"plan":"gold"},"slug":"acme"}`)
	})
}
