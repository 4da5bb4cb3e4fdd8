package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

func TestMigrators(t *testing.T) {
	t.Parallel()

	t.Run("Should take turns when eight start at once, up and down, ten times", func(t *testing.T) {
		is := is.New(t)
		d := emptyDatabase(t)
		at := schemas(t, d)
		admin := connect(t, d.AdminURL)
		latest := len(at) - 1
		for range 10 {
			is.NoErr(atOnce(8, func() error { return migrator(t, d).Up(t.Context()) }))
			is.Equal(schema(t, admin), at[latest])
			is.NoErr(atOnce(8, func() error { return migrator(t, d).To(t.Context(), 0) }))
			is.Equal(schema(t, admin), at[0])
		}
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

func TestMigratorCheck(t *testing.T) {
	t.Parallel()

	t.Run("Should find no schema sound that lacks a migration", func(t *testing.T) {
		is := is.New(t)
		d := emptyDatabase(t)
		m := migrator(t, d)
		status, err := m.Status(t.Context())
		is.NoErr(err)
		for at := range int32(2) {
			is.NoErr(m.To(t.Context(), at*(status.Latest-1)))
			found, err := m.Check(t.Context())
			is.NoErr(err)
			is.Equal(found[len(found)-1].By, status.Migrations[status.Latest-1])
			is.Equal(len(found), int(status.Latest-at*(status.Latest-1)))
		}
		is.NoErr(m.Up(t.Context()))
		found, err := m.Check(t.Context())
		is.NoErr(err)
		is.Equal(len(found), 0)
	})
}

// TestMigratorsKilled ends migrators in the middle of their work. What they leave
// is the schema of one version, whole, from which the next goes on.
func TestMigratorsKilled(t *testing.T) {
	t.Parallel()

	for name, kill := range map[string]func(t *testing.T, d harness.Database, version int32){
		"its server's process ends":  killConnection,
		"it is killed by the system": killProcess,
	} {
		t.Run("Should leave a whole schema, from which another goes on, when "+name, func(t *testing.T) {
			is := is.New(t)
			d := emptyDatabase(t)
			at := schemas(t, d)
			m, admin := migrator(t, d), connect(t, d.AdminURL)
			latest := int32(len(at) - 1)
			org := uuid.New()
			interrupted := 0
			for round := range 12 {
				from, to := int32(0), latest
				if round%2 == 1 {
					is.NoErr(m.Up(t.Context()))
					fill(t, admin, org)
					from, to = latest, 0
				}
				kill(t, d, to)
				status, err := m.Status(t.Context()) // after whoever may still work
				is.NoErr(err)
				is.Equal(schema(t, admin), at[status.Current])
				if status.Current != from && status.Current != to {
					interrupted++
				}
				is.NoErr(m.To(t.Context(), to))
				is.Equal(schema(t, admin), at[to])
				is.NoErr(m.To(t.Context(), 0))
			}
			is.True(interrupted > 0) // or nothing was seen
		})
	}
}

// killConnection ends the server's process of a migrator, at a moment that
// depends on chance.
func killConnection(t *testing.T, d harness.Database, version int32) {
	t.Helper()
	m, killer := migrator(t, d), connect(t, d.AdminURL)
	chosen := 1 + rand.IntN(14)
	killed := make(chan error, 1)
	step := 0
	m.OnStart = func(postgres.MigrationStep) {
		if step++; step == chosen {
			go func() {
				_, err := killer.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
					WHERE application_name = 'bulkhead migrate' AND datname = current_database()`)
				killed <- err
			}()
		}
	}
	_ = m.To(t.Context(), version) // it may have been done before
	if step >= chosen {
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
	}
}

// migratingURL is the variable by which this test program is told to be a
// migrator that can be killed.
const (
	migratingURL     = "BULKHEAD_TEST_MIGRATING_URL"
	migratingVersion = "BULKHEAD_TEST_MIGRATING_VERSION"
)

// TestMigratingProcess is no test but the process that killProcess kills.
func TestMigratingProcess(t *testing.T) {
	url := os.Getenv(migratingURL)
	if url == "" {
		return
	}
	m, err := postgres.NewMigrator(url)
	if err != nil {
		t.Fatal(err)
	}
	m.OnStart = func(step postgres.MigrationStep) { fmt.Println(step.Version) }
	var version int32
	if _, err := fmt.Sscan(os.Getenv(migratingVersion), &version); err != nil {
		t.Fatal(err)
	}
	if err := m.To(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

// killProcess kills a process that migrates, when it has told of a step that is
// chosen by chance.
func killProcess(t *testing.T, d harness.Database, version int32) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestMigratingProcess$")
	cmd.Env = append(os.Environ(), migratingURL+"="+d.OwnerURL, fmt.Sprintf("%s=%d", migratingVersion, version))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range 1 + rand.IntN(10) {
		lines.Scan()
	}
	_ = cmd.Process.Kill()
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // it was killed
}

// schemas returns the schema of each version, and leaves the empty one.
func schemas(t *testing.T, d harness.Database) []string {
	t.Helper()
	m, admin := migrator(t, d), connect(t, d.AdminURL)
	status, err := m.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := []string{schema(t, admin)}
	for version := int32(1); version <= status.Latest; version++ {
		if err := m.To(t.Context(), version); err != nil {
			t.Fatal(err)
		}
		out = append(out, schema(t, admin))
	}
	if err := m.To(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	return out
}

// atOnce calls fn n times at once and returns the first error.
func atOnce(n int, fn func() error) error {
	errs := make(chan error)
	for range n {
		go func() { errs <- fn() }()
	}
	var first error
	for range n {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}
