package postgres_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// rows has a statement for each table that stores one row. Those of tenants take
// the organization as $1 and have fresh keys each time. A test fails when a
// table is missing here.
var rows = map[string]string{
	"organizations": `INSERT INTO organizations (id, slug, name, state, namespace, created_at, updated_at)
		VALUES ($1::uuid, $1::uuid::text, 'Acme', 'active', $1::uuid::text, now(), now())`,
	"users": `INSERT INTO users (org_id, id, email, name, role, state, created_at, updated_at)
		VALUES ($1, gen_random_uuid(), gen_random_uuid()::text, 'Ada', 'admin', 'active', now(), now())`,
	"roles": `INSERT INTO roles (org_id, id, name, permissions, created_at, updated_at)
		VALUES ($1, gen_random_uuid(), gen_random_uuid()::text, '{workflows:read}', now(), now())`,
	"api_keys": `INSERT INTO api_keys (org_id, id, name, hint, last_four, pepper_version, hash, state, created_at, updated_at)
		VALUES ($1, gen_random_uuid(), 'k', 'h', 'l', 1, sha256(gen_random_uuid()::text::bytea), 'active', now(), now())`,
	"api_key_uses": `INSERT INTO api_key_uses (org_id, key_id, generation) VALUES ($1::uuid, (SELECT k.id FROM api_keys k
		WHERE k.org_id = $1 AND NOT EXISTS (SELECT FROM api_key_uses u WHERE u.org_id = k.org_id AND u.key_id = k.id) LIMIT 1), 1)`,
	"audit_events": `WITH head AS (INSERT INTO audit_heads AS h (org_id, seq, hash) VALUES ($1, 1, sha256(''))
			ON CONFLICT (org_id) DO UPDATE SET seq = h.seq + 1 RETURNING h.seq, h.hash)
		INSERT INTO audit_events (org_id, id, at, actor_kind, action, resource_type, resource_id, outcome, seq, hash)
		SELECT $1, gen_random_uuid(), now(), 'system', 'a', 'r', 'i', 'succeeded', head.seq, head.hash FROM head`,
	"audit_checkpoints": `INSERT INTO audit_checkpoints (org_id, seq, hash, purged, purged_at) VALUES ($1, 0, sha256(''), 1, now())`,
	"audit_heads":       `INSERT INTO audit_heads (org_id, seq, hash) VALUES ($1, 1, sha256('')) ON CONFLICT (org_id) DO NOTHING`,
	"operations": `INSERT INTO operations (org_id, id, kind, state, created_at, updated_at)
		VALUES ($1, gen_random_uuid(), 'organization.provision', 'pending', now(), now())`,
	"outbox": `INSERT INTO outbox (org_id, id, kind, payload, created_at, available_at)
		VALUES ($1, gen_random_uuid(), 'k', '{}', now(), now())`,
	"idempotency_keys": `INSERT INTO idempotency_keys (org_id, api_key_id, operation, key, fingerprint, state, created_at, expires_at)
		VALUES ($1, gen_random_uuid(), 'o', 'k', '', 'running', now(), now() + interval '1 day')`,
	"usage_hours": `INSERT INTO usage_hours (org_id, key_id, hour, requests, refused, limited)
		VALUES ($1, gen_random_uuid(), date_trunc('hour', now()), 3, 2, 1)`,
	"worker_members": `INSERT INTO worker_members (pool, member, expires_at) VALUES ('default', gen_random_uuid()::text, now())`,
	"namespace_passes": `INSERT INTO namespace_passes (turn, leased_until, due_at) VALUES (gen_random_uuid(), now(), now())
		ON CONFLICT (singleton) DO UPDATE SET turn = EXCLUDED.turn`,
	"usage_writers": `INSERT INTO usage_writers (id, last_batch, at) VALUES (gen_random_uuid(), 1, now())`,
	"schedules": `INSERT INTO schedules (org_id, schedule_id, created_at, request)
		VALUES ($1, gen_random_uuid()::text, now(), gen_random_uuid())`,
	"workflow_dispatches": `INSERT INTO workflow_dispatches (org_id, request, workflow_id, type, task_queue, subject, requested_at, outcome)
		VALUES ($1, gen_random_uuid(), 'w', 't', 'q', 's', now(), 'requested')`,
	"signing_keys": `INSERT INTO signing_keys (id, public_der, sealed, sealed_by, state, created_at, changed_at)
		VALUES (gen_random_uuid()::text, '', '', 1, 'published', now(), now())`,
}

// ofPlatform are the tables that belong to no tenant.
var ofPlatform = []string{"signing_keys", "usage_writers", "worker_members", "namespace_passes"}

// orgColumn is the column of a tenant's table that says whose a row is.
func orgColumn(table string) string {
	if table == "organizations" {
		return "id"
	}
	return "org_id"
}

// tables lists the tables of the schema, those that others refer to first.
func tables(t testing.TB, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT relname FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'schema_version' ORDER BY oid`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// tenantTables lists the tables whose rows belong to organizations.
func tenantTables(t testing.TB, conn *pgx.Conn) []string {
	t.Helper()
	return slices.DeleteFunc(tables(t, conn), func(name string) bool { return slices.Contains(ofPlatform, name) })
}

// fill stores a row of the organization in every table of the schema, as a
// superuser.
func fill(t testing.TB, admin *pgx.Conn, org uuid.UUID) {
	t.Helper()
	for _, table := range tables(t, admin) {
		if err := fillTable(t, admin, table, org); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
	}
}

// executor is a connection or a transaction.
type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func fillTable(t testing.TB, db executor, table string, org uuid.UUID) error {
	t.Helper()
	statement, ok := rows[table]
	if !ok {
		return errors.New("no row to store is known for the table")
	}
	args := []any{org}
	if slices.Contains(ofPlatform, table) {
		args = nil
	}
	_, err := db.Exec(t.Context(), statement, args...)
	return err
}
