package sdk

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.temporal.io/sdk/worker"
)

// cutter stands in the way to a server, and can cut it.
type cutter struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

// startCutter returns an open way to a server.
func startCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l, to: to, conns: map[net.Conn]bool{}}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(conn)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		c.set(true)
	})
	return c
}

func (c *cutter) address() string { return c.listener.Addr().String() }

func (c *cutter) pass(in net.Conn) {
	out, err := net.Dial("tcp", c.to)
	if err != nil || !c.keep(in, out) {
		_ = in.Close()
		if err == nil {
			_ = out.Close()
		}
		return
	}
	go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
	_, _ = io.Copy(in, out)
	_ = in.Close()
}

// keep takes connections into account, unless the way is cut.
func (c *cutter) keep(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		c.conns[conn] = true
	}
	return !c.cut
}

// set cuts the way, with what is under way, or opens it.
func (c *cutter) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	if cut {
		for conn := range c.conns {
			_ = conn.Close()
		}
		clear(c.conns)
	}
}

func TestFleetOutages(t *testing.T) {
	is := is.New(t)
	f, address := startFrontend(t)
	temporal := startCutter(t, address)
	orgs := []string{"a", "b", "c"}
	behind := startAPI(t, temporal.address(), orgs...)
	where, err := url.Parse(behind.URL())
	is.NoErr(err)
	api := startCutter(t, where.Host)
	client, err := New(Config{URL: "http://" + api.address(), APIKey: testKey, HTTPClient: &http.Client{Timeout: time.Minute}})
	is.NoErr(err)

	events := make(chan FleetEvent, 1000)
	fleet, err := NewFleet(FleetConfig{
		Client: client, Logger: slog.New(slog.DiscardHandler), Register: func(r worker.Registry, _ Assignment) { r.RegisterWorkflow(nothing) },
		Observe: func(e FleetEvent) { events <- e },
	})
	is.NoErr(err)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- fleet.Run(ctx) }()

	// served waits until every namespace is polled anew.
	served := func(when string) {
		t.Helper()
		missing := map[string]bool{}
		for _, o := range orgs {
			missing["org-"+o] = true
		}
		for len(missing) > 0 {
			select {
			case namespace := <-f.polls:
				delete(missing, namespace)
			case <-ctx.Done():
				t.Fatalf("%s: %v are not served", when, missing)
			}
		}
	}
	observed := func(kind FleetEventKind) {
		t.Helper()
		for {
			select {
			case e := <-events:
				if e.Kind == kind {
					return
				}
			case <-ctx.Done():
				t.Fatalf("never observed: %s", kind)
			}
		}
	}

	served("at first")
	is.Equal(fleet.Stats().Serving, len(orgs))
	is.Equal(fleet.Stats().Assigned, len(orgs))

	temporal.set(true)
	temporal.set(false)
	served("after Temporal was away")

	api.set(true)
	observed(FleetUnanswered)
	is.Equal(fleet.Stats().Serving, len(orgs)) // on with what is known
	api.set(false)
	observed(FleetAnswered)

	api.set(true)
	temporal.set(true)
	observed(FleetUnanswered)
	api.set(false)
	temporal.set(false)
	served("after the network was away")
	is.True(fleet.Stats().Unanswered >= 2)

	stop()
	for {
		select {
		case err := <-done:
			is.NoErr(err)
			is.Equal(fleet.Stats().Serving, 0)
			is.Equal(fleet.Stats().WorkflowTasks.SharedTaken, 0)
			return
		case <-f.polls: // one that began while it ended
		}
	}
}
