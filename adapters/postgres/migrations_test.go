package postgres_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// emptyDatabase makes the roles and a database without a schema.
func emptyDatabase(t testing.TB) harness.Database {
	t.Helper()
	return harness.Postgres(t).Unmigrated(t)
}

func migrator(t testing.TB, d harness.Database) *postgres.Migrator {
	t.Helper()
	m, err := postgres.NewMigrator(d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMigrations takes every migration back and applies it again while there
// are rows in every table. What a version adds goes with it, and everything that
// the version before it knew of stays as it was.
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
	}
	fill(t, admin, uuid.New())

	for version := status.Latest; version > 0; version-- {
		t.Run("Should take back with rows in every table, and apply again: "+status.Migrations[version-1], func(t *testing.T) {
			is := is.New(t)
			before := storedRows(t, admin)
			for table, all := range before {
				if len(all) == 0 {
					t.Errorf("the table %s has no row: what happens to it is not seen", table)
				}
			}
			is.NoErr(m.Down(t.Context()))
			is.Equal(schema(t, admin), schemas[version-1])
			down := storedRows(t, admin)
			is.Equal(down.shared(down), before.shared(down)) // the way down lost or changed rows

			is.NoErr(m.To(t.Context(), version))
			is.Equal(schema(t, admin), schemas[version])
			up := storedRows(t, admin)
			is.Equal(up.shared(down), down.shared(down)) // the way up lost or changed rows

			is.NoErr(m.Down(t.Context()))
			is.Equal(schema(t, admin), schemas[version-1])
			again := storedRows(t, admin)
			is.Equal(again.shared(down), down.shared(down))
		})
	}

	t.Run("Should apply all of them on the empty schema that is left", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(m.Down(t.Context())) // there is nothing below the first
		status, err := m.Status(t.Context())
		is.NoErr(err)
		is.Equal(status.Current, int32(0))
		is.NoErr(m.Up(t.Context()))
		is.Equal(schema(t, admin), schemas[status.Latest])
		is.NoErr(m.To(t.Context(), 0))
		is.Equal(schema(t, admin), schemas[0])
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
