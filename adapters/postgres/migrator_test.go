package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// emptyDatabase makes the roles and a database without a schema.
func emptyDatabase(t testing.TB) harness.Database {
	t.Helper()
	s := harness.Postgres(t)
	d := s.Empty(t)
	if err := postgres.Init(t.Context(), s.AdminURL(), d.Roles()); err != nil {
		t.Fatal(err)
	}
	return d
}

func migrator(t testing.TB, d harness.Database) *postgres.Migrator {
	t.Helper()
	m, err := postgres.NewMigrator(d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	d := emptyDatabase(t)
	m, admin := migrator(t, d), connect(t, d.AdminURL)
	is := is.New(t)
	status, err := m.Status(t.Context())
	is.NoErr(err)
	is.Equal(status.Current, int32(0))
	is.Equal(len(status.Migrations), int(status.Latest))

	schemas := []string{schema(t, admin)}
	for version := int32(1); version <= status.Latest; version++ {
		is.NoErr(m.To(t.Context(), version))
		schemas = append(schemas, schema(t, admin))
		is.True(schemas[version] != schemas[version-1])
	}
	fill(t, admin, uuid.New())

	for version := status.Latest; version > 0; version-- {
		t.Run(fmt.Sprintf("Should take back %d with a row in every table, and apply it again", version), func(t *testing.T) {
			is := is.New(t)
			before := digests(t, admin)
			for table, digest := range before {
				is.True(digest != "") // a row in every table
				is.True(rows[table] != "")
			}
			is.NoErr(m.Down(t.Context()))
			is.Equal(schema(t, admin), schemas[version-1])
			for table, digest := range digests(t, admin) {
				is.Equal(digest, before[table])
			}
			is.NoErr(m.Up(t.Context()))
			is.Equal(schema(t, admin), schemas[status.Latest])
			is.NoErr(m.To(t.Context(), version-1))
		})
	}

	t.Run("Should do nothing below the first", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(m.Down(t.Context()))
		status, err := m.Status(t.Context())
		is.NoErr(err)
		is.Equal(status.Current, int32(0))
	})

	t.Run("Should refuse a version that does not exist, and change nothing", func(t *testing.T) {
		is := is.New(t)
		is.True(m.To(t.Context(), status.Latest+1) != nil)
		is.True(m.To(t.Context(), -1) != nil)
		is.Equal(schema(t, admin), schemas[0])
	})

	t.Run("Should tell of each step", func(t *testing.T) {
		is := is.New(t)
		m := migrator(t, d)
		var steps []postgres.MigrationStep
		m.OnStart = func(s postgres.MigrationStep) { steps = append(steps, s) }
		is.NoErr(m.To(t.Context(), 1))
		is.NoErr(m.Down(t.Context()))
		is.Equal(steps, []postgres.MigrationStep{
			{Version: 1, Name: "001_organizations.sql", Direction: "up"}, {Version: 1, Name: "001_organizations.sql", Direction: "down"},
		})
	})
}

func TestMigrators(t *testing.T) {
	t.Parallel()

	t.Run("Should take turns when eight start at once", func(t *testing.T) {
		is := is.New(t)
		d := emptyDatabase(t)
		errs := make(chan error)
		for range 8 {
			m := migrator(t, d)
			go func() { errs <- m.Up(t.Context()) }()
		}
		for range 8 {
			is.NoErr(<-errs)
		}
		status, err := migrator(t, d).Status(t.Context())
		is.NoErr(err)
		is.Equal(status.Current, status.Latest)
	})

	t.Run("Should wait for another no longer than the caller does", func(t *testing.T) {
		is := is.New(t)
		d := emptyDatabase(t)
		holder := connect(t, d.OwnerURL)
		run(t, holder, "SELECT pg_advisory_lock(9628173550095224)")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		is.True(fault.IsKind(migrator(t, d).Up(ctx), fault.Timeout))
		run(t, holder, "SELECT pg_advisory_unlock(9628173550095224)")
		is.NoErr(migrator(t, d).Up(t.Context()))
	})
}

// TestDump backs a database up and restores it, as an operator would.
func TestDump(t *testing.T) {
	t.Parallel()
	pgDump, psql := program(t, "pg_dump"), program(t, "psql")
	s := harness.Postgres(t)
	d := s.Database(t)
	admin := connect(t, d.AdminURL)
	fill(t, admin, uuid.New())
	fill(t, admin, uuid.New())

	dump := func(t *testing.T, url string) ([]byte, error) {
		t.Helper()
		return exec.CommandContext(t.Context(), pgDump, "--no-password", url).Output()
	}

	t.Run("Should restore every row from the backup role's dump, into the same schema", func(t *testing.T) {
		is := is.New(t)
		backup, err := dump(t, d.DumpURL)
		is.NoErr(err)
		copied := emptyDatabase(t)
		restore := exec.CommandContext(t.Context(), psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", copied.AdminURL)
		restore.Stdin = bytes.NewReader(backup)
		out, err := restore.CombinedOutput()
		if err != nil {
			t.Fatalf("restore: %v\n%s", err, out)
		}
		is.Equal(digests(t, connect(t, copied.AdminURL)), digests(t, admin))
		is.Equal(schema(t, connect(t, copied.AdminURL)), schema(t, admin))
	})

	t.Run("Should fail, and not be empty, as a role that policies bind", func(t *testing.T) {
		is := is.New(t)
		for _, url := range []string{d.OwnerURL, d.AppURL} {
			_, err := dump(t, url)
			is.True(err != nil)
		}
	})
}

// program finds one of Postgres' programs, which do not come with every server.
func program(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/", "/opt/homebrew/opt/postgresql@*/bin/", "/usr/local/opt/postgresql@*/bin/"} {
		if found, err := filepath.Glob(pattern + name); err == nil && len(found) > 0 {
			return found[len(found)-1]
		}
	}
	t.Fatalf("%s is not installed: it comes with the clients of Postgres (on Debian: postgresql-client)", name)
	return ""
}

// schemaText describes the schema from the catalog, so that the comparison needs
// no program and sees what row-level security is made of.
const schemaText = `
SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
	SELECT format('%s %s owner=%s rls=%s force=%s acl=%s', c.relkind, c.relname, c.relowner::regrole, c.relrowsecurity, c.relforcerowsecurity,
		(SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.relacl) a)) AS line
	FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'schema_version%'
	UNION ALL
	SELECT format('column %s.%s %s %s notnull=%s default=%s acl=%s', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
		pg_get_expr(d.adbin, d.adrelid), a.attacl)
	FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
	WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND c.relname NOT LIKE 'schema_version%'
	UNION ALL
	SELECT format('constraint %s %s %s %s', conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid))
	FROM pg_constraint WHERE connamespace = 'public'::regnamespace
	UNION ALL
	SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
	UNION ALL
	SELECT format('policy %s.%s %s %s %s %s %s', tablename, policyname, permissive, roles, cmd, qual, with_check) FROM pg_policies
	UNION ALL
	SELECT format('function %s %s', oid::regprocedure, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
	UNION ALL
	SELECT format('type %s %s', typname, typtype) FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typname NOT LIKE '%schema_version'
	UNION ALL
	SELECT format('trigger %s %s', tgrelid::regclass, tgname) FROM pg_trigger WHERE NOT tgisinternal
) AS lines`

func schema(t testing.TB, conn *pgx.Conn) string {
	t.Helper()
	var text *string
	if err := conn.QueryRow(t.Context(), schemaText).Scan(&text); err != nil {
		t.Fatal(err)
	}
	if text == nil {
		return ""
	}
	return *text
}

// digests returns a digest of each table's rows; "" for a table without.
func digests(t testing.TB, conn *pgx.Conn) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, table := range tables(t, conn) {
		var digest string
		err := conn.QueryRow(t.Context(), "SELECT coalesce(md5(string_agg(r::text, ',' ORDER BY r::text)), '') FROM "+table+" AS r").Scan(&digest)
		if err != nil {
			t.Fatal(err)
		}
		out[table] = digest
	}
	return out
}
