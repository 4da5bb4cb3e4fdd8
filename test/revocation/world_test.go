package revocation

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// perOrg is how many keys an organization has, but for those whose organization is
// what changes.
const perOrg = 25

// target is a key that will lose its power in some way.
type target struct {
	kind   kind
	org    id.Org
	user   id.User
	role   id.Role
	key    id.APIKey
	secret apikey.Secret
	hash   apikey.Versioned
}

// world is several APIs over one database, and keys to be revoked.
type world struct {
	t     testing.TB
	stack *harness.Stack
	urls  []string
	nodes []*harness.Daemon
	apis  []*sdk.Client // the operator's, one for each node
	db    *pgxpool.Pool // a superuser's: another process that changes rows
	http  *http.Client
}

func newWorld(t testing.TB) *world {
	t.Helper()
	d := harness.Postgres(t).Database(t)
	s := harness.Prepare(t, d)
	made := s.Bootstrap(t)
	s.OperatorKey, s.WorkerKey = made.OperatorKey, made.WorkerKey
	w := &world{t: t, stack: s, urls: []string{s.URL}, nodes: []*harness.Daemon{s.API}}
	for range 2 {
		url, node := s.With(t)
		w.urls, w.nodes = append(w.urls, url), append(w.nodes, node)
	}
	w.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	t.Cleanup(w.http.CloseIdleConnections)
	for i, node := range w.nodes {
		node.Start(t)
		c, err := sdk.New(sdk.Config{URL: w.urls[i], APIKey: s.OperatorKey, Retries: -1, HTTPClient: w.http})
		if err != nil {
			t.Fatal(err)
		}
		w.apis = append(w.apis, c)
	}
	var err error
	if w.db, err = pgxpool.New(t.Context(), d.AdminURL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.db.Close)
	return w
}

// add stores keys, one for each kind that is given.
func (w *world) add(kinds []kind) []target {
	w.t.Helper()
	peppers := w.stack.Peppers(w.t)
	var (
		targets                       []target
		orgs, users, roles, keys, use [][]any
		shared                        id.Org
	)
	now := time.Now()
	anOrg := func() id.Org {
		o := id.New[id.OrgKind]()
		orgs = append(orgs, []any{o.UUID(), "t-" + o.Tail(20), "t", "active", "org-" + o.Tail(20), now, now})
		return o
	}
	for i, k := range kinds {
		if i%perOrg == 0 {
			shared = anOrg()
		}
		x := target{kind: k, org: shared, user: id.New[id.UserKind](), key: id.New[id.APIKeyKind]()}
		if k.ownOrg {
			x.org = anOrg()
		}
		role, roleID := any("member"), any(nil)
		if k.ownRole {
			x.role = id.New[id.RoleKind]()
			role, roleID = "custom", x.role.UUID()
			roles = append(roles, []any{x.org.UUID(), x.role.UUID(), x.role.String(), []string{power, "users:read"}, now, now})
		}
		secret, err := apikey.NewSecret(rand.Reader)
		if err != nil {
			w.t.Fatal(err)
		}
		x.secret, x.hash = secret, peppers.Hash(secret)
		users = append(users, []any{x.org.UUID(), x.user.UUID(), x.user.String() + "@example.com", "u", role, roleID, "active", now, now})
		keys = append(keys, []any{x.org.UUID(), x.key.UUID(), x.user.UUID(), "k", "h", "l", x.hash.Version, x.hash.Hash[:], "active", now, now})
		use = append(use, []any{x.org.UUID(), x.key.UUID(), 1})
		targets = append(targets, x)
	}
	w.copy("organizations", orgs, "id", "slug", "name", "state", "namespace", "created_at", "updated_at")
	w.copy("roles", roles, "org_id", "id", "name", "permissions", "created_at", "updated_at")
	w.copy("users", users, "org_id", "id", "email", "name", "role", "role_id", "state", "created_at", "updated_at")
	w.copy("api_keys", keys, "org_id", "id", "user_id", "name", "hint", "last_four", "pepper_version", "hash", "state", "created_at", "updated_at")
	w.copy("api_key_uses", use, "org_id", "key_id", "generation")
	return targets
}

func (w *world) copy(table string, rows [][]any, columns ...string) {
	w.t.Helper()
	if _, err := w.db.CopyFrom(w.t.Context(), pgx.Identifier{table}, columns, pgx.CopyFromRows(rows)); err != nil {
		w.t.Fatalf("store %s: %v", table, err)
	}
}

func (w *world) exec(ctx context.Context, sql string, args ...any) error {
	tag, err := w.db.Exec(ctx, sql, args...)
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("%d rows changed: %s", tag.RowsAffected(), sql)
	}
	return err
}

// present asks a node what a key may do. It is accepted when the node says that it
// has the power that every target is about to lose.
func (w *world) present(ctx context.Context, url string, x target) (status int, accepted bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v0/auth/whoami", nil)
	if err != nil {
		return 0, false, err
	}
	req.Header.Set("Authorization", "Bearer "+x.secret.Reveal())
	res, err := w.http.Do(req)
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, res.StatusCode == http.StatusOK && strings.Contains(string(body), `"`+power+`"`), err
}

// warm lets every node learn of every key, while nothing changes: from then on they
// answer from memory.
func (w *world) warm(targets []target, urls ...string) {
	w.t.Helper()
	for _, err := range each(8, len(targets), func(i int) error {
		for _, url := range urls {
			if status, accepted, err := w.present(w.t.Context(), url, targets[i]); err != nil || !accepted {
				return fmt.Errorf("a good key is answered with %d: %w", status, err)
			}
		}
		return nil
	}) {
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// kept returns how many keys a node keeps.
func (w *world) kept(node *harness.Daemon) int {
	w.t.Helper()
	res, err := http.Get(node.Metrics)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "bulkhead_auth_cache_size ") {
			_, _ = fmt.Sscanf(line, "bulkhead_auth_cache_size %d", &n)
		}
	}
	return n
}

// each calls fn for 0 to n-1, a few at a time.
func each(workers, n int, fn func(i int) error) []error {
	next, errs := make(chan int), make([]error, n)
	done := make(chan struct{})
	for range workers {
		go func() {
			for i := range next {
				errs[i] = fn(i)
			}
			done <- struct{}{}
		}()
	}
	for i := range n {
		next <- i
	}
	close(next)
	for range workers {
		<-done
	}
	return errs
}
