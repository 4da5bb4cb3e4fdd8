package rows

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/test/harness"
	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

// population is organizations that were written past the product, as only then there
// can be many of them.
type population struct {
	conn *pgx.Conn // a superuser's: no row is hidden from it
	orgs []id.Org
}

// populate stores organizations that are active, and nothing in them.
func populate(t *bench.T, d harness.Database, orgs int) *population {
	t.Helper()
	p := &population{conn: connect(t, d.AdminURL), orgs: make([]id.Org, orgs)}
	// The rows are right: to have each looked at for that takes longer than to store it.
	if _, err := p.conn.Exec(t.Context(), "SET session_replication_role = replica"); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	p.copy(t, "organizations", []string{"id", "slug", "name", "state", "namespace", "created_at", "updated_at"}, orgs, func(i int) ([]any, error) {
		o := id.New[id.OrgKind]()
		p.orgs[i] = o
		return []any{o.UUID(), "t-" + o.Tail(20), "Tenant", "active", "org-" + o.Tail(20), now, now}, nil
	})
	return p
}

// addUsers stores so many users in each organization.
func (p *population) addUsers(t *bench.T, each int) {
	t.Helper()
	now := time.Now()
	p.copy(t, "users", []string{"org_id", "id", "email", "name", "role", "state", "created_at", "updated_at"}, each*len(p.orgs), func(i int) ([]any, error) {
		u := id.New[id.UserKind]()
		return []any{p.orgs[i/each].UUID(), u.UUID(), u.Tail(20) + "@example.com", "Somebody", "member", "active", now, now}, nil
	})
}

// addKeys stores so many keys of the organization itself in each, and returns their
// secrets in an order that has nothing to do with theirs.
func (p *population) addKeys(t *bench.T, peppers apikey.Peppers, each int) []apikey.Secret {
	t.Helper()
	now := time.Now()
	secrets := make([]apikey.Secret, each*len(p.orgs))
	columns := []string{"org_id", "id", "name", "hint", "last_four", "pepper_version", "hash", "state", "created_at", "updated_at"}
	p.copy(t, "api_keys", columns, len(secrets), func(i int) ([]any, error) {
		secret, err := apikey.NewSecret(rand.Reader)
		if err != nil {
			return nil, err
		}
		secrets[i] = secret
		hash := peppers.Hash(secret)
		return []any{p.orgs[i%len(p.orgs)].UUID(), id.New[id.APIKeyKind]().UUID(), "key", secret.Hint(), secret.LastFour(), hash.Version, hash.Hash[:], "active", now, now}, nil
	})
	return secrets
}

// copy stores n rows of a table.
func (p *population) copy(t *bench.T, table string, columns []string, n int, row func(i int) ([]any, error)) {
	t.Helper()
	began := time.Now()
	_, err := p.conn.CopyFrom(t.Context(), pgx.Identifier{table}, columns, pgx.CopyFromSlice(n, row))
	if err != nil {
		t.Fatalf("store %s: %v", table, err)
	}
	// What the planner is to know, and the hints that whoever reads a new row first would write.
	if _, err := p.conn.Exec(t.Context(), "VACUUM ANALYZE "+pgx.Identifier{table}.Sanitize()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d %s stored, %v", n, table, time.Since(began).Round(time.Second))
}

// uuids are the identifiers of the organizations as the database knows them.
func (p *population) uuids() []uuid.UUID {
	all := make([]uuid.UUID, len(p.orgs))
	for i, o := range p.orgs {
		all[i] = o.UUID()
	}
	return all
}

// file writes secrets to a file that ends with the comparison, a line each.
func file(t *bench.T, secrets []apikey.Secret) string {
	t.Helper()
	var lines strings.Builder
	for _, s := range secrets {
		lines.WriteString(s.Reveal() + "\n")
	}
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// connect returns a connection of its own to a database, as one of its roles.
func connect(t *bench.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}
