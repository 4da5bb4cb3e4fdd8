package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// The stages of provisioning at which a process may die, each named after what
// it is about to write: what the stage before has done is then not on record.
// Claiming comes last, as it holds up whatever is claimed with it.
var stages = []string{
	"acknowledge",             // the workflow was started, the outbox does not know
	"namespace-registered",    // the namespace exists, the operation does not know
	"search-attributes-added", // and so on
	"namespace-usable",
	"activate",
	"claim",
}

// gates makes the database wait, at a stage of the organization whose slug is
// the stage's name, until the test lets it go on: a lock that the test holds.
// The product runs as it is; nothing in it knows of being tested.
const gates = `
CREATE TABLE test_gates (stage text PRIMARY KEY, lock bigint NOT NULL);
GRANT SELECT ON test_gates TO bulkhead_app, bulkhead_owner;

CREATE FUNCTION test_gate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	rec     record;
	written jsonb;
	stage   text;
	own     text;
	wait    bigint;
BEGIN
	IF TG_OP = 'DELETE' THEN rec := OLD; ELSE rec := NEW; END IF;
	written := to_jsonb(rec);
	IF TG_TABLE_NAME = 'organizations' THEN
		stage := CASE WHEN TG_OP = 'INSERT' THEN 'create' ELSE 'activate' END;
		own := written->>'slug';
	ELSE
		SELECT slug INTO own FROM public.organizations WHERE id = (written->>'org_id')::uuid;
		stage := CASE
			WHEN TG_TABLE_NAME = 'operations' THEN replace(written->>'step', '_', '-')
			WHEN TG_OP = 'DELETE' THEN 'acknowledge'
			ELSE 'claim' END;
	END IF;
	IF stage = own THEN
		SELECT lock INTO wait FROM public.test_gates g WHERE g.stage = own;
		IF wait IS NOT NULL THEN
			PERFORM pg_advisory_xact_lock_shared(wait);
		END IF;
	END IF;
	RETURN rec;
END $$;

CREATE TRIGGER test_gate BEFORE INSERT OR UPDATE ON organizations FOR EACH ROW EXECUTE FUNCTION test_gate();
CREATE TRIGGER test_gate BEFORE UPDATE ON operations FOR EACH ROW EXECUTE FUNCTION test_gate();
CREATE TRIGGER test_gate BEFORE UPDATE OR DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION test_gate();
`

// gatekeeper holds the locks.
type gatekeeper struct {
	conn  *pgx.Conn
	locks map[string]int64
}

func newGatekeeper(t *testing.T, s *harness.Stack) *gatekeeper {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Database.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	if _, err := conn.Exec(t.Context(), gates); err != nil {
		t.Fatal(err)
	}
	return &gatekeeper{conn: conn, locks: map[string]int64{}}
}

func (g *gatekeeper) close(t *testing.T, stage string) {
	t.Helper()
	g.locks[stage] = int64(len(g.locks) + 1)
	if _, err := g.conn.Exec(t.Context(), "SELECT pg_advisory_lock($1)", g.locks[stage]); err != nil {
		t.Fatal(err)
	}
	if _, err := g.conn.Exec(t.Context(), "INSERT INTO test_gates VALUES ($1, $2)", stage, g.locks[stage]); err != nil {
		t.Fatal(err)
	}
}

// awaitArrival waits until somebody stands before each of the gates at once.
// Who waits too long is sent away by the database's limits, and comes again.
func (g *gatekeeper) awaitArrival(t *testing.T, stages ...string) {
	t.Helper()
	var locks []int64
	for _, stage := range stages {
		locks = append(locks, g.locks[stage])
	}
	harness.Eventually(t, fmt.Sprintf("the stages %v are reached", stages), func() bool {
		var waiting int
		err := g.conn.QueryRow(t.Context(), `SELECT count(DISTINCT objid) FROM pg_locks
			WHERE locktype = 'advisory' AND NOT granted AND objid::bigint = ANY ($1)
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, locks).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		return waiting == len(stages)
	})
}

func (g *gatekeeper) openAll(t *testing.T) {
	t.Helper()
	if _, err := g.conn.Exec(t.Context(), "DELETE FROM test_gates"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.conn.Exec(t.Context(), "SELECT pg_advisory_unlock_all()"); err != nil {
		t.Fatal(err)
	}
}

// TestProvisioningSurvives kills each process at each stage.
func TestProvisioningSurvives(t *testing.T) {
	t.Parallel()
	victims := map[string]func(*testing.T, *harness.Stack){
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
	}
	for name, kill := range victims {
		t.Run("Should end with one namespace for each organization when "+name+" is killed at any stage", func(t *testing.T) {
			is := is.New(t)
			s := harness.NewStack(t)
			g := newGatekeeper(t, s)
			for _, stage := range stages {
				g.close(t, stage)
			}
			early, last := stages[:len(stages)-1], stages[len(stages)-1]
			for _, stage := range early {
				create(t, s, stage)
			}
			g.awaitArrival(t, early...)
			create(t, s, last)
			g.awaitArrival(t, last)
			kill(t, s)
			g.openAll(t)
			for _, stage := range stages {
				awaitActive(t, s, stage)
			}
			checkNamespaces(t, s)

			// And what was not hurt goes on: the next one takes no notice.
			is.Equal(s.NewTenant(t, "afterwards").Org.State, sdk.OrganizationStateActive)
		})
	}

	t.Run("Should create nothing when the API is killed before the commit, and everything when asked again", func(t *testing.T) {
		is := is.New(t)
		s := harness.NewStack(t)
		g := newGatekeeper(t, s)
		g.close(t, "create")
		answered := make(chan error, 1)
		operator := s.Operator(t)
		go func() {
			_, err := operator.CreateOrganization(t.Context(), organization("create"), 0)
			answered <- err
		}()
		g.awaitArrival(t, "create")
		s.API.Kill()
		is.True(<-answered != nil)
		g.openAll(t)
		s.API.Start(t)
		var left int
		is.NoErr(g.conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM organizations WHERE slug = 'create')
			+ (SELECT count(*) FROM outbox) + (SELECT count(*) FROM operations)
			+ (SELECT count(*) FROM users WHERE role <> 'operator')`).Scan(&left))
		is.Equal(left, 0) // nothing half-done
		create(t, s, "create")
		awaitActive(t, s, "create")
		checkNamespaces(t, s)
	})
}

func organization(slug string) sdk.OrganizationCreate {
	return sdk.OrganizationCreate{Slug: slug, Admin: sdk.FirstAdmin{Email: "admin@" + slug + ".example"}}
}

func create(t *testing.T, s *harness.Stack, slug string) {
	t.Helper()
	if _, err := s.Operator(t).CreateOrganization(t.Context(), organization(slug), 0); err != nil {
		t.Fatalf("create %s: %v", slug, err)
	}
}

func awaitActive(t *testing.T, s *harness.Stack, slug string) {
	t.Helper()
	operator := s.Operator(t)
	harness.Eventually(t, "organization "+slug+" is active", func() bool {
		o, err := operator.Organization(t.Context(), slug)
		return err == nil && o.State == sdk.OrganizationStateActive
	})
}

// checkNamespaces compares both sides: every organization has the one namespace
// of its row, every namespace of ours has an organization, and each operation
// and trail tells of one success.
func checkNamespaces(t *testing.T, s *harness.Stack) {
	t.Helper()
	is := is.New(t)
	want := map[string]string{} // namespace by organization
	for o, err := range s.Operator(t).AllOrganizations(t.Context(), sdk.OrganizationFilter{}) {
		is.NoErr(err)
		if o.Slug != "system" {
			want[o.ID] = o.Namespace
		}
	}
	got := map[string]string{}
	temporal := dial(t, &sdk.Token{Token: s.SystemToken(t), TemporalAddress: s.Temporal.Address}, "bulkhead-system")
	res, err := temporal.WorkflowService().ListNamespaces(t.Context(), &workflowservice.ListNamespacesRequest{PageSize: 1000})
	is.NoErr(err)
	for _, n := range res.Namespaces {
		owner := n.NamespaceInfo.Data["org_id"]
		if owner == "" {
			continue // the system's
		}
		is.Equal(got[owner], "") // an organization has one namespace
		is.Equal(n.NamespaceInfo.State, enums.NAMESPACE_STATE_REGISTERED)
		got[owner] = n.NamespaceInfo.Name
	}
	is.Equal(got, want)

	conn, err := pgx.Connect(t.Context(), s.Database.AdminURL)
	is.NoErr(err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	harness.Eventually(t, "every message is delivered, and known to be", func() bool {
		var left int
		is.NoErr(conn.QueryRow(t.Context(), "SELECT count(*) FROM outbox").Scan(&left))
		return left == 0
	})
	rows, err := conn.Query(t.Context(), `SELECT o.slug || ' ' || p.state || ' ' ||
		(SELECT count(*) FROM audit_events e WHERE e.org_id = o.id AND e.action = 'organization.activated')
		FROM organizations o JOIN operations p ON p.org_id = o.id`)
	is.NoErr(err)
	told, err := pgx.CollectRows(rows, pgx.RowTo[string])
	is.NoErr(err)
	is.Equal(len(told), len(want)) // one operation each
	for _, line := range told {
		is.True(strings.HasSuffix(line, " succeeded 1")) // and one activation
	}
}

// TestTwoServersAtOnce starts two API processes on an empty database.
func TestTwoServersAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("Should come up side by side and share what they make", func(t *testing.T) {
		is := is.New(t)
		d := harness.Postgres(t).Unmigrated(t)
		s := harness.Prepare(t, d)
		migrate := []string{"BULKHEAD_DATABASE_MIGRATE_ON_START=true", "BULKHEAD_DATABASE_OWNER_URL=" + d.OwnerURL}
		firstURL, first := s.With(t, migrate...)
		secondURL, second := s.With(t, migrate...)
		first.Launch(t)
		second.Launch(t)
		first.AwaitStatus(t, "/readyz", 200)
		second.AwaitStatus(t, "/readyz", 200)

		kids := func(url string) string {
			c, err := sdk.New(sdk.Config{URL: url})
			is.NoErr(err)
			var set *sdk.KeySet
			harness.Eventually(t, "the first signing key exists", func() bool {
				set, err = c.KeySet(t.Context())
				return err == nil
			})
			is.Equal(len(set.Keys), 1) // one key, whichever of the two made it
			return fmt.Sprint(set.Keys[0]["kid"])
		}
		is.Equal(kids(firstURL), kids(secondURL))

		made := s.Bootstrap(t)
		for _, url := range []string{firstURL, secondURL} {
			c, err := sdk.New(sdk.Config{URL: url, APIKey: made.OperatorKey, Timeout: 10 * time.Second})
			is.NoErr(err)
			_, err = c.Whoami(t.Context())
			is.NoErr(err)
		}
	})
}
