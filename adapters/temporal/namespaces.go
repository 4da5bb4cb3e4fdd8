package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/sleep"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// AttributeActor is the search attribute that says who started an execution.
const AttributeActor = namespace.AttributeActor

// attributes are the search attributes of every tenant's namespace.
var attributes = map[string]enumspb.IndexedValueType{
	AttributeActor: enumspb.INDEXED_VALUE_TYPE_KEYWORD,
}

// The tags by which we know a namespace as ours, and whose it is.
const (
	tagManagedBy = "managed_by"
	tagOrg       = "org_id"
	managedBy    = "bulkhead"
)

// The workflow of Probe. It is not to run: nobody serves its queue, and it would
// start only long after it has timed out.
const (
	probeID      = namespace.OwnPrefix + "probe"
	probeTimeout = time.Minute
	// listedTimeout bounds the wait until it is listed.
	listedTimeout = 2 * time.Second
)

// Namespaces implements ports.Namespaces.
type Namespaces struct{ conn *Connection }

var _ ports.Namespaces = (*Namespaces)(nil)

// NewNamespaces returns the administration of namespaces on the admin connection.
func NewNamespaces(conn *Connection) *Namespaces { return &Namespaces{conn: conn} }

// Ensure registers the namespace. One that exists is adopted only when its tag
// names the same owner and it was not deleted: otherwise two organizations
// could come to share it.
func (n *Namespaces) Ensure(ctx context.Context, b namespace.Blueprint) error {
	if b.Adopted {
		return n.adopt(ctx, b)
	}
	_, err := invoke(ctx, n.conn.cfg.CallTimeout, n.conn.adminService().RegisterNamespace, &workflowservice.RegisterNamespaceRequest{
		Namespace:                        b.Namespace,
		Description:                      b.Description,
		WorkflowExecutionRetentionPeriod: durationpb.New(b.Retention),
		Data:                             tags(b),
	})
	if !alreadyExists(err) {
		return err
	}
	found, err := n.describe(ctx, b.Namespace)
	if err != nil {
		return err
	}
	return usable(b, toState(found))
}

// usable fails with ports.ErrNamespaceForeign unless a namespace is its owner's, and
// registered.
func usable(b namespace.Blueprint, s namespace.State) error {
	if s.Status != namespace.Registered {
		return foreign(b.Namespace, s)
	}
	return owned(b.Namespace, b.Owner, s)
}

// owned fails with ports.ErrNamespaceForeign unless a namespace is its owner's.
func owned(name string, owner id.Org, s namespace.State) error {
	if !s.Standing(owner).IsOwn() {
		return foreign(name, s)
	}
	return nil
}

func foreign(name string, s namespace.State) error {
	return ports.ErrNamespaceForeign.Because(fmt.Errorf("namespace %s is %v and tagged %q", name, s.Status, s.Owner))
}

func alreadyExists(err error) bool {
	var exists *serviceerror.NamespaceAlreadyExists
	return errors.As(err, &exists)
}

// EnsureSearchAttributes adds the search attributes that are missing. Temporal
// accepts, and ignores, one that exists with another type, so we compare.
func (n *Namespaces) EnsureSearchAttributes(ctx context.Context, namespace string) error {
	found, err := invoke(ctx, n.conn.cfg.CallTimeout, n.conn.operatorService().ListSearchAttributes, &operatorservice.ListSearchAttributesRequest{
		Namespace: namespace,
	})
	if err != nil {
		return notYet(err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	for name, want := range attributes {
		got, ok := found.GetCustomAttributes()[name]
		switch {
		case !ok:
			missing[name] = want
		case got != want:
			return ports.ErrNamespaceForeign.Because(fmt.Errorf("search attribute %s of %s is a %v, want %v", name, namespace, got, want))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = invoke(ctx, n.conn.cfg.CallTimeout, n.conn.operatorService().AddSearchAttributes, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: missing,
	})
	return notYet(err)
}

// notYet turns what a frontend says of a namespace that it does not know yet
// into something that repetition mends: each keeps a cache that lags behind.
func notYet(err error) error {
	if fault.IsKind(err, fault.NotFound) {
		return fault.ErrUnavailable.After(retryAfter).Because(err)
	}
	return err
}

// Probe starts a workflow with every search attribute, which ends by itself. Until
// an attribute is known to the frontend that answers, it calls it invalid.
func (n *Namespaces) Probe(ctx context.Context, namespace string) error {
	marked, err := markedBy(probeID)
	if err != nil {
		return err
	}
	_, err = invoke(ctx, n.conn.cfg.CallTimeout, n.conn.adminService().StartWorkflowExecution, &workflowservice.StartWorkflowExecutionRequest{
		Namespace:                namespace,
		WorkflowId:               probeID,
		WorkflowType:             &commonpb.WorkflowType{Name: probeID},
		TaskQueue:                &taskqueuepb.TaskQueue{Name: probeID, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		WorkflowExecutionTimeout: durationpb.New(probeTimeout),
		WorkflowStartDelay:       durationpb.New(2 * probeTimeout), // no task, so no queue that the server would load
		Identity:                 identity,
		RequestId:                uuid.NewString(),
		WorkflowIdReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIdConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING, // one that a crash left behind
		SearchAttributes:         marked,
	})
	if fault.IsKind(err, fault.Invalid) {
		return fault.ErrUnavailable.After(retryAfter).Because(err)
	}
	if err != nil {
		return notYet(err)
	}
	return nil
}

// ForgetProbe implements ports.Namespaces. Temporal writes its index by tasks of their
// own: what is deleted before it is listed is listed as running ever after. What has ended
// is removed some seconds later than what still runs, which Temporal ends and removes in
// one go. A probe that is not listed in time is ended at least.
func (n *Namespaces) ForgetProbe(ctx context.Context, namespace string) error {
	service, query := n.conn.adminService(), `WorkflowId = "`+probeID+`"`
	soon, cancel := context.WithTimeout(ctx, listedTimeout)
	defer cancel()
	if n.conn.listed(soon, service, namespace, query) != nil {
		_, err := invoke(ctx, n.conn.cfg.CallTimeout, service.TerminateWorkflowExecution, &workflowservice.TerminateWorkflowExecutionRequest{
			Namespace: namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: probeID}, Reason: "The namespace is usable.", Identity: identity,
		})
		return err
	}
	found, err := invoke(ctx, n.conn.cfg.CallTimeout, service.ListWorkflowExecutions, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: namespace, Query: query,
	})
	for _, probe := range found.GetExecutions() { // those of attempts before, too
		_, deletion := invoke(ctx, n.conn.cfg.CallTimeout, service.DeleteWorkflowExecution, &workflowservice.DeleteWorkflowExecutionRequest{
			Namespace: namespace, WorkflowExecution: probe.GetExecution(),
		})
		if !errors.Is(deletion, workflow.ErrNotFound) {
			err = errors.Join(err, deletion)
		}
	}
	return err
}

// listed waits until a query finds something: visibility lags behind.
func (c *Connection) listed(ctx context.Context, at workflowservice.WorkflowServiceClient, namespace, query string) error {
	for pause := settlePause / 16; ; pause = min(2*pause, settlePause) {
		found, err := invoke(ctx, c.cfg.CallTimeout, at.CountWorkflowExecutions, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: namespace, Query: query,
		})
		if err != nil || found.GetCount() > 0 {
			return err
		}
		if !sleep.For(ctx, pause) {
			return toFault(ctx.Err())
		}
	}
}

// markedBy returns every search attribute of a tenant's namespace with the same value.
func markedBy(value string) (*commonpb.SearchAttributes, error) {
	p, err := keywordPayload(value)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]*commonpb.Payload, len(attributes))
	for name := range attributes {
		fields[name] = p
	}
	return &commonpb.SearchAttributes{IndexedFields: fields}, nil
}

// Delete deletes the namespace by its name, which is never given to another: what
// is deleted is what was looked at. By its identifier it would not do: Temporal
// names the work after the name in the request, so that two deletions without one
// are taken for the same, and one of them never happens. The grace has passed on
// our side: Temporal is to add none.
func (n *Namespaces) Delete(ctx context.Context, namespace string, owner id.Org) error {
	found, err := n.describe(ctx, namespace)
	if fault.IsKind(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := owned(namespace, owner, toState(found)); err != nil {
		return err // be it that it was its own when that was looked at
	}
	return n.delete(ctx, namespace)
}

// Discard implements ports.Namespaces, by the name for the same reason.
func (n *Namespaces) Discard(ctx context.Context, namespace, identifier string) error {
	found, err := n.describe(ctx, namespace)
	if fault.IsKind(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if got := found.GetNamespaceInfo().GetId(); got != identifier || namespace == clusterScope || namespace == n.conn.cfg.SystemNamespace {
		return ports.ErrNamespaceForeign.Because(fmt.Errorf("namespace %s is %s", namespace, got))
	}
	return n.delete(ctx, namespace)
}

func (n *Namespaces) delete(ctx context.Context, namespace string) error {
	_, err := invoke(ctx, n.conn.cfg.CallTimeout, n.conn.operatorService().DeleteNamespace, &operatorservice.DeleteNamespaceRequest{
		Namespace: namespace, NamespaceDeleteDelay: durationpb.New(0),
	})
	if fault.IsKind(err, fault.Invalid) { // is how this call says that there is none
		if _, again := n.describe(ctx, namespace); fault.IsKind(again, fault.NotFound) {
			err = again
		}
	}
	if fault.IsKind(err, fault.NotFound) {
		return nil // somebody was faster
	}
	return err
}

// pageSize is how many namespaces are listed at a time.
const pageSize = 1000

// Gone looks through all namespaces, as Temporal renames a deleted one, and
// removes it when what was in it is gone. A deletion is rare enough for that. One that
// Temporal has given up is begun again.
func (n *Namespaces) Gone(ctx context.Context, name string, owner id.Org) error {
	var next []byte
	for {
		list, err := invoke(ctx, n.conn.cfg.CallTimeout, n.conn.adminService().ListNamespaces, &workflowservice.ListNamespacesRequest{
			PageSize: pageSize, NextPageToken: next, NamespaceFilter: &namespacepb.NamespaceFilter{IncludeDeleted: true},
		})
		if err != nil {
			return err
		}
		for _, found := range list.GetNamespaces() {
			s, listed := toState(found), found.GetNamespaceInfo().GetName()
			if s.Standing(owner).IsOwn() && (listed == name || s.Status == namespace.Deleted) {
				if err := n.hasten(ctx, name, listed, s); err != nil {
					return err
				}
				return ports.ErrNamespaceReclaiming.After(retryAfter).Because(fmt.Errorf("namespace %s is %v", listed, s.Status))
			}
		}
		if next = list.GetNextPageToken(); len(next) == 0 {
			return nil
		}
	}
}

// EnsureSystemNamespace registers the namespace that Bulkhead's own workflows
// run in. No workflow can do so: this is where workflows begin.
func (n *Namespaces) EnsureSystemNamespace(ctx context.Context) error {
	_, err := invoke(ctx, n.conn.cfg.CallTimeout, n.conn.adminService().RegisterNamespace, &workflowservice.RegisterNamespaceRequest{
		Namespace:                        n.conn.cfg.SystemNamespace,
		Description:                      "Bulkhead's own workflows",
		WorkflowExecutionRetentionPeriod: durationpb.New(n.conn.cfg.SystemRetention),
		Data:                             map[string]string{tagManagedBy: managedBy},
	})
	if alreadyExists(err) {
		return nil
	}
	return err
}
