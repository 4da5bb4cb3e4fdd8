package postgres_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/ports/porttest"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// hostile is a session time zone with half hours, and more hours behind UTC than
// a day's careless comparison survives.
const hostile = "Canada/Newfoundland"

func TestStore(t *testing.T) {
	t.Parallel()
	porttest.Store(t, openBackend)
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	porttest.Platform(t, openBackend)
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	porttest.Credentials(t, openBackend)
}

func TestCredentialFeed(t *testing.T) {
	t.Parallel()
	porttest.CredentialFeed(t, openBackend)
}

func TestKeyUses(t *testing.T) {
	t.Parallel()
	porttest.KeyUses(t, openBackend)
}

func TestKeyCensus(t *testing.T) {
	t.Parallel()
	porttest.KeyCensus(t, openBackend)
}

func TestUsageHours(t *testing.T) {
	t.Parallel()
	porttest.UsageHours(t, openBackend)
}

func TestWorkerMembers(t *testing.T) {
	t.Parallel()
	porttest.WorkerMembers(t, openBackend)
}

func TestNamespacePasses(t *testing.T) {
	t.Parallel()
	porttest.NamespacePasses(t, openBackend)
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	porttest.Outbox(t, openBackend)
}

func TestSigningKeys(t *testing.T) {
	t.Parallel()
	porttest.SigningKeys(t, openBackend)
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	porttest.Idempotency(t, openBackend)
}

func TestDispatches(t *testing.T) {
	t.Parallel()
	porttest.Dispatches(t, openBackend)
}

func TestTrail(t *testing.T) {
	t.Parallel()
	porttest.Trail(t, openBackend)
}

func openBackend(t *testing.T) porttest.Backend {
	t.Helper()
	d := harness.Postgres(t).Database(t)
	return backend(t, d, openDB(t, d))
}

func backend(t *testing.T, d harness.Database, db *postgres.DB) porttest.Backend {
	t.Helper()
	outbox := postgres.NewOutbox(db)
	feed := postgres.NewCredentialFeed(db)
	members := postgres.NewWorkerMembers(db)
	t.Cleanup(func() {
		_ = outbox.Close(context.Background())
		_ = feed.Close(context.Background())
		_ = members.Close(context.Background())
	})
	return porttest.Backend{
		Store: postgres.NewStore(db), Platform: postgres.NewPlatform(db), Credentials: postgres.NewCredentials(db), Feed: feed,
		KeyUses: postgres.NewKeyUses(db), KeyCensus: postgres.NewKeyCensus(db), UsageHours: postgres.NewUsageHours(db), Members: members,
		Passes: postgres.NewNamespacePasses(db),
		Outbox: outbox, SigningKeys: postgres.NewSigningKeys(db), Idempotency: postgres.NewIdempotency(db),
		Audit: postgres.NewTrail(db), Dispatches: postgres.NewDispatches(db), Trail: trail(d),
	}
}

func openDB(t testing.TB, d harness.Database) *postgres.DB {
	t.Helper()
	return openConfig(t, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL})
}

// openConfig opens a database whose sessions are in a hostile time zone.
func openConfig(t testing.TB, cfg postgres.Config) *postgres.DB {
	t.Helper()
	cfg.URL, cfg.AuthURL = withParameter(t, cfg.URL, "TimeZone", hostile), withParameter(t, cfg.AuthURL, "TimeZone", hostile)
	db, err := postgres.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func parseURL(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func withParameter(t testing.TB, raw, name, value string) string {
	t.Helper()
	u := parseURL(t, raw)
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// trail reads the audit trail as a superuser, whom no policy binds.
func trail(d harness.Database) func(t testing.TB, o id.Org) []id.Event {
	return func(t testing.TB, o id.Org) []id.Event {
		t.Helper()
		rows, err := connect(t, d.AdminURL).Query(t.Context(), `SELECT id FROM audit_events WHERE org_id = $1 ORDER BY id`, o.UUID())
		if err != nil {
			t.Fatal(err)
		}
		events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (id.Event, error) {
			var u uuid.UUID
			err := row.Scan(&u)
			return id.FromUUID[id.EventKind](u), err
		})
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
}

// connect makes a plain connection, which ends with the test.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// run sends statements that must succeed.
func run(t testing.TB, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
