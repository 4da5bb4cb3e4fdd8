package temporal

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Confined uses a tenant's token on its namespace, and on the system namespace, where
// Temporal itself must refuse it. It goes around our own interceptor on purpose: what
// that refuses proves nothing about Temporal.
func (n *Namespaces) Confined(ctx context.Context, namespace string) error {
	inside, err := n.conn.within(ctx, namespace)
	if err != nil {
		return err
	}
	if _, err := invoke(inside, n.conn.cfg.CallTimeout, n.conn.tenant.WorkflowService().DescribeNamespace, &workflowservice.DescribeNamespaceRequest{
		Namespace: namespace,
	}); err != nil {
		return refusedOr(err)
	}
	own, _ := inside.Value(scopeKey{}).(scope)
	outside := context.WithValue(ctx, scopeKey{}, scope{namespace: n.conn.cfg.SystemNamespace, token: own.token})
	_, err = invoke(outside, n.conn.cfg.CallTimeout, n.conn.tenant.WorkflowService().DescribeNamespace, &workflowservice.DescribeNamespaceRequest{
		Namespace: n.conn.cfg.SystemNamespace,
	})
	if err == nil {
		return ports.ErrTokenNotConfined.Because(errors.New("the system namespace was described with a tenant's token"))
	}
	if codeOf(err) != codes.PermissionDenied {
		return fmt.Errorf("use a token elsewhere: %w", err)
	}
	return nil
}

// refusedOr tells a token that is refused from a Temporal that does not answer, which
// says nothing of tokens.
func refusedOr(err error) error {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Timeout, fault.Exhausted:
		return err
	}
	return ports.ErrTokenRefused.Because(err)
}

// Pollers counts the workers that have polled for workflow tasks within Temporal's
// last minutes.
func (n *Namespaces) Pollers(ctx context.Context, namespace, queue string) (int, error) {
	inside, err := n.conn.within(ctx, namespace)
	if err != nil {
		return 0, err
	}
	return n.conn.pollers(inside, namespace, queue)
}

// pollers is Pollers in a context that is within the namespace already.
func (c *Connection) pollers(inside context.Context, namespace, queue string) (int, error) {
	found, err := invoke(inside, c.cfg.CallTimeout, c.tenant.WorkflowService().DescribeTaskQueue, &workflowservice.DescribeTaskQueueRequest{
		Namespace: namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: queue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		TaskQueueType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
	})
	if err != nil {
		return 0, err
	}
	return len(found.GetPollers()), nil
}
