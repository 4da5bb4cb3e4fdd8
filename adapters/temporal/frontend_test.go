package temporal_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/operatorservice/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// frontend is a Temporal frontend that misbehaves as a test wants, and notes
// what it is asked. What the real server does, the other tests ask the real one.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer

	version string
	err     error // of every call but GetSystemInfo
	// isSilent is that no call but GetSystemInfo is answered.
	isSilent bool
	history  func(ctx context.Context, call int) (*workflowservice.GetWorkflowExecutionHistoryResponse, error)

	describe func(ctx context.Context, call int) error // nil: it runs

	operator operatorservice.OperatorServiceServer // nil: there is none
	one      *workflowservice.DescribeNamespaceResponse

	histories    atomic.Int32
	descriptions atomic.Int32
	infos        atomic.Int32

	mu    sync.Mutex
	calls []string // "method token"
}

// startFrontend returns a connection to the frontend. Its tokens are the
// permissions themselves, so that they can be read.
func startFrontend(t *testing.T, f *frontend, cfg temporal.Config) *temporal.Connection {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(f.note))
	workflowservice.RegisterWorkflowServiceServer(server, f)
	if f.operator != nil {
		operatorservice.RegisterOperatorServiceServer(server, f.operator)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	cfg.Address = listener.Addr().String()
	conn, err := temporal.NewConnection(cfg, plainTokens{}, systemClock{}, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

type plainTokens struct{}

func (plainTokens) Token(_ context.Context, c signing.Claims) (string, error) {
	return c.Permission, nil
}

func (f *frontend) note(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	f.mu.Lock()
	f.calls = append(f.calls, info.FullMethod[strings.LastIndex(info.FullMethod, "/")+1:]+" "+strings.Join(md.Get("authorization"), "+"))
	f.mu.Unlock()
	if f.isSilent && !strings.HasSuffix(info.FullMethod, "/GetSystemInfo") {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if f.err != nil && !strings.HasSuffix(info.FullMethod, "/GetSystemInfo") {
		return nil, f.err
	}
	return next(ctx, req)
}

func (f *frontend) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *frontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	f.infos.Add(1)
	return &workflowservice.GetSystemInfoResponse{ServerVersion: f.version}, nil
}

func (f *frontend) ListNamespaces(context.Context, *workflowservice.ListNamespacesRequest) (*workflowservice.ListNamespacesResponse, error) {
	return &workflowservice.ListNamespacesResponse{}, nil
}

// DescribeNamespace describes the one namespace that there is.
func (f *frontend) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	return f.one, nil
}

func (f *frontend) StartWorkflowExecution(context.Context, *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	return &workflowservice.StartWorkflowExecutionResponse{RunId: uuid.NewString(), Started: true}, nil
}

func (f *frontend) RegisterNamespace(context.Context, *workflowservice.RegisterNamespaceRequest) (*workflowservice.RegisterNamespaceResponse, error) {
	return &workflowservice.RegisterNamespaceResponse{}, nil
}

func (f *frontend) DescribeWorkflowExecution(ctx context.Context, req *workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if n := f.descriptions.Add(1); f.describe != nil {
		if err := f.describe(ctx, int(n)); err != nil {
			return nil, err
		}
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: req.GetExecution().GetWorkflowId(), RunId: uuid.NewString()},
		Status:    enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}}, nil
}

func (f *frontend) GetWorkflowExecutionHistory(ctx context.Context, _ *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	return f.history(ctx, int(f.histories.Add(1)))
}

func closedHistory() *workflowservice.GetWorkflowExecutionHistoryResponse {
	return &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{Events: []*historypb.HistoryEvent{{
		Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{},
		},
	}}}}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	f := &frontend{}
	conn := startFrontend(t, f, temporal.Config{})
	dispatcher := temporal.NewDispatcher(conn)
	_, err := dispatcher.Start(t.Context(), "org-a", member(), workflow.Start{ID: "x", Type: "T", TaskQueue: "q"})
	is.NoErr(err)
	_, err = dispatcher.Describe(t.Context(), "org-b", "x", "")
	is.NoErr(err)
	is.NoErr(temporal.NewNamespaces(conn).Ensure(t.Context(), namespace.Blueprint{Namespace: "org-a"}))
	is.NoErr(temporal.NewOrchestrator(conn).ProvisionOrganization(t.Context(), outbox.ProvisionPayload{Organization: id.New[id.OrgKind]()}))
	is.NoErr(temporal.NewHealth(conn).Ping(t.Context()))
	is.Equal(f.seen(), []string{
		"StartWorkflowExecution Bearer org-a:write",
		"DescribeWorkflowExecution Bearer org-b:write",
		"RegisterNamespace Bearer temporal-system:admin",
		"GetSystemInfo ", // the SDK's own, before its first call
		"StartWorkflowExecution Bearer temporal-system:admin",
		"GetSystemInfo ",
	})
}

func TestResultOfLostNotification(t *testing.T) {
	t.Parallel()
	const slice = 300 * time.Millisecond

	t.Run("Should lose no more than a slice", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		f := &frontend{history: func(ctx context.Context, call int) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
			if call == 1 { // the execution closes, and nobody tells this poll
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return closedHistory(), nil
		}}
		conn := startFrontend(t, f, temporal.Config{PollSlice: slice})
		begun := time.Now()
		r, err := temporal.NewDispatcher(conn).Result(t.Context(), "org-a", "x", "", time.Minute)
		is.NoErr(err)
		is.Equal(r.Status, workflow.Completed)
		is.True(time.Since(begun) >= slice)
		is.True(time.Since(begun) < 10*slice)
	})

	t.Run("Should not ask in a tight loop when polls return at once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		f := &frontend{history: func(context.Context, int) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
			return &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{}}, nil
		}}
		conn := startFrontend(t, f, temporal.Config{PollSlice: slice})
		r, err := temporal.NewDispatcher(conn).Result(t.Context(), "org-a", "x", "", time.Second)
		is.NoErr(err)
		is.Equal(r.Status, workflow.Running)
		is.True(f.histories.Load() <= 21)
	})
}

func TestResultOfTroubledTemporal(t *testing.T) {
	t.Parallel()
	const wait, timeout = 1500 * time.Millisecond, time.Second
	slow := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for name, c := range map[string]struct {
		fails func(context.Context) error
		kind  fault.Kind
	}{
		"busy": {func(context.Context) error { return status.Error(codes.ResourceExhausted, "rps") }, fault.Exhausted},
		"away": {func(context.Context) error { return status.Error(codes.Unavailable, "gone") }, fault.Unavailable},
		"slow": {slow, fault.Timeout},
	} {
		troubled := func(knows int) *frontend { // Temporal, which answers a description so often and then no more
			return &frontend{
				describe: func(ctx context.Context, call int) error {
					if call <= knows {
						return nil
					}
					return c.fails(ctx)
				},
				history: func(ctx context.Context, _ int) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
					return nil, c.fails(ctx)
				},
			}
		}
		result := func(t *testing.T, f *frontend, runID string, wait time.Duration) (workflow.Result, error) {
			t.Helper()
			conn := startFrontend(t, f, temporal.Config{PollSlice: timeout / 2, CallTimeout: timeout})
			return temporal.NewDispatcher(conn).Result(t.Context(), "org-a", "x", runID, wait)
		}
		for _, run := range []string{"", uuid.NewString()} {
			t.Run("Should say that what was seen running runs when Temporal is "+name+" since, run "+run, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				f, begun := troubled(1), time.Now()
				r, err := result(t, f, run, wait)
				is.NoErr(err)
				is.Equal(r.Status, workflow.Running)
				is.True(r.RunID != "")
				took := time.Since(begun)
				is.True(took >= wait)                      // the trouble may have passed before
				is.True(took < wait+timeout+2*time.Second) // and then it is over
				is.True(f.histories.Load() <= 12)          // nobody makes it worse
			})
		}
		t.Run("Should fail when nothing is known, and Temporal is "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			for _, wait := range []time.Duration{0, wait} {
				_, err := result(t, troubled(0), uuid.NewString(), wait)
				is.Equal(fault.KindOf(err), c.kind)
			}
		})
		t.Run("Should find the end when Temporal was "+name+" for a moment", func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			f := troubled(1)
			f.history = func(ctx context.Context, call int) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
				if call == 1 {
					return nil, c.fails(ctx)
				}
				return closedHistory(), nil
			}
			r, err := result(t, f, "", time.Minute)
			is.NoErr(err)
			is.Equal(r.Status, workflow.Completed)
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const secret = "namespace org-b on host 10.0.0.7"
	for code, want := range map[codes.Code]struct {
		kind fault.Kind
		code string
	}{
		codes.NotFound:           {fault.NotFound, "not_found"},
		codes.Unavailable:        {fault.Unavailable, "unavailable"},
		codes.DeadlineExceeded:   {fault.Timeout, "timeout"},
		codes.Canceled:           {fault.Timeout, "timeout"},
		codes.ResourceExhausted:  {fault.Exhausted, "workflow.temporal_busy"},
		codes.InvalidArgument:    {fault.Invalid, "request.invalid"},
		codes.PermissionDenied:   {fault.Internal, "internal"},
		codes.Unauthenticated:    {fault.Internal, "internal"},
		codes.FailedPrecondition: {fault.Internal, "internal"},
		codes.Internal:           {fault.Internal, "internal"},
		codes.Unimplemented:      {fault.Internal, "internal"},
	} {
		t.Run("Should translate "+code.String(), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			conn := startFrontend(t, &frontend{err: status.Error(code, secret)}, temporal.Config{})
			_, err := temporal.NewDispatcher(conn).Describe(t.Context(), "org-a", "x", "")
			f := fault.From(err)
			is.Equal(f.Kind, want.kind)
			is.Equal(f.Code, want.code)
			is.True(!strings.Contains(f.Public, "org-b"))  // what Temporal says is not for tenants
			is.True(strings.Contains(err.Error(), secret)) // but for the log
			is.Equal(f.RetryAfter > 0, f.Kind == fault.Exhausted || f.Kind == fault.Unavailable || f.Kind == fault.Timeout)
		})
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	f := &frontend{}
	health := temporal.NewHealth(startFrontend(t, f, temporal.Config{}))
	begun := time.Now()
	for range 200 {
		is.NoErr(health.Ping(t.Context()))
	}
	is.True(f.infos.Load() <= 1+int32(time.Since(begun)/time.Second)) // a flood of checks is one call a second
}

func TestCheckServerFindings(t *testing.T) {
	t.Parallel()
	refuses := status.Error(codes.PermissionDenied, "Request unauthorized.")
	for name, c := range map[string]struct {
		frontend *frontend
		insecure bool
		says     []string // nothing: no error
	}{
		"accept the oldest safe version":  {frontend: &frontend{version: "1.30.0", err: refuses}},
		"accept a newer one":              {frontend: &frontend{version: "2.0.0-rc.1", err: refuses}},
		"refuse an older one":             {frontend: &frontend{version: "1.29.7", err: refuses}, says: []string{"1.29.7", "upgrade"}},
		"refuse one that hides its age":   {frontend: &frontend{err: refuses}, says: []string{"upgrade"}},
		"refuse one that answers anybody": {frontend: &frontend{version: "1.32.1"}, says: []string{"without a token", "global.authorization"}},
		"refuse one that says not found":  {frontend: &frontend{version: "1.32.1", err: status.Error(codes.NotFound, "")}, says: []string{"without a token"}},
		"name every finding":              {frontend: &frontend{version: "1.20.0"}, says: []string{"upgrade", "without a token"}},
		"accept all when told to":         {frontend: &frontend{version: "1.20.0"}, insecure: true},
	} {
		t.Run("Should "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			err := startFrontend(t, c.frontend, temporal.Config{AllowInsecure: c.insecure}).CheckServer(t.Context())
			is.Equal(err != nil, len(c.says) > 0)
			for _, part := range c.says {
				is.True(strings.Contains(err.Error(), part))
			}
			for _, call := range c.frontend.seen() {
				is.True(!strings.Contains(call, "Bearer")) // the check proves nothing with a token
			}
		})
	}
}
