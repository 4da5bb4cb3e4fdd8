package postgres_test

import (
	"regexp"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/sql"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// planted are the faults that show that the gate would notice: at least one for
// each of its rules.
var planted = []struct{ rule, statement string }{
	{"row-level security", `ALTER TABLE users NO FORCE ROW LEVEL SECURITY`},
	{"row-level security", `ALTER TABLE users DISABLE ROW LEVEL SECURITY`},
	{"row-level security", `CREATE TABLE planted (org_id uuid NOT NULL, id uuid, PRIMARY KEY (org_id, id))`},
	{"the organization's column", `CREATE TABLE planted (org_id text PRIMARY KEY)`},
	{"the policy of the template", `DROP POLICY tenant ON users`},
	{"the policy of the template", `DROP POLICY tenant ON users; CREATE POLICY tenant ON users TO bulkhead_app
		USING (org_id = current_setting('app.org_id', true)::uuid)`},
	{"the policy of the template", `ALTER POLICY tenant ON users WITH CHECK (true)`},
	{"the policy of the template", `ALTER POLICY tenant ON users TO PUBLIC`},
	{"a policy that is not listed", `CREATE POLICY planted ON users FOR SELECT TO bulkhead_app USING (true)`},
	{"a policy that is not listed", `ALTER POLICY platform ON operations USING (true)`},
	{"a policy that is not listed", `ALTER POLICY purge ON users TO bulkhead_app`},
	{"a policy that is not listed", `ALTER POLICY purge ON users USING (true)`},
	{"a purge that reaches every row", `DROP POLICY purge_sees ON api_keys`},
	{"a purge that reaches every row", `CREATE TABLE planted (org_id uuid NOT NULL, id uuid, PRIMARY KEY (org_id, id))`},
	{"a table without tenants", `CREATE TABLE planted (id uuid)`},
	{"a primary key that begins with the organization", `CREATE TABLE planted (org_id uuid NOT NULL, id uuid PRIMARY KEY)`},
	{"a primary key that begins with the organization", `CREATE TABLE planted (org_id uuid NOT NULL, id uuid, PRIMARY KEY (id, org_id))`},
	{"uniqueness inside the organization", `CREATE UNIQUE INDEX planted ON users (email)`},
	{"a reference that holds the organization", `CREATE UNIQUE INDEX planted ON users (id); ALTER TABLE users ADD CONSTRAINT planted UNIQUE USING INDEX planted;
		ALTER TABLE operations ADD COLUMN user_id uuid REFERENCES users (id)`},
	{"a reference that holds the organization", `ALTER TABLE operations ADD COLUMN key_id text REFERENCES signing_keys (id)`},
	{"a reference to the own organization", `ALTER TABLE operations ADD COLUMN other_id uuid REFERENCES organizations (id)`},
	{"a table that belongs to an organization", `ALTER TABLE operations DROP CONSTRAINT operations_org_id_fkey`},
	{"no row that goes because another goes", `ALTER TABLE operations ADD CONSTRAINT planted FOREIGN KEY (org_id) REFERENCES organizations ON DELETE CASCADE`},
	{"an index for each reference", `ALTER TABLE operations ADD COLUMN user_id uuid, ADD FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id)`},
	{"an owner of everything", `ALTER TABLE users OWNER TO postgres`},
	{"an owner of everything", `SET LOCAL ROLE postgres; CREATE FUNCTION planted() RETURNS int LANGUAGE sql RETURN 1`},
	{"nothing for strangers", `GRANT SELECT ON users TO PUBLIC`},
	{"nothing for strangers", `GRANT SELECT (email) ON users TO pg_monitor`},
	{"nothing for strangers", `GRANT SELECT ON users TO bulkhead_app WITH GRANT OPTION`},
	{"what a tenant's work may do", `GRANT TRUNCATE ON users TO bulkhead_app`},
	{"what a tenant's work may do", `GRANT REFERENCES ON users TO bulkhead_app`},
	{"what a tenant's work may do", `GRANT TRIGGER ON users TO bulkhead_app`},
	{"what a tenant's work may do", `GRANT DELETE ON operations TO bulkhead_app`},
	{"what a tenant's work may do", `GRANT UPDATE (outcome) ON audit_events TO bulkhead_app`},
	{"what authentication may read", `GRANT SELECT (email) ON users TO bulkhead_auth`},
	{"what authentication may read", `GRANT SELECT ON users TO bulkhead_auth`},
	{"what authentication may read", `GRANT UPDATE (state) ON api_keys TO bulkhead_auth`},
	{"what a backup may do", `GRANT INSERT ON users TO bulkhead_dump`},
	{"a backup that is whole", `REVOKE SELECT ON users FROM bulkhead_dump`},
	{"no way past a policy by a part of the table", `CREATE TABLE planted (org_id uuid, id uuid) PARTITION BY LIST (org_id);
		CREATE TABLE planted_default PARTITION OF planted DEFAULT; GRANT SELECT ON planted_default TO bulkhead_app`},
	{"no way past a policy by a part of the table", `CREATE TABLE planted () INHERITS (users); GRANT SELECT ON planted TO bulkhead_app`},
	{"no counter that tenants share", `CREATE SEQUENCE planted; GRANT USAGE ON SEQUENCE planted TO bulkhead_app`},
	{"a view that asks with the rights of who asks", `CREATE VIEW planted AS SELECT * FROM users`},
	{"a view that asks with the rights of who asks", `CREATE MATERIALIZED VIEW planted AS SELECT * FROM users`},
	{"no rule that rewrites statements", `CREATE RULE planted AS ON DELETE TO users DO INSTEAD NOTHING`},
	{"no function with another's rights", `CREATE FUNCTION planted() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM users'`},
	{"a search path that is fixed", `CREATE FUNCTION planted() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public AS 'SELECT 1::bigint'`},
	{"no function for everybody", `CREATE FUNCTION planted() RETURNS int LANGUAGE sql RETURN 1; GRANT EXECUTE ON FUNCTION planted TO PUBLIC`},
	{"no function that claims to leak nothing", `CREATE FUNCTION planted(int) RETURNS int LANGUAGE sql LEAKPROOF RETURN 1`},
	{"no setting that passes for a constant", `CREATE FUNCTION planted() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT current_setting(''app.org_id'', true)'`},
	{"no setting that passes for a constant", `CREATE FUNCTION planted() RETURNS text LANGUAGE sql IMMUTABLE RETURN current_setting('app.org_id')`},
	{"no schema but ours", `CREATE SCHEMA planted`},
	{"no extension", `UPDATE pg_extension SET extname = 'planted'`},
	{"nothing of their own for the roles", `DO $$ BEGIN EXECUTE 'GRANT TEMP ON DATABASE ' || quote_ident(current_database()) || ' TO bulkhead_app'; END $$`},
	{"nothing of their own for the roles", `GRANT CREATE ON SCHEMA public TO bulkhead_auth`},
	{"nobody else in the database", `DO $$ BEGIN EXECUTE 'GRANT CONNECT ON DATABASE ' || quote_ident(current_database()) || ' TO PUBLIC'; END $$`},
	{"nothing granted in advance", `ALTER DEFAULT PRIVILEGES FOR ROLE bulkhead_owner IN SCHEMA public GRANT ALL ON TABLES TO bulkhead_app`},
	{"roles without power", `ALTER ROLE bulkhead_app BYPASSRLS`},
	{"roles without power", `ALTER ROLE bulkhead_owner SUPERUSER`},
	{"roles that can become no other", `GRANT bulkhead_owner TO bulkhead_app`},
	{"roles whose names mean what we mean", `ALTER ROLE bulkhead_app RESET search_path`},
	{"an owner who fails loudly", `ALTER ROLE bulkhead_owner SET row_security = on`},
	{"no objects that belong to no table", `GRANT EXECUTE ON FUNCTION lo_create(oid) TO bulkhead_app`},
}

// TestCatalog is the gate that every migration passes. It has a server of its
// own, as some of what it plants belongs to a server as a whole.
func TestCatalog(t *testing.T) {
	t.Parallel()
	d := harness.NewPostgres(t).Database(t)
	admin := connect(t, d.AdminURL)
	rules := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^SELECT '((?:[^']|\'\')+)'`).FindAllStringSubmatch(sql.Catalog, -1) {
		rules[regexp.MustCompile(`\'\'`).ReplaceAllString(m[1], "'")] = false
	}

	t.Run("Should find nothing", func(t *testing.T) {
		is := is.New(t)
		is.Equal(broken(t, admin), []violation{})
	})

	t.Run("Should find nothing as the owner, and as who makes backups", func(t *testing.T) {
		is := is.New(t)
		is.Equal(broken(t, connect(t, d.OwnerURL)), []violation{})
		is.Equal(broken(t, connect(t, d.DumpURL)), []violation{})
	})

	for _, p := range planted {
		t.Run("Should notice, by the rule of "+p.rule+": "+p.statement, func(t *testing.T) {
			is := is.New(t)
			tx, err := admin.Begin(t.Context())
			is.NoErr(err)
			defer func() { _ = tx.Rollback(t.Context()) }()
			_, err = tx.Exec(t.Context(), p.statement)
			is.NoErr(err)
			found := false
			for _, v := range broken(t, admin) {
				found = found || v.Rule == p.rule
			}
			is.True(found)
			_, known := rules[p.rule]
			is.True(known)
			rules[p.rule] = true
		})
	}

	t.Run("Should have been seen to notice, for each of its rules", func(t *testing.T) {
		is := is.New(t)
		is.True(len(rules) > 30)
		for rule, seen := range rules {
			if !seen {
				t.Errorf("nothing is planted against the rule of %s", rule)
			}
		}
	})
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

// violation is a row of the gate's answer.
type violation struct{ Rule, By string }

// broken returns what the gate finds.
func broken(t testing.TB, conn *pgx.Conn) []violation {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql.Catalog)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[violation])
	if err != nil {
		t.Fatal(err)
	}
	return found
}
