package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// policyText is the one form of a tenant's policy, as Postgres prints it. The
// sub-select makes it evaluated once a query and not once a row; nullif, because
// a setting that was local to an earlier transaction is left as ”.
const policyText = `( SELECT (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid AS "nullif")`

// gate is a rule of the schema: a query whose rows are the violations, and a
// statement that makes one, to show that the rule would notice.
type gate struct {
	name      string
	query     string
	violation string
}

var gates = []gate{
	{
		name: "a table of tenants has row-level security, forced upon its owner too",
		query: `SELECT c.relname FROM pg_class c WHERE ` + ofTenant + `
			AND NOT (c.relrowsecurity AND c.relforcerowsecurity)`,
		violation: `CREATE TABLE planted (org_id uuid NOT NULL, id uuid, PRIMARY KEY (org_id, id))`,
	},
	{
		name: "a table of tenants has the policy of the template, for the app role alone",
		query: `SELECT c.relname FROM pg_class c WHERE ` + ofTenant + ` AND NOT EXISTS (
			SELECT FROM pg_policies p WHERE p.tablename = c.relname AND p.policyname = 'tenant' AND p.permissive = 'PERMISSIVE'
			AND p.cmd = 'ALL' AND p.roles = '{bulkhead_app}' AND p.qual = p.with_check
			AND p.qual = '(' || CASE c.relname WHEN 'organizations' THEN 'id' ELSE 'org_id' END || ' = ` + quoteSQL(policyText) + `)')`,
		violation: `DROP POLICY tenant ON users; CREATE POLICY tenant ON users TO bulkhead_app
			USING (org_id = current_setting('app.org_id', true)::uuid)`,
	},
	{
		name: "there is no policy beyond those that are listed",
		query: `SELECT tablename || '.' || policyname || ' ' || cmd || ' ' || qual FROM pg_policies WHERE policyname <> 'tenant'
			AND (tablename, policyname, cmd, roles::text, qual) NOT IN (
				('organizations', 'authentication', 'SELECT', '{bulkhead_auth}', 'true'),
				('users', 'authentication', 'SELECT', '{bulkhead_auth}', 'true'),
				('api_keys', 'authentication', 'SELECT', '{bulkhead_auth}', 'true'),
				('organizations', 'platform', 'SELECT', '{bulkhead_app}', ` + platformText + `),
				('operations', 'platform', 'SELECT', '{bulkhead_app}', ` + platformText + `),
				('outbox', 'platform_read', 'SELECT', '{bulkhead_app}', ` + platformText + `),
				('outbox', 'platform_claim', 'UPDATE', '{bulkhead_app}', ` + platformText + `),
				('outbox', 'platform_done', 'DELETE', '{bulkhead_app}', ` + platformText + `),
				('idempotency_keys', 'platform_expired', 'SELECT', '{bulkhead_app}', ` + expiredText + `),
				('idempotency_keys', 'platform_erase', 'DELETE', '{bulkhead_app}', ` + expiredText + `))`,
		violation: `CREATE POLICY planted ON users FOR SELECT TO bulkhead_app USING (true)`,
	},
	{
		name: "a table without tenants is on the list",
		query: `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
			AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'org_id')
			AND relname NOT IN ('organizations', 'signing_keys', 'schema_version')`,
		violation: `CREATE TABLE planted (id uuid)`,
	},
	{
		name: "nobody but the owner can truncate, refer to, or put triggers on a table",
		query: `SELECT c.relname, a.grantee::regrole, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
			WHERE c.relnamespace = 'public'::regnamespace AND a.grantee <> c.relowner
			AND a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')`,
		violation: `GRANT ALL ON users TO bulkhead_app`,
	},
	{
		name: "nothing is granted to everybody",
		query: `SELECT c.relname, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
			WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = 0`,
		violation: `GRANT SELECT ON users TO PUBLIC`,
	},
	{
		name: "the audit trail can only grow",
		query: `SELECT a.grantee::regrole, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
			WHERE c.relname = 'audit_events' AND a.grantee <> c.relowner AND a.privilege_type NOT IN ('SELECT', 'INSERT')`,
		violation: `GRANT DELETE ON audit_events TO bulkhead_app`,
	},
	{
		name: "uniqueness of a tenant's table is inside the organization, but for the names that are shared",
		query: `SELECT c.relname, i.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
			WHERE ` + ofTenant + ` AND x.indisunique AND NOT EXISTS (
				SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (x.indkey)
				AND a.attname = CASE c.relname WHEN 'organizations' THEN 'id' ELSE 'org_id' END)
			AND i.relname NOT IN ('organizations_slug_key', 'organizations_namespace_key', 'api_keys_hash_key')`,
		violation: `CREATE UNIQUE INDEX planted ON users (email)`,
	},
	{
		name: "a reference between tenants' tables holds the organization on both sides",
		query: `SELECT k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
			WHERE k.contype = 'f' AND ` + ofTenant + ` AND k.confrelid <> 'organizations'::regclass AND NOT (
				EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attname = 'org_id' AND a.attnum = k.conkey[1])
				AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = k.confrelid AND a.attname = 'org_id' AND a.attnum = k.confkey[1]))`,
		violation: `CREATE UNIQUE INDEX planted ON users (id); ALTER TABLE users ADD CONSTRAINT planted UNIQUE USING INDEX planted;
			ALTER TABLE operations ADD COLUMN user_id uuid REFERENCES users (id)`,
	},
	{
		name: "no row goes because another goes",
		query: `SELECT conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
			AND (confdeltype <> 'a' OR confupdtype <> 'a')`,
		violation: `ALTER TABLE operations ADD CONSTRAINT planted FOREIGN KEY (org_id) REFERENCES organizations ON DELETE CASCADE`,
	},
	{
		name: "every view asks with the rights of who asks, and none is materialized",
		query: `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND (relkind = 'm' OR
			(relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)))`,
		violation: `CREATE VIEW planted AS SELECT * FROM users`,
	},
	{
		name:      "no function runs with another's rights or claims to leak nothing",
		query:     `SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND (prosecdef OR proleakproof)`,
		violation: `CREATE FUNCTION planted() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM users'`,
	},
}

// ofTenant picks the tables of tenants from pg_class c.
const ofTenant = `c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND (c.relname = 'organizations' OR EXISTS (
	SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped))`

const platformText = `'(( SELECT current_setting(''app.platform''::text, true) AS current_setting) = ''on''::text)'`

// expiredText opens to the platform what is about to be erased, and nothing else.
const expiredText = `'((( SELECT current_setting(''app.platform''::text, true) AS current_setting) = ''on''::text) AND (expires_at <= now()))'`

func quoteSQL(s string) string { return strings.ReplaceAll(s, "'", "''") }

// TestCatalog is the gate that every migration passes.
func TestCatalog(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	admin := connect(t, d.AdminURL)
	for _, g := range gates {
		t.Run("Should keep the rule that "+g.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(violations(t, admin, g.query), []string(nil))
		})
		t.Run("Should notice a violation of the rule that "+g.name, func(t *testing.T) {
			is := is.New(t)
			tx, err := admin.Begin(t.Context())
			is.NoErr(err)
			defer func() { _ = tx.Rollback(t.Context()) }()
			_, err = tx.Exec(t.Context(), g.violation)
			is.NoErr(err)
			is.True(len(violations(t, admin, g.query)) > 0)
		})
	}
}

// TestConstraintNames compares the names that errors are told apart by with the
// schema's.
func TestConstraintNames(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	d := harness.Postgres(t).Database(t)
	admin := connect(t, d.AdminURL)
	names := map[string]bool{}
	rows, err := admin.Query(t.Context(), `SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace
		UNION SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
		WHERE x.indisunique AND i.relnamespace = 'public'::regnamespace`)
	is.NoErr(err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	is.NoErr(err)
	for _, name := range all {
		names[name] = true
	}
	for name := range postgres.Violations {
		if !names[name] {
			t.Errorf("the schema has no constraint %q", name)
		}
	}

	// Every tenant's table must answer for an organization that does not exist.
	orgKeys, err := admin.Query(t.Context(), `SELECT conname::text FROM pg_constraint
		WHERE contype = 'f' AND confrelid = 'organizations'::regclass AND conrelid <> 'idempotency_keys'::regclass`)
	is.NoErr(err)
	all, err = pgx.CollectRows(orgKeys, pgx.RowTo[string])
	is.NoErr(err)
	for _, name := range all {
		if _, ok := postgres.Violations[name]; !ok {
			t.Errorf("the violation of %q has no meaning", name)
		}
	}
}

// violations returns the first column of a gate's rows.
func violations(t testing.TB, conn *pgx.Conn, query string) (found []string) {
	t.Helper()
	rows, err := conn.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, fmt.Sprint(values...))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}
