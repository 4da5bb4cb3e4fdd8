package harness_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

func TestPostgres(t *testing.T) {
	t.Parallel()
	server := harness.Postgres(t)

	t.Run("Should be one server for the process", func(t *testing.T) {
		is := is.New(t)
		is.True(harness.Postgres(t) == server)
		is.True(server.PID() > 0)
	})

	t.Run("Should give each test a migrated, empty database of its own, open to every role", func(t *testing.T) {
		is := is.New(t)
		first, second := server.Database(t), server.Database(t)
		is.True(first.Name != second.Name)
		for _, url := range []string{first.AdminURL, first.OwnerURL, first.AppURL, first.AuthURL, first.DumpURL} {
			conn, err := pgx.Connect(t.Context(), url)
			is.NoErr(err)
			var migrated bool
			is.NoErr(conn.QueryRow(t.Context(), "SELECT to_regclass('organizations') IS NOT NULL").Scan(&migrated))
			is.True(migrated)
			is.NoErr(conn.Close(t.Context()))
		}
	})

	t.Run("Should drop the database after the test, whoever is still connected", func(t *testing.T) {
		is := is.New(t)
		var d harness.Database
		t.Run("Should work", func(t *testing.T) {
			d = server.Database(t)
			_, err := pgx.Connect(context.WithoutCancel(t.Context()), d.AppURL)
			is.NoErr(err)
		})
		_, err := pgx.Connect(t.Context(), d.AdminURL)
		is.True(err != nil)
	})
}
