package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/test/contract"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// answer is what came back of a post.
type answer struct {
	status   int
	replayed bool
	code     string // of a problem
	detail   string
	body     string
}

// poster sends posts with an Idempotency-Key.
type poster struct {
	stack  *harness.Stack
	client *http.Client
}

func (p poster) post(ctx context.Context, url, path, key, body string, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+p.stack.OperatorKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := p.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: res.StatusCode, replayed: res.Header.Get("Idempotency-Replayed") == "true", body: string(raw)}
	var problem struct{ Code, Detail string }
	if res.StatusCode >= http.StatusBadRequest && json.Unmarshal(raw, &problem) == nil {
		a.code, a.detail = problem.Code, problem.Detail
	}
	return a, nil
}

// final posts until the request is no longer being carried out.
func (p poster) final(ctx context.Context, url, path, key, body string) (answer, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		a, err := p.post(ctx, url, path, key, body)
		if err != nil || a.code != "request.in_progress" {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-tick.C:
		}
	}
}

const (
	organizationsURL = "/api/v0/organizations"
	keysURL          = organizationsURL + "/system/api-keys"
)

func organizationBody(slug string) string {
	return `{"slug":"` + slug + `","admin":{"email":"admin@` + slug + `.example"}}`
}

// newPoster starts an API on a database, and nothing else.
func newPoster(t *testing.T) (poster, *pgx.Conn) {
	t.Helper()
	s := harness.Prepare(t, harness.Postgres(t).Database(t))
	s.OperatorKey = s.Bootstrap(t).OperatorKey
	s.API.Start(t)
	admin, err := pgx.Connect(t.Context(), s.Database.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close(context.Background()) })
	return poster{s, contract.Client(t)}, admin
}

func number(t *testing.T, conn *pgx.Conn, query string, args ...any) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestIdempotencyRaces(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p, admin := newPoster(t)
	second, api := p.stack.With(t)
	api.Start(t)

	// 200 keys, each posted 8 times at once, to two processes. Half of them make
	// organizations, half make API keys, whose answers hold secrets.
	const keys, posts = 200, 8
	answers := make([][posts]answer, keys)
	var all sync.WaitGroup
	gate := make(chan struct{}, 64)
	for k := range keys {
		path, body := organizationsURL, organizationBody(fmt.Sprintf("race%d", k))
		if k%2 == 1 {
			path, body = keysURL, fmt.Sprintf(`{"name":"race %d","scopes":["organizations:read"]}`, k)
		}
		for n := range posts {
			url := p.stack.URL
			if n%2 == 1 {
				url = second
			}
			gate <- struct{}{}
			all.Go(func() {
				defer func() { <-gate }()
				a, err := p.final(t.Context(), url, path, fmt.Sprintf("key-%d", k), body)
				if err != nil {
					t.Error(err)
				}
				answers[k][n] = a
			})
		}
	}
	all.Wait()

	for k := range keys {
		firsts := 0
		for _, a := range answers[k] {
			is.Equal(a.status, http.StatusCreated)
			is.Equal(a.body, answers[k][0].body) // the same thing, the same secret
			if !a.replayed {
				firsts++
			}
		}
		is.Equal(firsts, 1)
	}
	is.Equal(number(t, admin, `SELECT count(*) FROM organizations WHERE slug LIKE 'race%'`), keys/2)
	is.Equal(number(t, admin, `SELECT count(*) FROM api_keys WHERE name LIKE 'race %'`), keys/2)
	is.Equal(number(t, admin, `SELECT count(*) FROM audit_events
		WHERE action IN ('organization.created', 'apikey.created') AND actor_key_id IS NOT NULL`), keys)
	is.Equal(number(t, admin, `SELECT count(*) FROM idempotency_keys WHERE position('bhk_'::bytea in response) > 0`), 0)
	is.Equal(number(t, admin, `SELECT count(*) FROM idempotency_keys WHERE state = 'done' AND committed_at IS NOT NULL`), keys)
}

// idempotencyGate makes the database wait right before a change is committed,
// and right before its answer is kept, while the test holds a lock.
const idempotencyGate = `
CREATE FUNCTION test_idempotency_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.state = 'done' THEN
		PERFORM pg_advisory_xact_lock_shared(2);
	ELSIF NEW.committed_at IS NOT NULL THEN
		PERFORM pg_advisory_xact_lock_shared(1);
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER test_gate BEFORE UPDATE ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION test_idempotency_gate();
`

func TestIdempotencyCrash(t *testing.T) {
	t.Parallel()
	p, admin := newPoster(t)
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	run(idempotencyGate)

	// crashAt kills the API with a request at the gate, and starts it again.
	crashAt := func(is *is.I, gate int, key, body string) {
		t.Helper()
		run(`SELECT pg_advisory_lock($1)`, gate)
		gone := make(chan error, 1)
		go func() {
			_, err := p.post(t.Context(), p.stack.URL, organizationsURL, key, body)
			gone <- err
		}()
		harness.Eventually(t, "the request is at the gate", func() bool {
			return number(t, admin, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, gate) == 1
		})
		p.stack.API.Kill()
		is.True(<-gone != nil) // no answer has come
		// What the database was asked to do goes with the machine that asked.
		run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bulkhead_app' AND datname = current_database()`)
		run(`SELECT pg_advisory_unlock($1)`, gate)
		harness.Eventually(t, "the database has noticed", func() bool {
			return number(t, admin, `SELECT count(*) FROM pg_stat_activity WHERE usename = 'bulkhead_app' AND datname = current_database()`) == 0
		})
		p.stack.API.Start(t)
	}
	lapse := func() { run(`UPDATE idempotency_keys SET lapses_at = now()`) } // as if its time were over
	again := func(is *is.I, key, body string) answer {
		a, err := p.post(t.Context(), p.stack.URL, organizationsURL, key, body)
		is.NoErr(err)
		return a
	}
	organizations := func(slug string) int {
		return number(t, admin, `SELECT count(*) FROM organizations WHERE slug = $1`, slug)
	}

	t.Run("Should carry the request out once when the process died before the commit", func(t *testing.T) {
		is := is.New(t)
		body := organizationBody("before")
		crashAt(is, 1, "before", body)
		is.Equal(organizations("before"), 0)
		is.Equal(again(is, "before", body).code, "request.in_progress") // it may be alive for all we know
		lapse()
		a := again(is, "before", body)
		is.Equal(a.status, http.StatusCreated)
		is.Equal(a.replayed, false)
		is.True(again(is, "before", body).replayed)
		is.Equal(organizations("before"), 1)
	})

	t.Run("Should never carry it out again when the process died between the commit and the answer", func(t *testing.T) {
		is := is.New(t)
		body := organizationBody("after")
		crashAt(is, 2, "after", body)
		is.Equal(organizations("after"), 1)
		is.Equal(again(is, "after", body).code, "request.in_progress")
		lapse()
		for range 3 {
			a := again(is, "after", body)
			is.Equal(a.status, http.StatusConflict)
			is.Equal(a.code, "request.answer_lost")
			is.True(strings.Contains(a.detail, "organization org_")) // where to look
		}
		is.Equal(again(is, "after", organizationBody("other")).status, http.StatusUnprocessableEntity)
		is.Equal(organizations("after"), 1)
	})

	t.Run("Should make each thing once whenever the process dies", func(t *testing.T) {
		is := is.New(t)
		const rounds, keys = 8, 20
		const made = `SELECT count(*) FROM api_keys WHERE name LIKE $1`
		lost := 0
		for round := range rounds {
			name := func(k int) string { return fmt.Sprintf("crash%dx%d", round, k) }
			// Keys, as nothing else would keep one of a name from being made twice.
			body := func(k int) string { return `{"name":"` + name(k) + `","scopes":["organizations:read"]}` }
			var all sync.WaitGroup
			for k := range keys {
				all.Go(func() { // whether an answer comes is what is left open
					_, _ = p.post(t.Context(), p.stack.URL, keysURL, name(k), body(k))
				})
			}
			moment := rand.N(keys)
			harness.Eventually(t, "some of the keys are made", func() bool {
				return number(t, admin, made, fmt.Sprintf("crash%dx%%", round)) >= moment
			})
			p.stack.API.Kill()
			all.Wait()
			p.stack.API.Start(t)
			lapse()
			for k := range keys {
				a, err := p.final(t.Context(), p.stack.URL, keysURL, name(k), body(k))
				is.NoErr(err)
				if a.code == "request.answer_lost" {
					lost++
				} else {
					is.Equal(a.status, http.StatusCreated)
				}
			}
			is.Equal(number(t, admin, made, fmt.Sprintf("crash%dx%%", round)), keys)
		}
		t.Logf("%d requests, %d answers lost", rounds*keys, lost)
	})
}
