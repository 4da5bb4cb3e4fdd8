package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"
	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bulkheadhq/bulkhead/core/outbox"
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

	t.Run("Should apply the last of many changes in a row, by few repairs", func(t *testing.T) {
		is := is.New(t)
		repairs := func() int {
			trail, err := tenant.Client.ListAuditEvents(t.Context(), org, sdk.AuditFilter{Action: "namespace.reconcile_requested"}, sdk.ListOptions{})
			is.NoErr(err)
			return len(trail.Items)
		}
		before, began := repairs(), time.Now()
		for i := range 40 {
			_, err := tenant.Client.UpdateOrganization(t.Context(), org, sdk.AnyVersion, sdk.OrganizationUpdate{
				Settings: &sdk.OrganizationSettings{WorkflowRetentionDays: int32(40 + i)},
			})
			is.NoErr(err)
		}
		harness.Eventually(t, "the namespace has the last retention", func() bool { return c.retention(t, name) == 79*day })
		is.True(repairs()-before <= 1+int(time.Since(began)/outbox.Gathering))
	})

	t.Run("Should find orphans on both sides, and delete one, but nothing else", func(t *testing.T) {
		is := is.New(t)
		operator := s.Operator(t)
		c.register(t, "org-lost", map[string]string{"managed_by": "bulkhead", "org_id": "org_00000000000000000000000001"})
		c.register(t, "theirs", nil)
		bereft := s.NewTenant(t, "bereft")
		is.NoErr(c.conn.QueryRow(t.Context(), `UPDATE organizations SET namespace = 'org-nowhere' WHERE slug = 'bereft' RETURNING namespace`).Scan(new(string)))
		got := map[string]string{}
		for o, err := range operator.AllOrphanedNamespaces(t.Context()) {
			is.NoErr(err)
			got[o.Namespace] = o.Reason
		}
		is.Equal(got, map[string]string{"org-lost": "organization_unknown", bereft.Org.Namespace: "other_namespace", "org-nowhere": "namespace_absent"})
		for _, name := range []string{"theirs", tenant.Org.Namespace, "bulkhead-system", "temporal-system"} {
			is.True(sdk.IsConflict(operator.DeleteOrphanedNamespace(t.Context(), name)))
		}
		out := s.Command(t, s.OperatorKey, "namespace", "delete-orphan", "org-lost", "--yes")
		is.Equal(out.Code, 0)
		is.True(sdk.IsNotFound(operator.DeleteOrphanedNamespace(t.Context(), "org-lost")))
		is.True(sdk.IsForbidden(tenant.Client.DeleteOrphanedNamespace(t.Context(), "theirs")))
		is.NoErr(c.conn.QueryRow(t.Context(), `UPDATE organizations SET namespace = $1 WHERE slug = 'bereft' RETURNING namespace`, bereft.Org.Namespace).Scan(new(string)))
		checkNoOrphans(t, operator)
	})

	t.Run("Should adopt a namespace with what is in it, run workflows there, and delete it with its organization", func(t *testing.T) {
		is := is.New(t)
		const legacy = "orders.Production"
		c.register(t, legacy, map[string]string{"team": "orders"})
		out := s.Command(t, s.OperatorKey, "org", "create", "orders", "--admin-email", "ada@orders.example", "--adopt-namespace", legacy)
		is.Equal(out.Code, 0)
		operator := s.Operator(t)
		o, err := operator.Organization(t.Context(), "orders")
		is.NoErr(err)
		is.Equal(o.Namespace, legacy)
		is.Equal(c.retention(t, legacy), 5*day) // longer than the deployment's, so it stays
		found, err := operator.ExamineOrganization(t.Context(), "orders")
		is.NoErr(err)
		is.True(found.Healthy) // a token of the organization works there, and only there; a workflow starts
		_, err = operator.CreateOrganization(t.Context(), sdk.OrganizationCreate{
			Slug: "thief", Admin: sdk.FirstAdmin{Email: "eve@thief.example"}, AdoptNamespace: legacy,
		}, 0)
		is.True(sdk.IsConflict(err))
		checkNoOrphans(t, operator)
		d, err := operator.DeleteOrganization(t.Context(), "orders", sdk.Deletion{Slug: "orders", ETag: sdk.AnyVersion, Now: true})
		is.NoErr(err)
		awaitDeletion(t, operator, d.Operation.ID)
		_, err = c.service.DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: legacy})
		is.True(err != nil)
	})

	t.Run("Should never take for an orphan who is being created or deleted", func(t *testing.T) {
		is := is.New(t)
		operator, over := s.Operator(t), make(chan struct{})
		go func() {
			defer close(over)
			var all sync.WaitGroup
			for i := range 4 {
				all.Go(func() {
					slug := fmt.Sprintf("fleeting-%d", i)
					if _, err := operator.CreateOrganization(t.Context(), sdk.OrganizationCreate{
						Slug: slug, Admin: sdk.FirstAdmin{Email: "admin@" + slug + ".example"},
					}, 30*time.Second); err != nil {
						t.Error(err)
						return
					}
					d, err := operator.DeleteOrganization(t.Context(), slug, sdk.Deletion{Slug: slug, ETag: sdk.AnyVersion, Now: true})
					if err != nil {
						t.Error(err)
						return
					}
					awaitDeletion(t, operator, d.Operation.ID)
				})
			}
			all.Wait()
		}()
		looks := 0
		for ended := false; !ended; looks++ {
			select {
			case <-over:
				ended = true
			default:
			}
			checkNoOrphans(t, operator)
		}
		is.True(looks > 10)
	})
}

func checkNoOrphans(t *testing.T, operator *sdk.Client) {
	t.Helper()
	for o, err := range operator.AllOrphanedNamespaces(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s of %s is taken for an orphan: %s", o.Namespace, o.OrganizationID, o.Reason)
	}
}

// register makes a namespace past Bulkhead.
func (c *cluster) register(t *testing.T, name string, tags map[string]string) {
	t.Helper()
	_, err := c.service.RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: name, Data: tags, WorkflowExecutionRetentionPeriod: durationpb.New(5 * 24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
}
