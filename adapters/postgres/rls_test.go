package postgres_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/ports/porttest"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

const (
	insufficientPrivilege = "42501"
	invalidText           = "22P02"
	checkViolation        = "23514"
)

// addedTo says why the platform's scope may store rows of tenants in a table.
var addedTo = map[string]string{"usage_hours": "processes add what they counted for all tenants at once"}

// TestRowLevelSecurityAlone asks for rows without naming an organization in any
// statement, as a query that forgot its predicate would.
func TestRowLevelSecurityAlone(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	admin, app := connect(t, d.AdminURL), connect(t, d.AppURL)
	a, b := uuid.New(), uuid.New()
	fill(t, admin, a)
	fill(t, admin, b)

	for _, table := range tenantTables(t, admin) {
		everything := "SELECT count(*) FROM " + table
		foreign := everything + " WHERE " + orgColumn(table) + " = '" + a.String() + "'"

		t.Run("Should show no row of "+table+" without a scope", func(t *testing.T) {
			is := is.New(t)
			is.Equal(countIn(t, app, "", "", everything), 0)
		})
		t.Run("Should show only the scope's rows of "+table, func(t *testing.T) {
			is := is.New(t)
			is.Equal(countIn(t, app, b.String(), "", everything), 1)
			is.Equal(countIn(t, app, b.String(), "", foreign), 0)
			is.Equal(countIn(t, app, uuid.NewString(), "", everything), 0)
		})
		t.Run("Should refuse to store a foreign row in "+table, func(t *testing.T) {
			is := is.New(t)
			for _, setting := range [][2]string{{"", ""}, {b.String(), ""}, {"", "on"}} {
				if setting[1] == "on" && addedTo[table] != "" {
					continue
				}
				inScope(t, app, setting[0], setting[1], func(tx pgx.Tx) {
					org := a
					if table == "organizations" {
						org = uuid.New() // a's row exists, and its key would be what refuses
					}
					is.Equal(sqlState(fillTable(t, tx, table, org)), insufficientPrivilege)
				})
			}
		})
		t.Run("Should change and delete no foreign row of "+table, func(t *testing.T) {
			is := is.New(t)
			column := orgColumn(table)
			for _, statement := range []string{
				"UPDATE " + table + " SET " + updatable(table) + " = " + updatable(table) + " WHERE " + column + " = '" + a.String() + "'",
				"DELETE FROM " + table + " WHERE " + column + " = '" + a.String() + "'",
			} {
				inScope(t, app, b.String(), "", func(tx pgx.Tx) {
					tag, err := tx.Exec(t.Context(), statement)
					if err != nil {
						is.Equal(sqlState(err), insufficientPrivilege) // not granted at all
						return
					}
					is.Equal(tag.RowsAffected(), int64(0))
				})
			}
		})
		t.Run("Should refuse a scope that is no id, on "+table, func(t *testing.T) {
			is := is.New(t)
			inScope(t, app, "' OR true --", "", func(tx pgx.Tx) {
				_, err := tx.Exec(t.Context(), everything)
				is.Equal(sqlState(err), invalidText)
			})
		})
	}

	t.Run("Should open to the platform only the tables it works on", func(t *testing.T) {
		is := is.New(t)
		seen := map[string]int{}
		for _, table := range tenantTables(t, admin) {
			seen[table] = countIn(t, app, "", "on", "SELECT count(*) FROM "+table)
		}
		is.Equal(seen, map[string]int{
			"organizations": 2, "operations": 2, "outbox": 2, "api_key_uses": 2, "usage_hours": 2,
			"audit_events": 2, "workflow_dispatches": 2,
			"users": 0, "roles": 0, "schedules": 0, "api_keys": 0, "audit_heads": 0, "audit_checkpoints": 0, "idempotency_keys": 0,
		})
	})

	t.Run("Should take nothing but 'on' for the platform's scope", func(t *testing.T) {
		is := is.New(t)
		for _, value := range []string{"off", "true", "ON", "1", " on"} {
			is.Equal(countIn(t, app, "", value, "SELECT count(*) FROM organizations"), 0)
		}
	})
}

// TestPredicatesAlone runs the store's suite as a role that no policy binds. It
// passes by the predicates of the queries alone.
func TestPredicatesAlone(t *testing.T) {
	t.Parallel()
	porttest.Store(t, func(t *testing.T) porttest.Backend {
		t.Helper()
		d := harness.Postgres(t).Database(t)
		run(t, connect(t, d.AdminURL), `DO $$ BEGIN CREATE ROLE bypass LOGIN BYPASSRLS PASSWORD 'test-password' IN ROLE bulkhead_app;
			EXCEPTION WHEN duplicate_object THEN NULL; END $$`)
		return backend(t, d, openConfig(t, postgres.Config{URL: asUser(t, d.AppURL, "bypass"), AuthURL: d.AuthURL}))
	})
}

// TestGrants checks what the roles may not do at all.
func TestGrants(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	admin := connect(t, d.AdminURL)
	org := uuid.New()
	fill(t, admin, org)

	refused := func(t *testing.T, url, statement string) {
		t.Helper()
		conn := connect(t, url)
		run(t, conn, "SELECT set_config('app.org_id', '"+org.String()+"', false), set_config('app.platform', 'on', false)")
		_, err := conn.Exec(t.Context(), statement)
		if got := sqlState(err); got != insufficientPrivilege {
			t.Errorf("%s: want it refused, got %v", statement, err)
		}
	}

	t.Run("Should let the app only append to the audit trail", func(t *testing.T) {
		refused(t, d.AppURL, "UPDATE audit_events SET action = 'nothing happened'")
		refused(t, d.AppURL, "DELETE FROM audit_events")
		refused(t, d.AppURL, "TRUNCATE audit_events")
		refused(t, d.AppURL, "SELECT FROM audit_events FOR UPDATE")
		refused(t, d.AppURL, "DELETE FROM audit_heads")
		refused(t, d.AppURL, "INSERT INTO audit_checkpoints SELECT * FROM audit_checkpoints")
		refused(t, d.AppURL, "UPDATE audit_checkpoints SET seq = 7")
		refused(t, d.AppURL, "DELETE FROM audit_checkpoints")
		refused(t, d.AppURL, "SELECT purge_audit(gen_random_uuid(), 10)")
		refused(t, d.AppURL, "UPDATE audit_heads SET org_id = gen_random_uuid()")
	})

	t.Run("Should let the app neither truncate nor alter a table", func(t *testing.T) {
		for _, table := range tables(t, admin) {
			refused(t, d.AppURL, "TRUNCATE "+table)
			refused(t, d.AppURL, "ALTER TABLE "+table+" DISABLE ROW LEVEL SECURITY")
		}
		refused(t, d.AppURL, "CREATE TABLE mine (i int)")
		refused(t, d.AppURL, "CREATE TEMP TABLE mine (i int)")
		refused(t, d.AppURL, "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1")
		refused(t, d.AppURL, "SET ROLE bulkhead_owner")
	})

	t.Run("Should let nobody use large objects, which no policy parts", func(t *testing.T) {
		for _, url := range []string{d.AppURL, d.AuthURL} {
			for _, call := range []string{"lo_create(0)", "lo_from_bytea(0, 'x')", "lo_get(1)", "lo_put(1, 0, 'x')", "loread(0, 1)"} {
				refused(t, url, "SELECT "+call)
			}
		}
	})

	t.Run("Should let operators be of the system organization only", func(t *testing.T) {
		is := is.New(t)
		_, err := admin.Exec(t.Context(), "UPDATE users SET role = 'operator'")
		is.Equal(sqlState(err), checkViolation)
		run(t, admin, "BEGIN", "SET LOCAL session_replication_role = replica", // no organization is needed for the row
			"UPDATE users SET role = 'operator', org_id = '"+id.SystemOrg.UUID().String()+"'", "ROLLBACK")
	})

	t.Run("Should let nobody say of a secret's use more than when it was", func(t *testing.T) {
		refused(t, d.AppURL, "UPDATE api_key_uses SET generation = 2")
		refused(t, d.AppURL, "UPDATE api_key_uses SET org_id = gen_random_uuid()")
		refused(t, d.AuthURL, "SELECT * FROM api_key_uses")
	})

	t.Run("Should let the app change the state of a message's delivery only", func(t *testing.T) {
		refused(t, d.AppURL, "UPDATE outbox SET payload = '{}'")
		refused(t, d.AppURL, "UPDATE outbox SET org_id = gen_random_uuid()")
	})

	t.Run("Should let the app move no role to another organization", func(t *testing.T) {
		refused(t, d.AppURL, "UPDATE roles SET org_id = gen_random_uuid()")
	})

	t.Run("Should let authentication read its columns and nothing else", func(t *testing.T) {
		for _, statement := range []string{
			"SELECT email FROM users", "SELECT name FROM users", "SELECT name FROM organizations", "SELECT namespace FROM organizations",
			"SELECT name FROM api_keys", "SELECT description FROM roles", "SELECT last_four FROM api_keys", "SELECT * FROM audit_events", "SELECT * FROM operations",
			"SELECT * FROM outbox", "SELECT * FROM idempotency_keys", "SELECT * FROM signing_keys",
			"UPDATE api_keys SET state = 'active'", "DELETE FROM users", "INSERT INTO outbox DEFAULT VALUES",
		} {
			refused(t, d.AuthURL, statement)
		}
	})

	t.Run("Should let the backup read every row and change none", func(t *testing.T) {
		is := is.New(t)
		conn := connect(t, d.DumpURL)
		for _, table := range tables(t, admin) {
			var n int
			is.NoErr(conn.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
			is.Equal(n, 1)
			refused(t, d.DumpURL, "DELETE FROM "+table)
		}
		is.NoErr(conn.QueryRow(t.Context(), "SELECT version FROM schema_version").Scan(new(int)))
	})

	t.Run("Should fail loudly when the owner touches rows that a policy hides", func(t *testing.T) {
		refused(t, d.OwnerURL, "UPDATE users SET name = 'x'")
		refused(t, d.OwnerURL, "SELECT * FROM users")
	})

	t.Run("Should let nobody else in", func(t *testing.T) {
		is := is.New(t)
		run(t, admin, `DO $$ BEGIN CREATE ROLE stranger LOGIN PASSWORD 'test-password';
			EXCEPTION WHEN duplicate_object THEN NULL; END $$`)
		_, err := pgx.Connect(t.Context(), asUser(t, d.AppURL, "stranger"))
		is.Equal(sqlState(err), insufficientPrivilege)
	})
}

// updatable is a column that the app role may update where it may any.
func updatable(table string) string {
	switch table {
	case "outbox":
		return "attempts"
	case "api_key_uses":
		return "last_used_at"
	case "audit_events":
		return "action"
	case "audit_heads", "audit_checkpoints":
		return "seq"
	case "roles":
		return "name"
	case "usage_hours":
		return "requests"
	case "schedules":
		return "request"
	case "workflow_dispatches":
		return "outcome"
	default:
		return "state"
	}
}

// inScope runs fn in a transaction with the settings, which is rolled back.
func inScope(t testing.TB, conn *pgx.Conn, org, platform string, fn func(tx pgx.Tx)) {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	_, err = tx.Exec(t.Context(), "SELECT set_config('app.org_id', $1, true), set_config('app.platform', $2, true)", org, platform)
	if err != nil {
		t.Fatal(err)
	}
	fn(tx)
}

func countIn(t testing.TB, conn *pgx.Conn, org, platform, query string) (n int) {
	t.Helper()
	inScope(t, conn, org, platform, func(tx pgx.Tx) {
		if err := tx.QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
	})
	return n
}

func sqlState(err error) string {
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		return answer.Code
	}
	return ""
}

func asUser(t testing.TB, raw, name string) string {
	t.Helper()
	u := parseURL(t, raw)
	password, _ := u.User.Password()
	u.User = url.UserPassword(name, password)
	return u.String()
}
