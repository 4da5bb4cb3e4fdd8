// Package e2e proves the built binary: nothing of the Temporal server is imported here but the description of one of its
// services, so that the tests compile in seconds.
package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	systemAdmin = "temporal-system:admin"
	audience    = "temporal"
)

func TestTemporal(t *testing.T) {
	binary := binaryUnderTest(t)
	dir := t.TempDir()
	keys := newIssuer(t, filepath.Join(dir, "jwks.json"))
	start := func(extra ...string) *server {
		return startServer(t, binary, append([]string{"temporal", "--data-dir", filepath.Join(dir, "data"), "--jwks", keys.path}, extra...)...)
	}
	running := start()
	frontend := dial(t, running.Address)

	other := newIssuer(t, filepath.Join(t.TempDir(), "jwks.json"))
	for name, token := range map[string]string{
		"no token":                             "",
		"garbage":                              "garbage",
		"a token for another audience":         keys.token(t, "elsewhere", systemAdmin),
		"a token of a foreign key":             other.token(t, audience, systemAdmin),
		"a token that only says worker":        keys.token(t, audience, "org-a:worker"),
		"a token of another organization":      keys.token(t, audience, "org-b:write"),
		"a token whose permissions are a word": keys.token(t, audience, "admin"),
	} {
		t.Run("Should refuse "+name, func(t *testing.T) {
			is := is.New(t)
			_, err := frontend.DescribeNamespace(bearer(t, token), &workflowservice.DescribeNamespaceRequest{Namespace: "org-a"})
			is.Equal(status.Code(err), codes.PermissionDenied)
			_, err = frontend.RegisterNamespace(bearer(t, token), registration("org-x"))
			is.Equal(status.Code(err), codes.PermissionDenied)
		})
	}

	t.Run("Should let the system administrator register a namespace and its own token use it", func(t *testing.T) {
		is := is.New(t)
		_, err := frontend.RegisterNamespace(bearer(t, keys.token(t, audience, systemAdmin)), registration("org-a"))
		is.NoErr(err)
		own := bearer(t, keys.token(t, audience, "org-a:write"))
		_, err = frontend.DescribeNamespace(own, &workflowservice.DescribeNamespaceRequest{Namespace: "org-a"})
		is.NoErr(err)
		_, err = frontend.RegisterNamespace(own, registration("org-b"))
		is.Equal(status.Code(err), codes.PermissionDenied) // only the system may register
	})

	t.Run("Should refuse through the HTTP API what it refuses through gRPC", func(t *testing.T) {
		is := is.New(t)
		page := "http://" + running.HTTPAddress + "/api/v1/namespaces/org-a"
		is.Equal(get(t, page, ""), http.StatusForbidden)
		is.Equal(get(t, page, keys.token(t, audience, "org-b:write")), http.StatusForbidden)
		is.Equal(get(t, page, keys.token(t, audience, "org-a:read")), http.StatusOK)
	})

	t.Run("Should accept a new key soon after it is published", func(t *testing.T) {
		keys.rotate(t)
		eventually(t, 10*time.Second, func() bool {
			_, err := frontend.DescribeNamespace(bearer(t, keys.token(t, audience, "org-a:read")), &workflowservice.DescribeNamespaceRequest{Namespace: "org-a"})
			return err == nil
		})
	})

	t.Run("Should refuse a second server on its data directory", func(t *testing.T) {
		is := is.New(t)
		output, err := runToEnd(t, binary, "temporal", "--data-dir", filepath.Join(dir, "data"), "--jwks", keys.path)
		is.True(err != nil)
		is.True(contains(output, "is in use by process")) // says who has it
	})

	t.Run("Should come back at the same address with its namespaces after kill -9", func(t *testing.T) {
		is := is.New(t)
		running.kill(t)
		again := start("--port", running.port(t, running.Address), "--http-port", running.port(t, running.HTTPAddress))
		is.Equal(again.Address, running.Address)
		is.Equal(again.HTTPAddress, running.HTTPAddress)
		_, err := dial(t, again.Address).DescribeNamespace(bearer(t, keys.token(t, audience, "org-a:read")),
			&workflowservice.DescribeNamespaceRequest{Namespace: "org-a"})
		is.NoErr(err)
		is.NoErr(again.closeStdin(t)) // the end of standard input is an orderly stop
	})

	t.Run("Should say which JWKS it could not read", func(t *testing.T) {
		is := is.New(t)
		missing := filepath.Join(dir, "missing.json")
		output, err := runToEnd(t, binary, "temporal", "--data-dir", filepath.Join(dir, "other"), "--jwks", missing, "--jwks-timeout", "100ms")
		is.True(err != nil)
		is.True(contains(output, missing)) // names the file
	})

	t.Run("Should keep its database private", func(t *testing.T) {
		is := is.New(t)
		info, err := os.Stat(filepath.Join(dir, "data", "temporal.db"))
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), os.FileMode(0o600))
	})
}

func registration(name string) *workflowservice.RegisterNamespaceRequest {
	return &workflowservice.RegisterNamespaceRequest{Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour)}
}

func dial(t *testing.T, address string) workflowservice.WorkflowServiceClient {
	t.Helper()
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return workflowservice.NewWorkflowServiceClient(connection)
}

func bearer(t *testing.T, token string) context.Context {
	t.Helper()
	if token == "" {
		return t.Context()
	}
	return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
}

func get(t *testing.T, page, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// eventually waits for a condition that another process brings about.
func eventually(t *testing.T, limit time.Duration, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v", limit)
		case <-ticker.C:
		}
	}
}
