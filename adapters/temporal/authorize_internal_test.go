package temporal

import (
	"context"
	"testing"

	"github.com/matryer/is"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestAuthorizeTenant(t *testing.T) {
	t.Parallel()
	const describe = workflowservice.WorkflowService_DescribeWorkflowExecution_FullMethodName
	scoped := func(namespace string) context.Context {
		return context.WithValue(t.Context(), scopeKey{}, scope{namespace: namespace, token: "token of " + namespace})
	}
	// send returns the token that a request leaves with, or the error that kept it here.
	send := func(ctx context.Context, method string, req any) (left bool, token []string, err error) {
		err = authorizeTenant(ctx, method, req, nil, nil, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			md, _ := metadata.FromOutgoingContext(ctx)
			left, token = true, md.Get("authorization")
			return nil
		})
		return left, token, err
	}

	t.Run("Should send a request with its own namespace's token", func(t *testing.T) {
		is := is.New(t)
		_, token, err := send(scoped("org-a"), describe, &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "org-a"})
		is.NoErr(err)
		is.Equal(token, []string{"Bearer token of org-a"})
	})

	t.Run("Should let anybody's question leave without a token", func(t *testing.T) {
		is := is.New(t)
		left, token, err := send(t.Context(), workflowservice.WorkflowService_GetSystemInfo_FullMethodName, &workflowservice.GetSystemInfoRequest{})
		is.NoErr(err)
		is.True(left)
		is.Equal(len(token), 0)
	})

	for name, c := range map[string]struct {
		ctx context.Context
		req any
	}{
		"for another namespace":          {scoped("org-a"), &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "org-b"}},
		"without a namespace":            {scoped("org-a"), &workflowservice.DescribeWorkflowExecutionRequest{}},
		"that has none to name":          {scoped("org-a"), &workflowservice.ListNamespacesRequest{}},
		"outside of any scope":           {t.Context(), &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "org-a"}},
		"with neither":                   {t.Context(), &workflowservice.DescribeWorkflowExecutionRequest{}},
		"for the empty scope":            {scoped(""), &workflowservice.DescribeWorkflowExecutionRequest{}},
		"for the cluster as a namespace": {scoped(clusterScope), &workflowservice.DescribeWorkflowExecutionRequest{Namespace: clusterScope}},
	} {
		t.Run("Should keep a request "+name, func(t *testing.T) {
			is := is.New(t)
			left, _, err := send(c.ctx, describe, c.req)
			is.Equal(status.Code(err), codes.PermissionDenied)
			is.True(!left)
		})
	}
}

// The guard is no use when it is not in the way: this asks the real chain.
func TestTenantConnection(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	conn, err := NewConnection(Config{Address: "127.0.0.1:1"}, signer(func() (string, error) { return "t", nil }), fixedClock{}, nil)
	is.NoErr(err)
	defer conn.Close()
	ctx, err := conn.within(t.Context(), "org-a")
	is.NoErr(err)
	_, err = conn.tenant.WorkflowService().DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "org-b"})
	is.Equal(codeOf(err), codes.PermissionDenied) // and not Unavailable: nobody listens there
}
