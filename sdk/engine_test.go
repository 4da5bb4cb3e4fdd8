package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// frontend is as much of Temporal as a worker without work needs. It takes calls
// on a namespace with that namespace's own token only.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer

	mu          sync.Mutex
	connections int
	polled      map[string]int // by namespace
	refused     []string
	polls       chan string // the namespace of each poll that begins
}

func (f *frontend) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (f *frontend) HandleRPC(context.Context, stats.RPCStats)                         {}
func (f *frontend) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (f *frontend) HandleConn(_ context.Context, s stats.ConnStats) {
	if _, ok := s.(*stats.ConnBegin); ok {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.connections++
	}
}

func (f *frontend) authorize(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	if r, ok := req.(interface{ GetNamespace() string }); ok {
		md, _ := metadata.FromIncomingContext(ctx)
		if got := md.Get("authorization"); len(got) != 1 || got[0] != "Bearer token of "+r.GetNamespace() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.refused = append(f.refused, info.FullMethod)
			return nil, status.Error(codes.PermissionDenied, "Request unauthorized.")
		}
	}
	return h(ctx, req)
}

func (f *frontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (f *frontend) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

func (f *frontend) ShutdownWorker(context.Context, *workflowservice.ShutdownWorkerRequest) (*workflowservice.ShutdownWorkerResponse, error) {
	return &workflowservice.ShutdownWorkerResponse{}, nil
}

func (f *frontend) PollWorkflowTaskQueue(ctx context.Context, r *workflowservice.PollWorkflowTaskQueueRequest) (*workflowservice.PollWorkflowTaskQueueResponse, error) {
	select {
	case f.polls <- r.GetNamespace():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	<-ctx.Done() // there is never any work
	return nil, ctx.Err()
}

func (f *frontend) PollActivityTaskQueue(ctx context.Context, _ *workflowservice.PollActivityTaskQueueRequest) (*workflowservice.PollActivityTaskQueueResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// startFrontend returns a frontend and its address.
func startFrontend(t *testing.T) (*frontend, string) {
	t.Helper()
	f := &frontend{polled: map[string]int{}, polls: make(chan string)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(f.authorize), grpc.StatsHandler(f))
	workflowservice.RegisterWorkflowServiceServer(s, f)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return f, l.Addr().String()
}

// startAPI returns an API with the given organizations assigned.
func startAPI(t *testing.T, temporal string, orgs ...string) *Client {
	t.Helper()
	list := AssignmentList{TemporalAddress: temporal}
	for _, o := range orgs {
		list.Items = append(list.Items, Assignment{
			Namespace: "org-" + o, State: AssignmentStateActive, Organization: OrganizationRef{ID: o, Slug: o},
		})
	}
	c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v0/worker/assignments":
			if r.Header.Get("If-None-Match") != "" {
				if r.URL.Query().Has("wait") {
					<-r.Context().Done()
				}
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Header().Set("ETag", `"1"`)
			_ = json.NewEncoder(w).Encode(list)
		case "/api/v0/auth/token":
			in := TokenRequest{Organization: "own"}
			_ = json.NewDecoder(r.Body).Decode(&in)
			_ = json.NewEncoder(w).Encode(Token{
				Token: "token of org-" + in.Organization, Namespace: "org-" + in.Organization,
				ExpiresAt: time.Now().Add(time.Hour), TemporalAddress: temporal,
			})
		}
	})
	return c
}

func TestEngine(t *testing.T) {
	t.Run("Should serve many namespaces over one connection, each with its own token", func(t *testing.T) {
		is := is.New(t)
		f, address := startFrontend(t)
		var orgs []string
		for i := range 20 {
			orgs = append(orgs, fmt.Sprint("o", i))
		}
		var mu sync.Mutex
		registered := map[string]int{}
		fleet, err := NewFleet(FleetConfig{
			Client: startAPI(t, address, orgs...), Logger: slog.New(slog.DiscardHandler),
			Register: func(r worker.Registry, a Assignment) {
				mu.Lock()
				defer mu.Unlock()
				registered[a.Organization.Slug]++
				r.RegisterWorkflow(nothing)
				r.RegisterActivity(nothingToDo)
			},
		})
		is.NoErr(err)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		done := make(chan error, 1)
		go func() { done <- fleet.Run(ctx) }()
		for len(f.polled) < len(orgs) {
			select {
			case namespace := <-f.polls:
				f.polled[namespace]++
			case <-ctx.Done():
				t.Fatalf("only %d of %d namespaces are served", len(f.polled), len(orgs))
			}
		}
		stop()
		is.NoErr(<-done)
		f.mu.Lock()
		defer f.mu.Unlock()
		is.Equal(f.connections, 1)
		is.Equal(len(f.refused), 0)
		is.Equal(len(registered), len(orgs))
	})
}

func TestDial(t *testing.T) {
	t.Run("Should dial the namespace and the address that the API says", func(t *testing.T) {
		is := is.New(t)
		_, address := startFrontend(t)
		api := startAPI(t, address)
		c, err := Dial(t.Context(), Config{URL: api.URL(), APIKey: testKey}, func(o *client.Options) {
			is.Equal(o.HostPort, address)
			o.Namespace = "org-other" // the token decides
		})
		is.NoErr(err)
		defer c.Close()
		_, err = c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "org-own"})
		is.NoErr(err)
		_, err = c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "org-other"})
		_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
		is.True(denied)
	})
	t.Run("Should say why it gets no token", func(t *testing.T) {
		is := is.New(t)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 401, `{"code":"auth.unauthenticated","detail":"The credential is not valid."}`)
		}))
		defer s.Close()
		_, err := Dial(t.Context(), Config{URL: s.URL, APIKey: testKey})
		is.True(IsUnauthenticated(err))
	})
}

func nothing(workflow.Context) error { return nil }

func nothingToDo(context.Context) error { return nil }
