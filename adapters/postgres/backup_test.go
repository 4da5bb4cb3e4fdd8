package postgres_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

// TestBackup backs a database up and restores it, by the commands that operators
// are told.
func TestBackup(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	admin := connect(t, d.AdminURL)
	fill(t, admin, uuid.New())
	fill(t, admin, uuid.New())
	page := readPage(t, "../../docs/deployment/backup.md")
	file := filepath.Join(t.TempDir(), "bulkhead.dump")

	is := is.New(t)
	out, err := page.run(t, "Back up", d, file)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	copied := harness.Postgres(t).Empty(t)
	out, err = page.run(t, "Restore", copied, file)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	t.Run("Should restore every row, into the same schema", func(t *testing.T) {
		is := is.New(t)
		is.Equal(digests(t, connect(t, copied.AdminURL)), digests(t, admin))
		is.Equal(schema(t, connect(t, copied.AdminURL)), schema(t, admin))
	})

	t.Run("Should restore what keeps the tenants apart", func(t *testing.T) {
		is := is.New(t)
		is.Equal(broken(t, connect(t, copied.AdminURL)), []violation{})
		is.NoErr(openDB(t, copied).CheckServer(t.Context()))
		app := connect(t, copied.AppURL)
		is.Equal(countIn(t, app, "", "", "SELECT count(*) FROM users"), 0)
		is.Equal(countIn(t, app, "", "on", "SELECT count(*) FROM organizations"), 2)
	})

	t.Run("Should notice by the commands that a row is missing", func(t *testing.T) {
		is := is.New(t)
		lossy := harness.Postgres(t).Empty(t)
		lost := *page
		lost.steps = map[string][]string{"Restore": append([]string(nil), page.steps["Restore"]...)}
		last := len(lost.steps["Restore"]) - 1
		lost.steps["Restore"][last] = `psql --no-psqlrc --quiet "$RESTORE_URL" --command "DELETE FROM audit_events WHERE ctid = (SELECT min(ctid) FROM audit_events)"` +
			"\n" + lost.steps["Restore"][last]
		out, err := lost.run(t, "Restore", lossy, file)
		is.True(err != nil)
		is.True(strings.Contains(out, "> audit_events|2|"))
	})

	t.Run("Should notice by the commands that a policy is missing", func(t *testing.T) {
		is := is.New(t)
		open := harness.Postgres(t).Empty(t)
		bare := *page
		bare.steps = map[string][]string{"Restore": append([]string(nil), page.steps["Restore"]...)}
		bare.steps["Restore"][1] = `psql --no-psqlrc --quiet "$RESTORE_URL" --command "DROP POLICY tenant ON users"` + "\n" + bare.steps["Restore"][1]
		out, err := bare.run(t, "Restore", open, file)
		is.True(err != nil)
		is.True(strings.Contains(out, "the policy of the template"))
	})
	is.True(len(page.steps["Restore"]) == 3)
}

// TestBackupOfWhoIsBound shows what the page warns of.
func TestBackupOfWhoIsBound(t *testing.T) {
	t.Parallel()
	pgDump := program(t, "pg_dump")
	d := harness.Postgres(t).Database(t)
	fill(t, connect(t, d.AdminURL), uuid.New())
	dump := func(t *testing.T, args ...string) (string, error) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), pgDump, append([]string{"--no-password"}, args...)...).Output()
		return string(out), err
	}

	t.Run("Should fail, and not be empty, as a role that policies bind", func(t *testing.T) {
		is := is.New(t)
		for _, url := range []string{d.OwnerURL, d.AppURL} {
			_, err := dump(t, url)
			is.True(err != nil)
		}
	})

	t.Run("Should succeed and be empty where policies may hide rows: the trap", func(t *testing.T) {
		is := is.New(t)
		whole, err := dump(t, d.DumpURL)
		is.NoErr(err)
		is.True(strings.Contains(whole, "\tAda\t"))
		empty, err := dump(t, "--enable-row-security", d.OwnerURL)
		is.NoErr(err)
		is.True(strings.Contains(empty, "COPY public.users"))
		is.True(!strings.Contains(empty, "\tAda\t"))
	})
}

// page is the commands of a page of the documentation, by their heading.
type page struct {
	steps map[string][]string
	path  string // where the programs are found
}

var (
	heading  = regexp.MustCompile(`(?m)^## (.+)$`)
	commands = regexp.MustCompile("(?s)\n```sh\n(.*?)```\n")
)

func readPage(t *testing.T, name string) *page {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	folders := []string{filepath.Dir(harness.Build(t, "cmd/bulkhead"))}
	for _, name := range []string{"pg_dump", "pg_restore", "psql"} {
		folders = append(folders, filepath.Dir(program(t, name)))
	}
	p := &page{steps: map[string][]string{}, path: strings.Join(append(folders, os.Getenv("PATH")), string(os.PathListSeparator))}
	at := heading.FindAllSubmatchIndex(text, -1)
	for i, h := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		name := string(text[h[2]:h[3]])
		for _, m := range commands.FindAllSubmatch(text[h[1]:end], -1) {
			p.steps[name] = append(p.steps[name], string(m[1]))
		}
	}
	return p
}

// run runs the commands of a heading, one after the other, against a database.
func (p *page) run(t *testing.T, heading string, d harness.Database, file string) (string, error) {
	t.Helper()
	if len(p.steps[heading]) == 0 {
		t.Fatalf("the page has no command under %q", heading)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.Join(p.steps[heading], "\n"))
	cmd.Env = []string{
		"PATH=" + p.path, "HOME=" + t.TempDir(), "BACKUP=" + file, "RESTORE_URL=" + d.AdminURL,
		"BULKHEAD_DATABASE_ADMIN_URL=" + d.ServerURL, "BULKHEAD_DATABASE_URL=" + d.AppURL, "BULKHEAD_DATABASE_AUTH_URL=" + d.AuthURL,
		"BULKHEAD_DATABASE_OWNER_URL=" + d.OwnerURL, "BULKHEAD_DATABASE_DUMP_URL=" + d.DumpURL,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w", heading, err)
	}
	return string(out), err
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
