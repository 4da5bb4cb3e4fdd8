package temporal

import (
	"context"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/sleep"
)

// statuses are the states of a namespace, as Temporal calls them.
var statuses = map[enumspb.NamespaceState]namespace.Status{
	enumspb.NAMESPACE_STATE_REGISTERED: namespace.Registered,
	enumspb.NAMESPACE_STATE_DEPRECATED: namespace.Deprecated,
	enumspb.NAMESPACE_STATE_DELETED:    namespace.Deleted,
}

// describe reads the namespace from Temporal's database, past the caches of its frontends.
func (n *Namespaces) describe(ctx context.Context, name string) (*workflowservice.DescribeNamespaceResponse, error) {
	return invoke(ctx, n.conn.cfg.CallTimeout, n.conn.adminService().DescribeNamespace, &workflowservice.DescribeNamespaceRequest{Namespace: name})
}

// State returns how the namespace is. Its search attributes are read from the
// cache of a frontend, which lags behind by up to two seconds.
func (n *Namespaces) State(ctx context.Context, name string) (namespace.State, error) {
	found, err := n.describe(ctx, name)
	if fault.IsKind(err, fault.NotFound) {
		return namespace.State{Status: namespace.Absent}, nil
	}
	if err != nil {
		return namespace.State{}, err
	}
	s := toState(found)
	if s.Status == namespace.Deleted {
		return s, nil // nobody can ask for its attributes
	}
	s.Attributes, err = n.attributesOf(ctx, name)
	return s, err
}

func toState(found *workflowservice.DescribeNamespaceResponse) namespace.State {
	info, config := found.GetNamespaceInfo(), found.GetConfig()
	return namespace.State{
		ID:     info.GetId(),
		Status: statuses[info.GetState()], Owner: info.GetData()[tagOrg], Tagged: info.GetData()[tagManagedBy] == managedBy,
		Description: info.GetDescription(), Retention: config.GetWorkflowExecutionRetentionTtl().AsDuration(),
		Archival: config.GetHistoryArchivalState() == enumspb.ARCHIVAL_STATE_ENABLED || config.GetVisibilityArchivalState() == enumspb.ARCHIVAL_STATE_ENABLED,
	}
}

// All implements ports.Namespaces. What is being deleted is left out by Temporal.
func (n *Namespaces) All(ctx context.Context, p page.TokenRequest) (page.TokenPage[namespace.Found], error) {
	list, err := invoke(ctx, n.conn.cfg.CallTimeout, n.conn.adminService().ListNamespaces, &workflowservice.ListNamespacesRequest{
		PageSize: int32(p.Limit), NextPageToken: p.Token, //nolint:gosec // a page has at most 200 items
	})
	if err != nil {
		return page.TokenPage[namespace.Found]{}, err
	}
	found := page.TokenPage[namespace.Found]{Next: list.GetNextPageToken()}
	if len(found.Next) == 0 {
		found.Next = nil
	}
	for _, described := range list.GetNamespaces() {
		name := described.GetNamespaceInfo().GetName()
		if name == clusterScope || name == n.conn.cfg.SystemNamespace {
			continue
		}
		if s := toState(described); s.Status != namespace.Deleted {
			found.Items = append(found.Items, namespace.Found{Name: name, State: s})
		}
	}
	return found, nil
}

func (n *Namespaces) attributesOf(ctx context.Context, name string) (map[string]string, error) {
	list, err := invoke(ctx, n.conn.cfg.CallTimeout, n.conn.operatorService().ListSearchAttributes, &operatorservice.ListSearchAttributesRequest{
		Namespace: name,
	})
	if err != nil {
		return nil, notYet(err)
	}
	attributes := make(map[string]string, len(list.GetCustomAttributes()))
	for attribute, kind := range list.GetCustomAttributes() {
		attributes[attribute] = kind.String()
	}
	return attributes, nil
}

const (
	// settleLimit bounds the wait until a repair is seen; it is more than twice
	// what the caches of Temporal's frontends lag behind.
	settleLimit = 5 * time.Second
	settlePause = 100 * time.Millisecond
)

// Reconcile repairs what differs, and waits until that is seen: who asks right after
// a repair would be told that there was none.
func (n *Namespaces) Reconcile(ctx context.Context, b namespace.Blueprint) error {
	s, err := n.State(ctx, b.Namespace)
	if err != nil {
		return err
	}
	if err := usable(b, s); err != nil {
		return err
	}
	if err := n.repair(ctx, b, s); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	for {
		s, err := n.State(ctx, b.Namespace)
		if err != nil || !namespace.Repairable(namespace.Diff(b, s)) {
			return err
		}
		if !sleep.For(ctx, settlePause) {
			return fault.ErrUnavailable.After(retryAfter).Because(fmt.Errorf("namespace %s was repaired, and that is not seen yet", b.Namespace))
		}
	}
}

// repair changes what differs and no more: each change of a namespace is replicated,
// and counts against a limit of the whole cluster.
func (n *Namespaces) repair(ctx context.Context, b namespace.Blueprint, s namespace.State) error {
	if err := n.update(ctx, b, s); err != nil || !differs(b, s, namespace.FieldAttribute+namespace.AttributeActor) {
		return err
	}
	return n.EnsureSearchAttributes(ctx, b.Namespace)
}

// update makes a namespace like its blueprint, but for its search attributes.
func (n *Namespaces) update(ctx context.Context, b namespace.Blueprint, s namespace.State) error {
	if !differs(b, s, namespace.FieldTag, namespace.FieldRetention, namespace.FieldDescription) {
		return nil
	}
	_, err := invoke(ctx, n.conn.cfg.CallTimeout, n.conn.adminService().UpdateNamespace, &workflowservice.UpdateNamespaceRequest{
		Namespace:  b.Namespace,
		UpdateInfo: &namespacepb.UpdateNamespaceInfo{Description: b.Description, Data: tags(b)},
		Config:     &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(b.RetentionOver(s.Retention))},
	})
	return err
}

// differs tells whether one of the fields is not as it must be, and can be repaired.
func differs(b namespace.Blueprint, s namespace.State, fields ...string) bool {
	return slices.ContainsFunc(namespace.Diff(b, s), func(d namespace.Difference) bool {
		return d.Repairable && slices.Contains(fields, d.Field)
	})
}

// tags are what we know a namespace as ours by.
func tags(b namespace.Blueprint) map[string]string {
	return map[string]string{tagManagedBy: managedBy, tagOrg: b.Owner.String()}
}
