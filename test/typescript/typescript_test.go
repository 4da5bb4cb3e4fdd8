//go:build typescript

// Package typescript runs the example of a worker in TypeScript on the real product.
// It needs Node and what the example installs from npm, so that it is asked for by
// name: make test/typescript.
package typescript

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

var outlive = flag.Bool("outlive", false, "also see that the worker serves on when its first token has ended, which takes five minutes")

const program = "../../sdk/examples/typescript/lib/worker.js"

func TestWorker(t *testing.T) {
	s := harness.NewStack(t)
	acme, globex := s.NewTenant(t, "acme"), s.NewTenant(t, "globex")
	key, err := acme.Client.CreateAPIKey(t.Context(), "acme", sdk.APIKeyCreate{Name: "worker", Scopes: []string{"tokens:write"}})
	if err != nil {
		t.Fatal(err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	worker := harness.NewDaemon("typescript worker", node, "", []string{
		"PATH=" + os.Getenv("PATH"), "BULKHEAD_URL=" + s.URL, "BULKHEAD_API_KEY=" + key.Secret, "TEMPORAL_TLS=false",
	}, program)
	worker.Launch(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the worker:\n%s", worker.Log())
		}
	})

	greet := func(tenant harness.Tenant, slug string, wait time.Duration) *sdk.WorkflowResult {
		t.Helper()
		w, err := tenant.Client.StartWorkflow(t.Context(), slug, sdk.WorkflowStart{Type: "Greet", TaskQueue: "default", Input: []json.RawMessage{[]byte(`"Ada"`)}})
		if err != nil {
			t.Fatal(err)
		}
		result, err := tenant.Client.WorkflowResult(t.Context(), slug, w.WorkflowID, w.RunID, wait)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}

	t.Run("Should serve the organization of its key", func(t *testing.T) {
		is := is.New(t)
		var greeting string
		is.NoErr(greet(acme, "acme", time.Minute).Decode(&greeting))
		is.Equal(greeting, "Hello, Ada!")
	})
	t.Run("Should serve no other", func(t *testing.T) {
		is := is.New(t)
		is.Equal(greet(globex, "globex", 3*time.Second).Status, sdk.WorkflowStatusRunning)
	})
	if *outlive {
		t.Run("Should serve on when its first token has ended", func(t *testing.T) {
			is := is.New(t)
			later, err := acme.Client.Token(t.Context(), sdk.TokenRequest{}) // it ends after the worker's first
			is.NoErr(err)
			<-time.NewTimer(time.Until(later.ExpiresAt) + 10*time.Second).C
			is.Equal(greet(acme, "acme", time.Minute).Status, sdk.WorkflowStatusCompleted)
		})
	}
	t.Run("Should end in order when asked", func(t *testing.T) {
		is := is.New(t)
		is.Equal(worker.Stop(), 0)
	})
}

// TestMain removes what the harness has built.
func TestMain(m *testing.M) {
	code := m.Run()
	harness.RemoveBuilt()
	os.Exit(code)
}
