package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"
	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// The stages of a deletion at which a process may die, each named after what it
// is about to write: what the stage before has done is then not on record. The
// later ones are reached when Temporal has removed the namespace.
var (
	earlyDeletion = []string{
		"acknowledge",          // the workflow was told, the outbox does not know
		"grace-ended",          // the point of no return is being passed
		"provisioning-stopped", // nothing provisions any more, the operation does not know
		"namespace-deleted",    // and so on
	}
	lateDeletion   = []string{"namespace-reclaimed", "data-purged", "organization-deleted"}
	deletionStages = slices.Concat(earlyDeletion, lateDeletion)
)

// TestDeletionSurvives kills each process at each stage of a deletion.
func TestDeletionSurvives(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*testing.T, *harness.Stack){
		"the API": func(t *testing.T, s *harness.Stack) {
			s.API.Kill()
			s.API.Start(t)
		},
		"the worker": func(t *testing.T, s *harness.Stack) {
			s.Worker.Kill()
			s.Worker.Start(t)
		},
		"Temporal": func(t *testing.T, s *harness.Stack) {
			s.Temporal.Kill(t)
			s.Temporal.Restart(t)
		},
	} {
		t.Run("Should leave tombstones and nothing else when "+name+" is killed at any stage", func(t *testing.T) {
			is := is.New(t)
			s := harness.NewStack(t)
			neighbour := s.NewTenant(t, "neighbour")
			tenants := map[string]harness.Tenant{}
			for _, stage := range deletionStages {
				tenants[stage] = s.NewTenant(t, stage)
			}
			g := newGatekeeper(t, s)
			for _, stage := range deletionStages {
				g.close(t, stage)
			}
			operator, operations := s.Operator(t), map[string]string{}
			for _, stage := range deletionStages {
				d, err := operator.DeleteOrganization(t.Context(), stage, sdk.Deletion{Slug: stage, ETag: sdk.AnyVersion, Now: true})
				is.NoErr(err)
				operations[stage] = d.Operation.ID
				_, err = tenants[stage].Client.Whoami(t.Context())
				is.True(sdk.IsUnauthenticated(err)) // its keys have stopped
			}
			g.awaitArrival(t, earlyDeletion...)
			kill(t, s)
			g.awaitEach(t, func(stage string) string { return hindrance(t, s, operations[stage], tenants[stage].Org.Namespace) }, lateDeletion...)
			kill(t, s)
			g.openAll(t)
			for _, stage := range deletionStages {
				awaitDeletion(t, operator, operations[stage])
				checkTombstone(t, s, g.conn, tenants[stage].Org)
			}
			checkNamespacesGone(t, s, neighbour.Org.Namespace)
			_, err := neighbour.Client.Whoami(t.Context())
			is.NoErr(err)
		})
	}
}

// awaitEach waits until somebody has stood before each of the gates, be it that
// they were sent away since: these are reached one after the other, and whoever
// comes again does so ever more slowly. If it was in vain, why is asked about each that
// was not reached.
func (g *gatekeeper) awaitEach(t *testing.T, why func(stage string) string, stages ...string) {
	t.Helper()
	seen := map[int64]bool{}
	defer func() {
		for _, stage := range stages {
			if t.Failed() && !seen[g.locks[stage]] {
				t.Logf("%s was not reached: %s", stage, why(stage))
			}
		}
	}()
	harness.Eventually(t, fmt.Sprintf("each of the stages %v was reached", stages), func() bool {
		rows, err := g.conn.Query(t.Context(), `SELECT DISTINCT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		if err != nil {
			t.Fatal(err)
		}
		locks, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range locks {
			seen[l] = true
		}
		for _, stage := range stages {
			if !seen[g.locks[stage]] {
				return false
			}
		}
		return true
	})
}

// TestDeletion goes through what an operator does about a deletion.
func TestDeletion(t *testing.T) {
	t.Parallel()

	t.Run("Should leave no namespace behind of a provisioning that it overtakes", func(t *testing.T) {
		is := is.New(t)
		s := harness.NewStack(t)
		operator := s.Operator(t)
		var operations []string
		var made []sdk.Organization
		for i := range 6 {
			slug := fmt.Sprintf("raced-%d", i)
			created, err := operator.CreateOrganization(t.Context(), organization(slug), 0)
			is.NoErr(err)
			made = append(made, created.Organization)
			d, err := operator.DeleteOrganization(t.Context(), slug, sdk.Deletion{Slug: slug, ETag: sdk.AnyVersion, Now: true})
			is.NoErr(err)
			operations = append(operations, d.Operation.ID)
		}
		for _, op := range operations {
			awaitDeletion(t, operator, op)
		}
		conn, err := pgx.Connect(t.Context(), s.Database.AdminURL)
		is.NoErr(err)
		defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
		for _, o := range made {
			checkTombstone(t, s, conn, o)
		}
		checkNamespacesGone(t, s)
	})

	t.Run("Should be taken back inside the grace, with everything as it was", func(t *testing.T) {
		is := is.New(t)
		s := harness.NewStack(t)
		operator, tenant := s.Operator(t), s.NewTenant(t, "acme")
		o, err := operator.Organization(t.Context(), "acme")
		is.NoErr(err)
		d, err := tenant.Client.DeleteOrganization(t.Context(), "acme", sdk.Deletion{Slug: "acme", ETag: o.Etag})
		is.NoErr(err)
		is.True(d.Organization.DeleteAfter.After(time.Now().Add(6 * 24 * time.Hour)))
		_, err = tenant.Client.Whoami(t.Context())
		is.True(sdk.IsUnauthenticated(err))
		list, _, err := operator.Assignments(t.Context(), sdk.AssignmentQuery{}, "", 0)
		is.NoErr(err)
		is.Equal(len(list.Items), 0)

		restored, err := operator.RestoreOrganization(t.Context(), "acme")
		is.NoErr(err)
		is.Equal(restored.State, sdk.OrganizationStateSuspended)
		op, err := operator.Operation(t.Context(), d.Operation.ID, 0)
		is.NoErr(err)
		is.Equal(op.State, sdk.OperationStateCanceled)
		_, err = operator.ResumeOrganization(t.Context(), "acme")
		is.NoErr(err)
		_, err = tenant.Client.Whoami(t.Context())
		is.NoErr(err)
		_, err = tenant.Client.StartWorkflow(t.Context(), "acme", sdk.WorkflowStart{Type: "Any", TaskQueue: "any"})
		is.NoErr(err) // its namespace was never touched
		checkNamespacesGone(t, s, tenant.Org.Namespace)
		checkSuspension(t, s, tenant)
		checkPausingAll(t, s, tenant)

		// Deleted once more, it is another deletion, and goes through.
		second, err := operator.DeleteOrganization(t.Context(), "acme", sdk.Deletion{Slug: "acme", ETag: sdk.AnyVersion})
		is.NoErr(err)
		hastened, err := operator.DeleteOrganization(t.Context(), "acme", sdk.Deletion{Slug: "acme", ETag: sdk.AnyVersion, Now: true})
		is.NoErr(err)
		is.Equal(hastened.Operation.ID, second.Operation.ID)
		awaitDeletion(t, operator, second.Operation.ID)
		checkNamespacesGone(t, s)
	})
}

func awaitDeletion(t *testing.T, operator *sdk.Client, operation string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.WaitLimit)
	defer cancel()
	if _, err := operator.AwaitOperation(ctx, operation, nil); err != nil {
		t.Fatalf("deletion %s: %v", operation, err)
	}
}

// checkTombstone compares what is left of an organization with what should be.
func checkTombstone(t *testing.T, s *harness.Stack, conn *pgx.Conn, was sdk.Organization) {
	t.Helper()
	is := is.New(t)
	o, err := s.Operator(t).Organization(t.Context(), was.ID)
	is.NoErr(err)
	is.Equal(o.State, sdk.OrganizationStateDeleted)
	is.Equal(o.Namespace, was.Namespace)
	is.Equal(o.Slug, was.Slug)
	is.Equal(int(o.MemberCount+o.APIKeyCount), 0)
	_, err = s.Operator(t).CreateOrganization(t.Context(), organization(was.Slug), 0)
	is.True(sdk.IsConflict(err)) // the slug is never used again
	var left, deleted int
	is.NoErr(conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM users u WHERE u.org_id = o.id) + (SELECT count(*) FROM api_keys k WHERE k.org_id = o.id)
		+ (SELECT count(*) FROM operations p WHERE p.org_id = o.id AND p.kind <> 'organization.delete') + (SELECT count(*) FROM outbox m WHERE m.org_id = o.id),
		(SELECT count(*) FROM audit_events e WHERE e.org_id = o.id AND e.action = 'organization.deleted')
		FROM organizations o WHERE o.slug = $1`, was.Slug).Scan(&left, &deleted))
	is.Equal(left, 0)
	is.Equal(deleted, 1) // one deletion, on record
}

// checkNamespacesGone fails unless Temporal knows these tenants' namespaces and
// no other, under whatever name.
func checkNamespacesGone(t *testing.T, s *harness.Stack, want ...string) {
	t.Helper()
	is := is.New(t)
	temporal := dial(t, &sdk.Token{Token: s.SystemToken(t), TemporalAddress: s.Temporal.Address}, "bulkhead-system")
	res, err := temporal.WorkflowService().ListNamespaces(t.Context(), &workflowservice.ListNamespacesRequest{
		PageSize: 1000, NamespaceFilter: &namespace.NamespaceFilter{IncludeDeleted: true},
	})
	is.NoErr(err)
	var got []string
	for _, n := range res.Namespaces {
		if n.NamespaceInfo.Data["org_id"] != "" {
			got = append(got, n.NamespaceInfo.Name)
		}
	}
	is.Equal(got, want)
}
