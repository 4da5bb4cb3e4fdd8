package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// startFleet starts the example worker with the platform's worker key.
func startFleet(t *testing.T, s *harness.Stack) *harness.Daemon {
	t.Helper()
	worker := harness.NewDaemon("example worker", harness.Build(t, "sdk/examples/worker"), "",
		[]string{"PATH=" + os.Getenv("PATH"), "BULKHEAD_URL=" + s.URL, "BULKHEAD_API_KEY=" + s.WorkerKey})
	worker.Launch(t)
	t.Cleanup(func() {
		if code := worker.Stop(); code != 0 {
			t.Errorf("the example worker ended with %d", code)
		}
		if t.Failed() {
			t.Logf("log of the example worker:\n%s", worker.Log())
		}
	})
	return worker
}

// ok runs a command, which must succeed, and decodes its JSON.
func ok[T any](t *testing.T, s *harness.Stack, key string, args ...string) T {
	t.Helper()
	out := s.Command(t, key, append(args, "--output", "json")...)
	if out.Code != 0 {
		t.Fatalf("bulkhead %s: exit %d\n%s%s", strings.Join(args, " "), out.Code, out.Stdout, out.Stderr)
	}
	var v T
	if err := json.Unmarshal([]byte(out.Stdout), &v); err != nil {
		t.Fatalf("bulkhead %s: %v\n%s", strings.Join(args, " "), err, out.Stdout)
	}
	return v
}

func TestMainJob(t *testing.T) {
	t.Parallel()
	s := harness.NewStack(t)
	startFleet(t, s)

	greet := func(t *testing.T, key, id, name string) string {
		t.Helper()
		started := ok[sdk.Workflow](t, s, key, "workflow", "start", "--type", "Greet", "--task-queue", "default", "--id", id, "--input", `"`+name+`"`)
		is.New(t).Equal(started.WorkflowID, id)
		result := ok[sdk.WorkflowResult](t, s, key, "workflow", "result", id)
		var greeting string
		is.New(t).NoErr(result.Decode(&greeting))
		return greeting
	}

	t.Run("Should take a tenant from nothing to a workflow's result, by the CLI alone", func(t *testing.T) {
		is := is.New(t)
		created := ok[sdk.OrganizationCreated](t, s, s.OperatorKey, "org", "create", "acme", "--admin-email", "ada@acme.example")
		is.Equal(created.Organization.State, sdk.OrganizationStateActive)
		is.True(strings.HasPrefix(created.Organization.Namespace, "org-acme-"))
		key := ok[sdk.APIKeyCreated](t, s, s.OperatorKey, "apikey", "create", "admin", "--org", "acme", "--user", "ada@acme.example")

		// From here on with the tenant's own key: its organization need not be named.
		added := ok[sdk.User](t, s, key.Secret, "user", "add", "grace@acme.example", "--role", "member")
		is.Equal(added.Role, sdk.RoleMember)
		is.Equal(greet(t, key.Secret, "hello", "Ada"), "Hello, Ada!")
		shown := ok[sdk.Workflow](t, s, key.Secret, "workflow", "show", "hello")
		is.Equal(shown.Status, sdk.WorkflowStatusCompleted)

		again := s.Command(t, key.Secret, "workflow", "start", "--type", "Greet", "--task-queue", "default", "--id", "hello")
		is.Equal(again.Code, 5) // a conflict: the id has run
		is.True(strings.Contains(again.Stderr, "error: "))
	})

	t.Run("Should serve an organization that appears while the worker runs", func(t *testing.T) {
		is := is.New(t)
		tenant := s.NewTenant(t, "latecomer")
		is.Equal(greet(t, tenant.Key, "hello", "Grace"), "Hello, Grace!")
	})

	t.Run("Should share a pool among the processes that name themselves, and move what one leaves within a second", func(t *testing.T) {
		is := is.New(t)
		for i := range 6 {
			slug := "shared-" + strconv.Itoa(i)
			s.NewTenant(t, slug)
			changed := ok[sdk.Organization](t, s, s.OperatorKey, "org", "update", slug, "--worker-pool", "shared")
			is.Equal(changed.WorkerPool, "shared")
		}
		workers := s.Client(t, s.WorkerKey)
		ask := func(q sdk.AssignmentQuery, etag string, wait time.Duration) (int, string) {
			list, etag, err := workers.Assignments(t.Context(), q, etag, wait)
			is.NoErr(err)
			return len(list.Items), etag
		}
		one, two := sdk.AssignmentQuery{Pool: "shared", Member: "one"}, sdk.AssignmentQuery{Pool: "shared", Member: "two"}
		alone, etag := ask(one, "", 0)
		is.Equal(alone, 6)
		joined, _ := ask(two, "", 0)
		left, etag := ask(one, etag, time.Minute)
		is.Equal(joined+left, 6)
		is.True(joined > 0)
		two.Leaving = true
		go func() { _, _, _ = workers.Assignments(t.Context(), two, "", 0) }()
		start := time.Now()
		all, _ := ask(one, etag, time.Minute)
		is.Equal(all, 6)
		t.Logf("told after %v", time.Since(start))
		is.True(time.Since(start) < 5*time.Second) // of a machine that does much else; see assignments.lookEvery
	})

	t.Run("Should take a workflow's id in any letters", func(t *testing.T) {
		is := is.New(t)
		tenant := s.NewTenant(t, "polyglot")
		for i, id := range []string{"é", "заказ/7", "注文 42", "🚀"} {
			is.Equal(greet(t, tenant.Key, id, strconv.Itoa(i)), "Hello, "+strconv.Itoa(i)+"!")
		}
		for _, id := range []string{".", ".."} { // which would be taken for steps in a path
			_, err := tenant.Client.StartWorkflow(t.Context(), "polyglot", sdk.WorkflowStart{WorkflowID: id, Type: "Greet", TaskQueue: "default"})
			is.True(err != nil)
		}
	})

	t.Run("Should end a revoked key at once", func(t *testing.T) {
		is := is.New(t)
		tenant := s.NewTenant(t, "leaver")
		keys, err := tenant.Client.ListAPIKeys(t.Context(), "leaver", sdk.APIKeyFilter{}, sdk.ListOptions{})
		is.NoErr(err)
		is.Equal(len(keys.Items), 1)
		out := s.Command(t, tenant.Key, "apikey", "revoke", keys.Items[0].ID, "--yes")
		is.Equal(out.Code, 0)
		_, err = tenant.Client.Whoami(t.Context())
		is.True(sdk.IsUnauthenticated(err))
		is.Equal(s.Command(t, tenant.Key, "whoami").Code, 4)
	})

	t.Run("Should bootstrap once, and give an operator who lost the key another", func(t *testing.T) {
		is := is.New(t)
		is.True(!s.Bootstrap(t).Created)
		recovered := s.Bootstrap(t, "--new-key")
		is.True(!recovered.Created)
		who, err := s.Client(t, recovered.OperatorKey).Whoami(t.Context())
		is.NoErr(err)
		is.Equal(who.Role, "operator")
	})
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	s := harness.NewStack(t)
	tenant := s.NewTenant(t, "acme")

	t.Run("Should answer a request that waits when the API is asked to end", func(t *testing.T) {
		is := is.New(t)
		// Nobody serves this queue: the workflow runs for as long as the test.
		w, err := tenant.Client.StartWorkflow(t.Context(), "acme", sdk.WorkflowStart{Type: "Greet", TaskQueue: "nobody"})
		is.NoErr(err)
		sent, answered := make(chan struct{}), make(chan error, 1)
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) },
		})
		var result *sdk.WorkflowResult
		go func() {
			var err error
			result, err = tenant.Client.WorkflowResult(ctx, "acme", w.WorkflowID, "", time.Minute)
			answered <- err
		}()
		<-sent
		// Connections are accepted in their order: once a later one is served, so is this one.
		_, err = s.Client(t, "").Liveness(t.Context())
		is.NoErr(err)
		is.Equal(s.API.Stop(), 0)
		is.NoErr(<-answered) // told the present state, not cut off
		is.Equal(result.Status, sdk.WorkflowStatusRunning)
	})

	t.Run("Should come back on the same database and end when asked", func(t *testing.T) {
		is := is.New(t)
		s.API.Start(t)
		s.API.AwaitStatus(t, "/readyz", http.StatusOK)
		_, err := tenant.Client.Whoami(t.Context())
		is.NoErr(err)
		s.Worker.Signal(syscall.SIGTERM)
		is.Equal(s.Worker.Await(t), 0)
	})
}
