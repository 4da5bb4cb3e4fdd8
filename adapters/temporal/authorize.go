package temporal

import (
	"context"
	"slices"
	"strings"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// clusterScope is the namespace that stands for the whole cluster in a token's
// permission. No tenant may ever have it.
const clusterScope = "temporal-system"

type scopeKey struct{}

// scope is the one namespace that calls in its context may reach.
type scope struct{ namespace, token string }

// within returns a context in which the tenant connection reaches one namespace
// and no other. The system namespace is no tenant's: whoever could start
// workflows there could provision.
func (c *Connection) within(ctx context.Context, namespace string) (context.Context, error) {
	if namespace == c.cfg.SystemNamespace {
		return nil, fault.ErrForbidden
	}
	token, err := c.tokens.tenant(ctx, namespace)
	if err != nil {
		return nil, err
	}
	return context.WithValue(ctx, scopeKey{}, scope{namespace: namespace, token: token}), nil
}

// validTenant tells whether a token for the namespace confines its bearer.
func validTenant(namespace string) bool {
	return namespace != "" && namespace != clusterScope && !strings.Contains(namespace, ":")
}

// isPublic tells whether Temporal answers a call to anyone. The SDK makes it on
// its own account, outside of any scope.
func isPublic(method string) bool {
	return method == workflowservice.WorkflowService_GetSystemInfo_FullMethodName
}

// authorizeTenant sends a request with its namespace's token. It refuses a
// request without a namespace, or for another one than its context is for,
// before it leaves the process.
func authorizeTenant(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if isPublic(method) {
		return invoker(ctx, method, req, reply, cc, opts...)
	}
	allowed, ok := ctx.Value(scopeKey{}).(scope)
	named, hasName := req.(interface{ GetNamespace() string })
	if !ok || !hasName || !validTenant(allowed.namespace) || named.GetNamespace() != allowed.namespace {
		return status.Errorf(codes.PermissionDenied, "%s: the request leaves the namespace it was made for", method)
	}
	return invoker(withToken(ctx, allowed.token), method, req, reply, cc, opts...)
}

// authorizeAdmin sends every request with the control plane's own token.
func authorizeAdmin(tokens *tokenCache) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if isPublic(method) {
			return invoker(ctx, method, req, reply, cc, opts...)
		}
		token, err := tokens.controlPlane(ctx)
		if err != nil {
			return status.Errorf(codes.Unavailable, "sign the control plane's token: %v", err)
		}
		return invoker(withToken(ctx, token), method, req, reply, cc, opts...)
	}
}

// resourceHeader is where the SDK repeats a workflow's id, for routing.
const resourceHeader = "temporal-resource-id"

// withToken adds the token. It takes the routing header away where gRPC could
// not carry it: an id may hold any letters, a header only those of ASCII.
func withToken(ctx context.Context, token string) context.Context {
	sent, _ := metadata.FromOutgoingContext(ctx) // a copy
	if slices.ContainsFunc(sent.Get(resourceHeader), isUnprintable) {
		sent.Delete(resourceHeader)
		ctx = metadata.NewOutgoingContext(ctx, sent)
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func isUnprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
