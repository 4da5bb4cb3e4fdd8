package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The fake product is this test binary, started through a script that gives it a directory for what it records:
//
//	calls.jsonl       one call a line: its arguments and its whole environment
//	fail-<command>    the command ends with this text as its last words
const fakeArgument = "fake-product"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == fakeArgument {
		os.Exit(fakeProduct(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

type call struct {
	Args        []string
	Environment []string
}

func (c call) value(name string) string {
	for _, entry := range c.Environment {
		if key, value, _ := strings.Cut(entry, "="); key == name {
			return value
		}
	}
	return ""
}

func fakeProduct(state string, args []string) int {
	command := strings.Join(args, " ")
	line, err := json.Marshal(call{Args: args, Environment: os.Environ()})
	if err != nil {
		panic(err)
	}
	record(state, "calls.jsonl", string(line))
	name := "example"
	if len(args) > 0 {
		name = args[0]
	}
	if lastWords, err := os.ReadFile(filepath.Join(state, "fail-"+name)); err == nil {
		fmt.Fprintln(os.Stderr, string(lastWords))
		return 3
	}
	switch command {
	case "migrate init", "migrate up":
		return 0
	case "bootstrap --output json":
		return fakeBootstrap(state)
	case "server":
		return fakeServe(state, "server", os.Getenv("BULKHEAD_HTTP_ADDRESS"))
	case "worker":
		return fakeServe(state, "worker", os.Getenv("BULKHEAD_WORKER_HTTP_ADDRESS"))
	case "":
		return fakeServe(state, "example", "127.0.0.1:0")
	default:
		fmt.Fprintln(os.Stderr, "unknown command", command)
		return 2
	}
}

func fakeBootstrap(state string) int {
	marker := filepath.Join(state, "bootstrapped")
	if _, err := os.Stat(marker); err == nil {
		fmt.Println(`{"created":false}`)
		return 0
	}
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		panic(err)
	}
	fmt.Println(`{"created":true,"operator_key":"bhk_operator","worker_key":"bhk_worker"}`)
	return 0
}

func fakeServe(state, name, address string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	routes := http.NewServeMux()
	ok := func(http.ResponseWriter, *http.Request) {}
	routes.HandleFunc("/livez", ok)
	routes.HandleFunc("/readyz", ok)
	routes.HandleFunc("/.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"keys":[{"kty":"EC"}]}`)
	})
	routes.HandleFunc("/die", func(http.ResponseWriter, *http.Request) {
		fmt.Fprintln(os.Stderr, "these are my last words")
		os.Exit(3)
	})
	server := &http.Server{Addr: address, Handler: routes}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		fmt.Fprintln(os.Stderr, err)
		return 1
	case <-ctx.Done():
		record(state, "stops", name)
		_ = server.Close()
		return 0
	}
}

func record(state, file, line string) {
	target, err := os.OpenFile(filepath.Join(state, file), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	defer func() { _ = target.Close() }()
	if _, err := fmt.Fprintln(target, line); err != nil {
		panic(err)
	}
}

// product is a fake product for one test.
type product struct {
	state  string
	binary string
}

func newProduct(t *testing.T) *product {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &product{state: t.TempDir(), binary: filepath.Join(t.TempDir(), "bulkhead")}
	// A program built with the race detector waits a second before it exits, unless it is told not to.
	script := fmt.Sprintf("#!/bin/sh\nGORACE=atexit_sleep_ms=0 exec '%s' %s '%s' \"$@\"\n", self, fakeArgument, p.state)
	syscall.ForkLock.RLock() // a process that is started meanwhile would have it open for writing, and nobody could run it
	err = os.WriteFile(p.binary, []byte(script), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *product) calls(t *testing.T) []call {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(p.state, "calls.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var calls []call
	for line := range strings.Lines(string(content)) {
		var c call
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, c)
	}
	return calls
}

func (p *product) call(t *testing.T, command string) call {
	t.Helper()
	calls := p.calls(t)
	slices.Reverse(calls) // the latest one counts
	for _, c := range calls {
		if strings.Join(c.Args, " ") == command {
			return c
		}
	}
	t.Fatalf("%q was not called", command)
	return call{}
}

// waitForExample returns when the example worker, which nobody waits for during a start, has got to run.
func (p *product) waitForExample(t *testing.T) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !slices.ContainsFunc(p.calls(t), func(c call) bool { return len(c.Args) == 0 }) {
		select {
		case <-deadline.C:
			t.Fatal("the example worker was not started")
		case <-ticker.C:
		}
	}
}

func (p *product) failAt(t *testing.T, command, lastWords string) (repair func()) {
	t.Helper()
	path := filepath.Join(p.state, "fail-"+command)
	if err := os.WriteFile(path, []byte(lastWords), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() { _ = os.Remove(path) }
}
