package temporal_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
)

// lagging knows of search attributes only after it was asked for them a few times more
// since they were added, as the cache of a frontend does.
type lagging struct {
	operatorservice.UnimplementedOperatorServiceServer

	lag   int32
	added atomic.Bool
	asked atomic.Int32 // since then
}

func (l *lagging) AddSearchAttributes(context.Context, *operatorservice.AddSearchAttributesRequest) (*operatorservice.AddSearchAttributesResponse, error) {
	l.added.Store(true)
	return &operatorservice.AddSearchAttributesResponse{}, nil
}

func (l *lagging) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest) (*operatorservice.ListSearchAttributesResponse, error) {
	known := map[string]enumspb.IndexedValueType{}
	if l.added.Load() && l.asked.Add(1) > l.lag {
		known[namespace.AttributeActor] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: known}, nil
}

// TestRepairIsSeen has a frontend that lags behind what it was told.
func TestRepairIsSeen(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T, l *lagging) (*temporal.Namespaces, namespace.Blueprint) {
		t.Helper()
		owner := id.New[id.OrgKind]()
		b := namespace.Standard{}.For("org-acme-01234567", owner, 0)
		conn := startFrontend(t, &frontend{operator: l, one: &workflowservice.DescribeNamespaceResponse{
			NamespaceInfo: &namespacepb.NamespaceInfo{
				Name: b.Namespace, State: enumspb.NAMESPACE_STATE_REGISTERED, Description: b.Description,
				Data: map[string]string{"managed_by": "bulkhead", "org_id": owner.String()},
			},
			Config: &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(b.Retention)},
		}}, temporal.Config{})
		return temporal.NewNamespaces(conn), b
	}

	t.Run("Should end when the repair is seen, so that nobody is told of the old state", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		n, b := setup(t, &lagging{lag: 4})
		is.NoErr(n.Reconcile(t.Context(), b))
		have, err := n.State(t.Context(), b.Namespace)
		is.NoErr(err)
		is.Equal(len(namespace.Diff(b, have)), 0)
	})

	t.Run("Should not call done what is not seen in time", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		n, b := setup(t, &lagging{lag: 1 << 30})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := n.Reconcile(ctx, b)
		is.True(fault.Passes(err))
	})
}
