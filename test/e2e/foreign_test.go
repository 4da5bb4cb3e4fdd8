package e2e

import (
	"testing"

	"github.com/matryer/is"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// state returns how Temporal says that a namespace is.
func (c *cluster) state(t *testing.T, name string) *namespace.NamespaceInfo {
	t.Helper()
	found, err := c.service.DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: name})
	if err != nil {
		t.Fatal(err)
	}
	return found.GetNamespaceInfo()
}

// TestForeignNamespace deletes organizations whose namespace is not theirs.
func TestForeignNamespace(t *testing.T) {
	t.Parallel()
	s := harness.NewStack(t)
	c, operator := newCluster(t, s), s.Operator(t)

	t.Run("Should delete the organization whose name somebody else had taken, and nothing of theirs", func(t *testing.T) {
		is := is.New(t)
		o := id.New[id.OrgKind]()
		slug, err := org.ParseSlug("taken")
		is.NoErr(err)
		name := org.NamespaceFor(slug, o)
		c.register(t, name, map[string]string{"team": "orders"})
		before := c.state(t, name)
		in := organization("taken")
		in.ID = o.String()
		made, err := operator.CreateOrganization(t.Context(), in, 0)
		is.NoErr(err)
		is.Equal(made.Organization.Namespace, name)
		harness.Eventually(t, "its provisioning has failed", func() bool {
			op, err := operator.Operation(t.Context(), made.Operation.ID, 0)
			return err == nil && op.State == sdk.OperationStateFailed && op.FailureCode == "namespace.foreign"
		})
		d, err := operator.DeleteOrganization(t.Context(), "taken", sdk.Deletion{Slug: "taken", ETag: sdk.AnyVersion, Now: true})
		is.NoErr(err)
		awaitDeletion(t, operator, d.Operation.ID)
		checkTombstone(t, s, c.conn, made.Organization)
		op, err := operator.Operation(t.Context(), d.Operation.ID, 0)
		is.NoErr(err)
		is.Equal(op.Note, "The namespace "+name+" was not deleted: it is not this organization's.")
		trail, err := operator.ListAuditEvents(t.Context(), o.String(), sdk.AuditFilter{Action: "namespace.not_deleted"}, sdk.ListOptions{})
		is.NoErr(err)
		is.Equal(len(trail.Items), 1)
		is.Equal(trail.Items[0].ResourceID, name)
		after := c.state(t, name)
		is.Equal(after.GetId(), before.GetId())
		is.Equal(after.GetState(), enums.NAMESPACE_STATE_REGISTERED)
		is.Equal(after.GetData(), before.GetData())
	})

	t.Run("Should stop at the namespace of an organization that has worked when its tag is another's, and go on when it is its own again", func(t *testing.T) {
		is := is.New(t)
		tenant := s.NewTenant(t, "acme")
		name := tenant.Org.Namespace
		tag := func(owner string) {
			t.Helper()
			_, err := c.service.UpdateNamespace(t.Context(), &workflowservice.UpdateNamespaceRequest{
				Namespace: name, UpdateInfo: &namespace.UpdateNamespaceInfo{Data: map[string]string{"org_id": owner}},
			})
			is.NoErr(err)
		}
		tag(id.New[id.OrgKind]().String())
		d, err := operator.DeleteOrganization(t.Context(), "acme", sdk.Deletion{Slug: "acme", ETag: sdk.AnyVersion, Now: true})
		is.NoErr(err)
		var stopped *sdk.Operation
		harness.Eventually(t, "it has stopped", func() bool {
			stopped, err = operator.Operation(t.Context(), d.Operation.ID, 0)
			return err == nil && stopped.State == sdk.OperationStateFailed
		})
		is.Equal(stopped.FailureCode, "namespace.foreign")
		is.Equal(c.state(t, name).GetState(), enums.NAMESPACE_STATE_REGISTERED)
		tag(tenant.Org.ID)
		again, err := operator.RetryOperation(t.Context(), d.Operation.ID)
		is.NoErr(err)
		awaitDeletion(t, operator, again.ID)
		checkTombstone(t, s, c.conn, tenant.Org)
		checkNamespacesGone(t, s)
	})
}
