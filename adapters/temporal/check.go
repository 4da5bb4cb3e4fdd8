package temporal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// The oldest server that keeps namespaces apart: before it, a workflow of one
// tenant may start children in another's namespace.
const (
	minMajor = 1
	minMinor = 30
)

// CheckServer fails when the frontend does not keep tenants apart: because the
// server is too old, or because it answers calls without a token. The error
// says what to do. With Config.AllowInsecure such findings are only logged.
func (c *Connection) CheckServer(ctx context.Context) error {
	findings := []error{}
	info, err := invoke(ctx, c.cfg.CallTimeout, c.adminService().GetSystemInfo, &workflowservice.GetSystemInfoRequest{})
	if err != nil {
		return fmt.Errorf("ask Temporal at %s for its version: %w", c.cfg.Address, err)
	}
	if v := info.GetServerVersion(); !recent(v) {
		findings = append(findings, fmt.Errorf("the Temporal server at %s is version %q: upgrade it to %d.%d or later, as an older one lets a workflow reach into other tenants' namespaces", c.cfg.Address, v, minMajor, minMinor))
	}
	open, err := c.answersAnyone(ctx)
	if err != nil {
		return err
	}
	if open {
		findings = append(findings, fmt.Errorf("the Temporal frontend at %s answers calls without a token: configure global.authorization with the default authorizer and claim mapper and Bulkhead's JWKS, and restart it", c.cfg.Address))
	}
	if len(findings) == 0 {
		return nil
	}
	problem := errors.Join(findings...)
	if c.cfg.AllowInsecure {
		c.log.WarnContext(ctx, "Temporal does not keep tenants apart", slog.Any("error", problem))
		return nil
	}
	return problem
}

// answersAnyone asks without a token for what only the control plane may know.
func (c *Connection) answersAnyone(ctx context.Context) (bool, error) {
	anonymous, err := c.dial(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return invoker(ctx, method, req, reply, cc, opts...)
	})
	if err != nil {
		return false, fmt.Errorf("connect to Temporal without a token: %w", err)
	}
	defer anonymous.Close()
	service := anonymous.WorkflowService()
	_, listErr := invoke(ctx, c.cfg.CallTimeout, service.ListNamespaces, &workflowservice.ListNamespacesRequest{PageSize: 1})
	_, describeErr := invoke(ctx, c.cfg.CallTimeout, service.DescribeNamespace, &workflowservice.DescribeNamespaceRequest{Namespace: c.cfg.SystemNamespace})
	for _, err := range []error{listErr, describeErr} {
		switch {
		case err == nil || fault.IsKind(err, fault.NotFound):
			return true, nil // "not found" is an answer, too
		case codeOf(err) != codes.PermissionDenied && codeOf(err) != codes.Unauthenticated:
			return false, fmt.Errorf("ask Temporal at %s without a token: %w", c.cfg.Address, err)
		}
	}
	return false, nil
}

// recent tells whether a version such as "1.32.1" is not older than the oldest
// that will do. What cannot be read is taken for old.
func recent(version string) bool {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return false
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return false
	}
	return major > minMajor || major == minMajor && minor >= minMinor
}
