package postgres_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

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
