package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// dial returns Temporal's own client with a data-plane token, as any program of
// a tenant would make it.
func dial(t *testing.T, token *sdk.Token, namespace string) client.Client {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{
		HostPort: token.TemporalAddress, Namespace: namespace,
		Credentials:       client.NewAPIKeyStaticCredentials(token.Token),
		ConnectionOptions: client.ConnectionOptions{TLSDisabled: true},
		Logger:            log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// echo is a tenant's own workflow.
func echo(_ workflow.Context, s string) (string, error) { return s, nil }

// serve runs a worker with the client until the test ends.
func serve(t *testing.T, c client.Client) error {
	t.Helper()
	w := worker.New(c, "own", worker.Options{})
	w.RegisterWorkflowWithOptions(echo, workflow.RegisterOptions{Name: "Echo"})
	err := w.Start()
	if err == nil {
		t.Cleanup(w.Stop)
	}
	return err
}

func denied(err error) bool {
	var permission *serviceerror.PermissionDenied
	return errors.As(err, &permission)
}

func TestDataPlane(t *testing.T) {
	t.Parallel()
	s := harness.NewStack(t)
	a, b := s.NewTenant(t, "alpha"), s.NewTenant(t, "beta")
	token, err := a.Client.Token(t.Context(), sdk.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context, c client.Client) error {
		run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: "own"}, "Echo", "said")
		if err != nil {
			return err
		}
		var said string
		if err := run.Get(ctx, &said); err != nil {
			return err
		}
		if said != "said" {
			return errors.New(said)
		}
		return nil
	}

	t.Run("Should serve and start a tenant's workflows with its token", func(t *testing.T) {
		is := is.New(t)
		is.Equal(token.Namespace, a.Org.Namespace)
		own := dial(t, token, a.Org.Namespace)
		is.NoErr(serve(t, own))
		is.NoErr(run(t.Context(), own))
	})

	t.Run("Should have Temporal itself refuse the token on another tenant", func(t *testing.T) {
		is := is.New(t)
		foreign := dial(t, token, b.Org.Namespace)
		is.True(denied(serve(t, foreign)))
		is.True(denied(run(t.Context(), foreign)))
		_, err := foreign.DescribeWorkflow(t.Context(), "any", "")
		is.True(denied(err))
		_, err = foreign.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{})
		is.True(denied(err))
		err = foreign.SignalWorkflow(t.Context(), "any", "", "signal", nil)
		is.True(denied(err))
		err = foreign.TerminateWorkflow(t.Context(), "any", "", "")
		is.True(denied(err))
	})

	t.Run("Should have Temporal refuse what only the control plane may do", func(t *testing.T) {
		is := is.New(t)
		own := dial(t, token, a.Org.Namespace).WorkflowService()
		_, err := own.RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{Namespace: "org-mine"})
		is.True(denied(err))
		_, err = own.UpdateNamespace(t.Context(), &workflowservice.UpdateNamespaceRequest{Namespace: a.Org.Namespace})
		is.True(denied(err))
		_, err = own.ListNamespaces(t.Context(), &workflowservice.ListNamespacesRequest{})
		is.True(denied(err))
	})

	t.Run("Should refuse the same through Temporal's HTTP API", func(t *testing.T) {
		is := is.New(t)
		get := func(namespace, bearer string) int {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Temporal.HTTPAddress+"/api/v1/namespaces/"+namespace+"/workflows", nil)
			is.NoErr(err)
			if bearer != "" {
				req.Header.Set("Authorization", "Bearer "+bearer)
			}
			res, err := http.DefaultClient.Do(req)
			is.NoErr(err)
			is.NoErr(res.Body.Close())
			return res.StatusCode
		}
		is.Equal(get(a.Org.Namespace, token.Token), http.StatusOK)
		is.Equal(get(b.Org.Namespace, token.Token), http.StatusForbidden)
		is.Equal(get(a.Org.Namespace, ""), http.StatusForbidden)
	})

	t.Run("Should have Temporal start a workflow once when the answer to the first attempt is lost", func(t *testing.T) {
		is := is.New(t)
		admin, err := pgx.Connect(t.Context(), s.Database.AdminURL)
		is.NoErr(err)
		t.Cleanup(func() { _ = admin.Close(context.Background()) })
		start := func() (*sdk.Workflow, error) {
			return a.Client.StartWorkflow(sdk.WithIdempotencyKey(t.Context(), "once"), "alpha", sdk.WorkflowStart{Type: "Echo", TaskQueue: "nobody"})
		}
		first, err := start()
		is.NoErr(err)
		// As a process that died before it could keep the answer leaves it.
		_, err = admin.Exec(t.Context(), `UPDATE idempotency_keys SET state = 'running', status = NULL, response = NULL, sealed_by = NULL, lapses_at = now()`)
		is.NoErr(err)
		again, err := start()
		is.NoErr(err)
		is.Equal([]string{again.WorkflowID, again.RunID}, []string{first.WorkflowID, first.RunID})
		replayed, err := start()
		is.NoErr(err)
		is.Equal(replayed, again)
	})

	t.Run("Should let a read token read and do no more", func(t *testing.T) {
		is := is.New(t)
		reading, err := a.Client.Token(t.Context(), sdk.TokenRequest{Access: sdk.TokenRequestAccessRead})
		is.NoErr(err)
		c := dial(t, reading, a.Org.Namespace)
		_, err = c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{})
		is.NoErr(err)
		is.True(denied(run(t.Context(), c)))
	})

	t.Run("Should exchange a key for its own organization only", func(t *testing.T) {
		is := is.New(t)
		for _, other := range []string{b.Org.ID, b.Org.Slug, "nobody"} {
			_, err := a.Client.Token(t.Context(), sdk.TokenRequest{Organization: other})
			is.True(sdk.IsNotFound(err))
		}
		_, err := s.Operator(t).Token(t.Context(), sdk.TokenRequest{}) // the system's namespace is nobody's
		is.True(sdk.IsConflict(err))
	})

	t.Run("Should assign each worker what its key may serve", func(t *testing.T) {
		is := is.New(t)
		own, _, err := a.Client.Assignments(t.Context(), sdk.AssignmentQuery{}, "", 0)
		is.NoErr(err)
		is.Equal(len(own.Items), 1)
		is.Equal(own.Items[0].Namespace, a.Org.Namespace)
		all, _, err := s.Client(t, s.WorkerKey).Assignments(t.Context(), sdk.AssignmentQuery{}, "", 0)
		is.NoErr(err)
		is.Equal(len(all.Items), 2)
		// And a worker's key can do nothing else.
		worker := s.Client(t, s.WorkerKey)
		_, err = worker.ListOrganizations(t.Context(), sdk.OrganizationFilter{}, sdk.ListOptions{})
		is.True(sdk.IsForbidden(err))
		_, err = worker.ListUsers(t.Context(), a.Org.Slug, sdk.UserFilter{}, sdk.ListOptions{})
		is.True(sdk.IsForbidden(err))
		_, err = worker.StartWorkflow(t.Context(), a.Org.Slug, sdk.WorkflowStart{Type: "Echo", TaskQueue: "own"})
		is.True(sdk.IsForbidden(err))
	})
}

// shape is a path without the identifiers of this run.
func shape(path string) string {
	segments := strings.Split(path, "/")
	if len(segments) > 2 {
		segments[2] = "…"
	}
	return "organization" + strings.Join(segments, "/")
}

// requestID is the one thing in which two answers to the same request differ.
var requestID = regexp.MustCompile(`"request_id":"[^"]+"`)

func TestForeignIsAbsent(t *testing.T) {
	t.Parallel()
	s := harness.NewStack(t)
	a, b := s.NewTenant(t, "alpha"), s.NewTenant(t, "beta")
	started, err := b.Client.StartWorkflow(t.Context(), "beta", sdk.WorkflowStart{WorkflowID: "theirs", Type: "Echo", TaskQueue: "own"})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := b.Client.ListAPIKeys(t.Context(), "beta", sdk.APIKeyFilter{}, sdk.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now() // the other tenant does nothing from here on
	answer := func(t *testing.T, method, path, body string) string {
		t.Helper()
		is := is.New(t)
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewBufferString(body))
		is.NoErr(err)
		req.Header.Set("Authorization", "Bearer "+a.Key)
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		res, err := http.DefaultClient.Do(req)
		is.NoErr(err)
		raw, err := io.ReadAll(res.Body)
		is.NoErr(err)
		is.NoErr(res.Body.Close())
		is.Equal(res.StatusCode, http.StatusNotFound)
		res.Header.Del("Date")
		res.Header.Del("X-Request-Id")
		var head strings.Builder
		is.NoErr(res.Header.Write(&head))
		return head.String() + requestID.ReplaceAllString(string(raw), "")
	}
	absent := []string{"org_7zzzzzzzzzzzzzzzzzzzzzzzzz", "nobody"}
	start := `{"type":"Echo","task_queue":"own"}`
	for _, call := range []struct{ method, path, body string }{
		{"GET", "", ""},
		{"GET", "/users", ""},
		{"POST", "/users", `{"email":"spy@alpha.example","role":"viewer"}`},
		{"GET", "/users/" + b.Admin.ID, ""},
		{"GET", "/api-keys", ""},
		{"POST", "/api-keys", `{"name":"spy","scopes":["users:read"]}`},
		{"GET", "/api-keys/" + keys.Items[0].ID, ""},
		{"POST", "/api-keys/" + keys.Items[0].ID + "/revoke", ""},
		{"POST", "/workflows", start},
		{"GET", "/workflows/" + started.WorkflowID, ""},
		{"GET", "/workflows/" + started.WorkflowID + "/result", ""},
	} {
		t.Run("Should answer "+call.method+" "+shape(call.path)+" on another tenant as on none", func(t *testing.T) {
			is := is.New(t)
			for i, ref := range []string{b.Org.ID, b.Org.Slug} {
				foreign := answer(t, call.method, "/api/v0/organizations/"+ref+call.path, call.body)
				none := answer(t, call.method, "/api/v0/organizations/"+absent[i]+call.path, call.body)
				is.Equal(foreign, none) // byte for byte
			}
		})
	}

	t.Run("Should not find another tenant's things in one's own organization", func(t *testing.T) {
		own := "/api/v0/organizations/alpha"
		answer(t, "GET", own+"/users/"+b.Admin.ID, "")
		answer(t, "GET", own+"/api-keys/"+keys.Items[0].ID, "")
		answer(t, "POST", own+"/api-keys/"+keys.Items[0].ID+"/revoke", "")
		answer(t, "GET", own+"/workflows/"+started.WorkflowID, "")
		answer(t, "GET", own+"/workflows/"+started.WorkflowID+"/result", "")
	})

	t.Run("Should leave the other tenant as it was", func(t *testing.T) {
		is := is.New(t)
		ended := time.Now()
		after, err := b.Client.ListAPIKeys(t.Context(), "beta", sdk.APIKeyFilter{}, sdk.ListOptions{})
		is.NoErr(err)
		is.Equal(len(after.Items), len(keys.Items))
		for i := range after.Items {
			used := &after.Items[i].LastUsedAt // its own use, which is written some seconds late
			is.True(used.Before(began) || used.After(ended))
			*used = keys.Items[i].LastUsedAt
		}
		is.Equal(after, keys)
		users, err := b.Client.ListUsers(t.Context(), "beta", sdk.UserFilter{}, sdk.ListOptions{})
		is.NoErr(err)
		is.Equal(len(users.Items), 1)
	})
}
