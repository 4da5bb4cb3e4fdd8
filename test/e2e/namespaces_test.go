package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"
	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// cluster is Temporal as whoever runs it sees it, and Bulkhead's database.
type cluster struct {
	*harness.Stack
	service workflowservice.WorkflowServiceClient
	conn    *pgx.Conn
}

func newCluster(t *testing.T, s *harness.Stack) *cluster {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Database.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	c := dial(t, &sdk.Token{Token: s.Mint(t, "temporal-system:admin"), TemporalAddress: s.Temporal.Address}, "bulkhead-system")
	return &cluster{Stack: s, service: c.WorkflowService(), conn: conn}
}

func (c *cluster) retention(t *testing.T, name string) time.Duration {
	t.Helper()
	found, err := c.service.DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: name})
	if err != nil {
		t.Fatal(err)
	}
	return found.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
}

// pass has the next pass over all namespaces begin now.
func (c *cluster) pass(t *testing.T) {
	t.Helper()
	if _, err := c.conn.Exec(t.Context(), `UPDATE namespace_passes SET due_at = 'epoch', cursor = ''`); err != nil {
		t.Fatal(err)
	}
}

// TestNamespaces looks after namespaces as a deployment does: on its own.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	s := harness.NewStack(t)
	c := newCluster(t, s)
	tenant := s.NewTenant(t, "acme")
	name, org := tenant.Org.Namespace, tenant.Org.Slug

	t.Run("Should apply a changed retention without being asked to", func(t *testing.T) {
		is := is.New(t)
		_, err := tenant.Client.UpdateOrganization(t.Context(), org, sdk.AnyVersion, sdk.OrganizationUpdate{
			Settings: &sdk.OrganizationSettings{WorkflowRetentionDays: 30},
		})
		is.NoErr(err)
		harness.Eventually(t, "the namespace has the retention", func() bool { return c.retention(t, name) == 30*day })
	})

	t.Run("Should repair what somebody has changed at Temporal, and say so in the trail", func(t *testing.T) {
		is := is.New(t)
		_, err := c.service.UpdateNamespace(t.Context(), &workflowservice.UpdateNamespaceRequest{
			Namespace: name, UpdateInfo: &namespace.UpdateNamespaceInfo{Description: "mine"},
			Config: &namespace.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(day)},
		})
		is.NoErr(err)
		c.pass(t)
		harness.Eventually(t, "the namespace is as it must be", func() bool { return c.retention(t, name) == 30*day })
		trail, err := tenant.Client.ListAuditEvents(t.Context(), org, sdk.AuditFilter{Action: "namespace.reconcile_requested"}, sdk.ListOptions{})
		is.NoErr(err)
		is.Equal(len(trail.Items), 2) // the changed setting, and this
		is.Equal(trail.Items[0].Actor.Name, "reconciler")
		n, err := tenant.Client.Namespace(t.Context(), org)
		is.NoErr(err)
		is.Equal(len(n.Drift), 0)
	})
}
