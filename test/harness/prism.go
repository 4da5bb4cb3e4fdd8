package harness

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bulkheadhq/bulkhead/test/contract"
)

// prismVariable names the program of Prism, an independent validator that is put
// between the clients of the tests and the API when it is set (make test/contract).
const prismVariable = "BULKHEAD_TEST_PRISM"

// prismErrors is what the types of Prism's own problems begin with.
const prismErrors = "https://stoplight.io/prism/errors#"

// prism is the validator before one API.
type prism struct {
	start sync.Once
	host  string
}

// httpClient returns the client with which tests speak to the API. Each answer is
// held against the API's document: by the project's own check, or by Prism, which
// adds headers of its own.
func (s *Stack) httpClient(t testing.TB) *http.Client {
	t.Helper()
	program := os.Getenv(prismVariable)
	if program == "" {
		return contract.Client(t)
	}
	s.prism.start.Do(func() { s.startPrism(t, program) })
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	return &http.Client{Transport: detour{t, base, s.prism.host}}
}

// startPrism starts the validator, which ends with the test of the stack.
func (s *Stack) startPrism(t testing.TB, program string) {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(FreePort(t))
	s.prism.host = "127.0.0.1:" + port
	d := NewDaemon("Prism", program, "http://"+s.prism.host, []string{"PATH=" + os.Getenv("PATH")},
		"proxy", filepath.Join(root, "api/openapi.yaml"), s.URL, "--errors", "--host", "127.0.0.1", "--port", port)
	s.owner.Cleanup(func() { d.Stop() })
	d.Start(t)
}

// detour sends requests to Prism, and fails the test for what Prism objects to.
type detour struct {
	t    testing.TB
	base http.RoundTripper
	host string
}

// RoundTrip sends the request.
func (d detour) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = d.host
	res, err := d.base.RoundTrip(r)
	if err != nil || res.StatusCode < http.StatusBadRequest {
		return res, err
	}
	raw, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(raw))
	if strings.Contains(string(raw), prismErrors) && d.t.Context().Err() == nil {
		d.t.Errorf("%s %s: Prism objects: %s", r.Method, r.URL.Path, raw)
	}
	return res, nil
}
