package postgres_test

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

func TestInit(t *testing.T) {
	t.Parallel()
	s := harness.Postgres(t)

	t.Run("Should be safe by eight at once, and again", func(t *testing.T) {
		is := is.New(t)
		d := s.Empty(t)
		errs := make(chan error)
		for range 8 {
			go func() { errs <- postgres.Init(t.Context(), s.AdminURL(), d.Roles()) }()
		}
		for range 8 {
			is.NoErr(<-errs)
		}
		is.NoErr(migrator(t, d).Up(t.Context()))
		before := schema(t, connect(t, d.AdminURL))
		is.NoErr(postgres.Init(t.Context(), s.AdminURL(), d.Roles()))
		is.Equal(schema(t, connect(t, d.AdminURL)), before)
		is.NoErr(openDB(t, d).CheckServer(t.Context()))
	})

	t.Run("Should give the roles the power and the settings they need, and no more", func(t *testing.T) {
		is := is.New(t)
		d := s.Database(t)
		admin := connect(t, d.AdminURL)
		for _, c := range []struct {
			role, url                                 string
			bypass, temp, create                      bool
			rowSecurity, statementTimeout, searchPath string
		}{
			{postgres.RoleOwner, d.OwnerURL, false, true, true, "off", "0", "public, pg_temp"},
			{postgres.RoleApp, d.AppURL, false, false, false, "on", "15s", "public, pg_temp"},
			{postgres.RoleAuth, d.AuthURL, false, false, false, "on", "5s", "public, pg_temp"},
			{postgres.RoleDump, d.DumpURL, true, false, false, "on", "0", "public, pg_temp"},
		} {
			var power, bypass, temp, create bool
			is.NoErr(admin.QueryRow(t.Context(), `SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication, rolbypassrls,
				has_database_privilege(rolname, current_database(), 'TEMP'), has_schema_privilege(rolname, 'public', 'CREATE')
				FROM pg_roles WHERE rolname = $1`, c.role).Scan(&power, &bypass, &temp, &create))
			is.Equal(power, false)
			is.Equal(bypass, c.bypass)
			is.Equal(temp, c.temp)
			is.Equal(create, c.create)
			conn := connect(t, c.url)
			for setting, want := range map[string]string{
				"row_security": c.rowSecurity, "statement_timeout": c.statementTimeout, "search_path": c.searchPath,
			} {
				var got string
				is.NoErr(conn.QueryRow(t.Context(), "SHOW "+setting).Scan(&got))
				is.Equal(got, want)
			}
		}
	})

	t.Run("Should refuse URLs that name other roles, several databases or one that is not ours", func(t *testing.T) {
		is := is.New(t)
		d := s.URLs("bulkhead_refused")
		good := d.Roles()
		for _, change := range []func(*postgres.RoleURLs){
			func(r *postgres.RoleURLs) { r.Owner = r.App },
			func(r *postgres.RoleURLs) { r.Auth = "" },
			func(r *postgres.RoleURLs) { r.Dump = "postgres://bulkhead_dump:test-password@localhost:port/x" },
			func(r *postgres.RoleURLs) { r.App = s.URLs("other").AppURL },
			func(r *postgres.RoleURLs) { *r = s.URLs("postgres").Roles() },
			func(r *postgres.RoleURLs) { r.App = withPassword(t, r.App, "sn\u00f8wman") },
		} {
			urls := good
			change(&urls)
			err := postgres.Init(t.Context(), s.AdminURL(), urls)
			is.True(err != nil)
			is.True(!strings.Contains(err.Error(), "test-password"))
			is.True(!strings.Contains(err.Error(), "sn\u00f8wman"))
		}
	})
}

// TestInitPasswords has a server of its own: passwords belong to a server as a
// whole.
func TestInitPasswords(t *testing.T) {
	t.Parallel()
	s := harness.NewPostgres(t)
	run(t, connect(t, s.AdminURL()), "ALTER SYSTEM SET log_statement = 'all'")
	run(t, connect(t, s.AdminURL()), "SELECT pg_reload_conf()")
	urls := s.URLs("bulkhead").Roles()
	is := is.New(t)
	is.NoErr(postgres.Init(t.Context(), s.AdminURL(), urls))
	old := urls.App
	urls.App = withPassword(t, urls.App, "hunter2'; DROP \\ $1 ~")
	is.NoErr(postgres.Init(t.Context(), s.AdminURL(), urls))

	t.Run("Should take a password that changed, and no longer the old one", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(connect(t, urls.App).Ping(t.Context()))
		_, err := pgx.Connect(t.Context(), old)
		is.Equal(sqlState(err), "28P01")
	})

	t.Run("Should leave the password of a role whose URL has none", func(t *testing.T) {
		is := is.New(t)
		without := urls
		u := parseURL(t, without.App)
		u.User = url.User(u.User.Username())
		without.App = u.String()
		is.NoErr(postgres.Init(t.Context(), s.AdminURL(), without))
		is.NoErr(connect(t, urls.App).Ping(t.Context()))
	})

	t.Run("Should show no password to a server that logs every statement", func(t *testing.T) {
		is := is.New(t)
		log, err := os.ReadFile(s.LogPath())
		is.NoErr(err)
		is.True(strings.Contains(string(log), "ALTER ROLE")) // it does log
		is.True(!strings.Contains(string(log), "hunter2"))
		is.True(!strings.Contains(string(log), "test-password"))
	})
}

func withPassword(t testing.TB, raw, password string) string {
	t.Helper()
	u := parseURL(t, raw)
	u.User = url.UserPassword(u.User.Username(), password)
	return u.String()
}
