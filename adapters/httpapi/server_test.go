package httpapi

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/api"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/leaks"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
	"github.com/bulkheadhq/bulkhead/core/usecase/metering"
	"github.com/bulkheadhq/bulkhead/core/usecase/namespaces"
	"github.com/bulkheadhq/bulkhead/core/usecase/operations"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/core/usecase/refusals"
	"github.com/bulkheadhq/bulkhead/core/usecase/roles"
	"github.com/bulkheadhq/bulkhead/core/usecase/schedules"
	"github.com/bulkheadhq/bulkhead/core/usecase/tokens"
	"github.com/bulkheadhq/bulkhead/core/usecase/trail"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/usecase/workflows"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
	document "github.com/bulkheadhq/bulkhead/test/contract"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// bundle is a server over memory, with one tenant, acme, and one operator.
type bundle struct {
	t      testing.TB
	server *Server
	memory *memory
	log    *buffer

	requests *requests
	buckets  bucketStore

	acme      org.Org
	ada       user.User // acme's admin
	bob, away user.User // see addPeople
	deployer  role.Role // acme's own
	key       apikey.Key
	operation operation.Operation // acme's, running
	failed    operation.Operation // another organization's

	ended, off apikey.Key        // revoked, disabled
	github     *ecdsa.PrivateKey // signs as GitHub does

	admin    string // ada's API key
	operator string
}

// buffer is a log that may be written while it is read.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func setup(t testing.TB, pingers ...ports.Pinger) *bundle {
	t.Helper()
	b := &bundle{t: t, memory: &memory{credentials: map[apikey.Versioned]apikey.Credential{}}, log: &buffer{}, requests: &requests{}}
	b.acme = must(org.New(org.Spec{ID: id.New[id.OrgKind](), Slug: must(org.ParseSlug("acme")), Name: "Acme"}, now))
	must(b.acme.Activate(now))
	b.ada = must(user.New(id.New[id.UserKind](), b.acme.ID(), must(user.ParseEmail("", "ada@acme.example")), "Ada", authz.Admin, now))
	b.operation = operation.New(id.New[id.OperationKind](), b.acme.ID(), operation.ProvisionOrganization, now)
	b.memory.orgs = []org.Org{org.NewSystem(now), b.acme}
	b.memory.users = []user.User{b.ada}
	b.deployer = must(role.New(id.New[id.RoleKind](), b.acme.ID(), role.Spec{Name: "deployer", Permissions: authz.SetOf(authz.WorkflowsStart)}, now))
	b.memory.roles = []role.Role{b.deployer}
	b.memory.operations = []operation.Operation{b.operation}
	b.memory.trail = chainOf(b.acme.ID(), 3)
	b.addStates()

	peppers := must(apikey.NewPeppers(map[int16][]byte{1: make([]byte, apikey.MinPepperLen)}))
	b.admin, b.key = b.newKey(peppers, b.acme.ID(), "acme", b.ada.ID(), authz.Admin)
	b.operator, _ = b.newKey(peppers, id.SystemOrg, org.SystemSlug, id.New[id.UserKind](), authz.Operator)

	_, b.ended = b.newKey(peppers, b.acme.ID(), "acme", b.ada.ID(), authz.Admin)
	_, b.off = b.newKey(peppers, b.acme.ID(), "acme", b.ada.ID(), authz.Admin)
	b.change(&b.ended, func(k *apikey.Key) { k.Revoke(now) })
	b.change(&b.off, func(k *apikey.Key) { must(0, k.Disable(now)) })
	b.github = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))

	m, clock := b.memory, fixedClock(now)
	limiter := limits.New(m, limits.Stores{Buckets: &b.buckets}, limit.Standard{}, clock, m, slog.New(slog.DiscardHandler))
	var err error
	b.server, err = New(Deps{
		Orgs: orgs.New(m, platform{m}, temporalNamespaces{memory: m}, clock), Namespaces: namespaces.New(m, platform{m}, temporalNamespaces{memory: m}, m, scheduler{m}, namespace.Standard{}, clock), Users: users.New(m, trails{m}, limiter, limit.Standard{}, clock), APIKeys: apikeys.New(m, limiter, limit.Standard{}, clock, peppers, rand.Reader),
		Roles: roles.New(m, limiter, clock), Limits: limiter,
		Auth: auth.New(auth.Deps{
			Credentials: m, Feed: m, Uses: m, Store: m, Clock: clock, Watch: m, Peppers: peppers, Limiter: limiter, Meter: m, CacheMeter: m,
			Log: slog.New(slog.DiscardHandler),
		}), Leaks: leaks.New(m, m, clock, peppers, m), Clock: clock,
		Tokens:    tokens.New(m, signingKeys{}, crypto{}, clock, signing.DefaultPolicy),
		Workflows: workflows.New(m, m, batcher{m}, m, limiter, limit.Standard{}, clock), Schedules: schedules.New(m, scheduler{m}, m, limiter, limit.Standard{}, clock), Operations: operations.New(m, platform{m}, clock), Assignments: assignments.New(m, platform{m}, members{}),
		Usage: metering.New(m, m, clock, slog.New(slog.DiscardHandler)),
		Trail: trail.New(trails{m}), Refusals: refusals.New(m, clock, slog.New(slog.DiscardHandler)),
		Cursors: page.NewSealer(make([]byte, 32)), ETagKey: make([]byte, 32), Requests: b.requests, Vault: vault{}, Pingers: pingers, Meter: m,
		Log: slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Config: Config{
			TemporalAddress: "temporal:7233", Version: "1.2.3", Commit: "abc", GitHubKeys: must(ParseGitHubKeys(publicPEM(b.github))),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// addStates adds organizations in the states that some operations need.
func (b *bundle) addStates() {
	in := func(slug string, state org.State, change func(*org.Snapshot)) id.Org {
		i := id.New[id.OrgKind]()
		s := org.Snapshot{ID: i, Slug: slug, Name: slug, State: state, Namespace: "org-" + slug, ActivatedAt: now, Version: 1, CreatedAt: now, UpdatedAt: now}
		if change != nil {
			change(&s)
		}
		b.memory.orgs = append(b.memory.orgs, org.Restore(s))
		return i
	}
	in("paused", org.Suspended, nil)
	doomed := in("doomed", org.Deleting, func(s *org.Snapshot) { s.DeleteAfter = now.Add(time.Hour) })
	b.failed = operation.New(id.New[id.OperationKind](), in("failed", org.Failed, nil), operation.ProvisionOrganization, now)
	if err := b.failed.Fail(ports.ErrNamespaceForeign, now); err != nil {
		b.t.Fatal(err)
	}
	b.memory.operations = append(b.memory.operations, operation.New(id.New[id.OperationKind](), doomed, operation.DeleteOrganization, now), b.failed)
}

func (b *bundle) newKey(p apikey.Peppers, o id.Org, slug string, u id.User, role authz.Role) (string, apikey.Key) {
	secret := must(apikey.NewSecret(rand.Reader))
	k := must(apikey.New(id.New[id.APIKeyKind](), o, apikey.Spec{UserID: u, Name: "test"}, secret, p.Hash(secret), now))
	b.memory.keys = append(b.memory.keys, k)
	b.memory.credentials[p.Hash(secret)] = apikey.Credential{
		Key: k.Snapshot().ID, Org: o, OrgSlug: slug, OrgActive: true, User: u, UserRole: role, UserOK: true,
		Hash: p.Hash(secret), State: apikey.Active,
	}
	return secret.Reveal(), k
}

// change changes a stored key.
func (b *bundle) change(k *apikey.Key, fn func(*apikey.Key)) {
	for i, stored := range b.memory.keys {
		if stored.Snapshot().ID == k.Snapshot().ID {
			fn(&b.memory.keys[i])
			*k = b.memory.keys[i]
		}
	}
}

// request makes a request with a key and, unless it is empty, a JSON body.
func request(method, target, key, body string) *http.Request {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, in)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return r
}

// do makes a request, and holds its answer against the document.
func (b *bundle) do(r *http.Request) *httptest.ResponseRecorder {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.server.ServeHTTP(w, r)
	if w.Code != statusClientGone { // which nobody gets to see
		if err := document.API().Check(document.Answer{
			Method: r.Method, Path: r.URL.EscapedPath(), Status: w.Code, Header: w.Header(), Body: w.Body.Bytes(),
		}); err != nil {
			b.t.Errorf("not as api/openapi.yaml states: %v", err)
		}
	}
	return w
}

// problem reads a problem, whose form is checked in passing.
func (b *bundle) problem(w *httptest.ResponseRecorder) gen.Problem {
	b.t.Helper()
	var p gen.Problem
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		b.t.Fatalf("status %d with content type %q: %s", w.Code, got, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		b.t.Fatal(err)
	}
	if int(p.Status) != w.Code || p.RequestID == "" || p.RequestID != w.Header().Get("X-Request-Id") || p.Type != problemTypes+p.Code {
		b.t.Fatalf("not a whole problem: %s", w.Body)
	}
	return p
}

// field returns the only broken rule, as "pointer rule".
func field(p gen.Problem) string {
	if p.Fields == nil || len(*p.Fields) != 1 {
		return "not one field"
	}
	return (*p.Fields)[0].Pointer + " " + (*p.Fields)[0].Rule
}

// lines returns the lines of the log.
func (b *bundle) lines() []map[string]any {
	b.t.Helper()
	var out []map[string]any
	for line := range strings.Lines(b.log.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			b.t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestNew(t *testing.T) {
	t.Parallel()

	t.Run("Should have a route for every operation of the contract, and no other", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		is.Equal(len(b.server.contract), bytes.Count(api.Document, []byte("operationId: "))) // the document was read whole

		short := maps.Clone(b.server.contract)
		delete(short, route{http.MethodGet, "/livez"})
		short[route{http.MethodGet, "/nowhere"}] = &endpoint{}
		_, err := (&Server{contract: short, config: b.server.config, auth: b.server.auth, log: b.server.log, drain: b.server.drain}).
			routes(&handlers{})
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), "GET /livez is not in the OpenAPI document"))
		is.True(strings.Contains(err.Error(), "GET /nowhere has no route"))
	})

	t.Run("Should limit all that a client could stretch", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		server := NewHTTPServer("127.0.0.1:0", b.server)
		is.True(server.ReadHeaderTimeout > 0 && server.ReadTimeout > 0 && server.IdleTimeout > 0 && server.MaxHeaderBytes > 0)
		is.True(server.WriteTimeout > maxWait+b.server.config.Timeout) // the longest wait can still be answered
		server.ErrorLog.Print("a complaint of net/http")
		is.Equal(b.lines()[0]["msg"], "a complaint of net/http")
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()

	t.Run("Should deny readiness and nothing else", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t, pinger{name: "postgres"})

		is.Equal(b.do(request(http.MethodGet, "/readyz", "", "")).Code, http.StatusOK)
		b.server.SetDraining()
		b.server.SetDraining() // again is harmless
		is.Equal(b.do(request(http.MethodGet, "/readyz", "", "")).Code, http.StatusServiceUnavailable)
		is.Equal(b.do(request(http.MethodGet, "/livez", "", "")).Code, http.StatusOK)
		is.Equal(b.do(request(http.MethodGet, "/api/v0/auth/whoami", b.admin, "")).Code, http.StatusOK)
	})

	t.Run("Should drain when the HTTP server is shut down", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		is.NoErr(NewHTTPServer("127.0.0.1:0", b.server).Shutdown(t.Context()))
		<-b.server.drain.ctx.Done()
	})

	t.Run("Should end a wait with the present state", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.memory.asked = make(chan struct{})

		answers := make(chan *httptest.ResponseRecorder)
		go func() {
			answers <- b.do(request(http.MethodGet, "/api/v0/operations/"+b.operation.Snapshot().ID.String()+"?wait=60", b.admin, ""))
		}()
		<-b.memory.asked // it waits
		b.server.SetDraining()
		w := <-answers
		is.Equal(w.Code, http.StatusOK)
		is.True(strings.Contains(w.Body.String(), `"state":"pending"`))
	})

	t.Run("Should end a wait inside a dependency", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		entered := make(chan struct{})
		bounded, cancel := context.WithTimeout(asNobody(t), 10*time.Second) // a wait that does not end fails
		defer cancel()

		results := make(chan error)
		go func() {
			_, err := waiting(bounded, b.server.waits, maxWait, func(ctx context.Context, wait time.Duration) (int, error) {
				if wait == 0 {
					return 0, ctx.Err()
				}
				close(entered)
				<-ctx.Done()
				return 0, ctx.Err()
			})
			results <- err
		}()
		<-entered
		b.server.SetDraining()
		is.NoErr(<-results)
	})

	t.Run("Should not take the caller's own end for ours", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		ctx, cancel := context.WithCancel(asNobody(t))

		calls := 0
		_, err := waiting(ctx, newWaits(newDrain(), 1), maxWait, func(ctx context.Context, _ time.Duration) (int, error) {
			calls++
			cancel()
			return 0, ctx.Err()
		})
		is.Equal(err, context.Canceled)
		is.Equal(calls, 1)
	})
}
