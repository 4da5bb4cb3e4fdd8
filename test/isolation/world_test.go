package isolation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// world is the stack with its parties: a, whose people attack, and b, their
// victim, both with everything that an organization can have.
type world struct {
	stack    *harness.Stack
	ready    time.Time // when everything in it was made
	url      string    // of the API that is attacked
	api      *harness.Daemon
	client   *http.Client
	database *database

	a, b      *party
	absent    *party // does not exist, and looks like b
	system    *party // the system organization
	attackers []*attacker
	refused   []*credential
	hidden    map[*party]*wanted // what must not be seen, by whose the attacker is
}

// newWorld starts a stack on a Postgres server of its own, as the tests change
// the roles, and fills it.
func newWorld(t testing.TB) *world {
	t.Helper()
	s := harness.NewStackOn(t, harness.NewPostgres(t).Database(t))
	w := &world{stack: s, url: s.URL, api: s.API, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 2 * concurrency, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(w.client.CloseIdleConnections)
	w.database = openDatabase(t, s.Database)
	w.system = newParty()
	w.system.ID, w.system.UUID = id.SystemOrg.String(), id.SystemOrg.UUID().String()
	w.system.Slug, w.system.Namespace = org.SystemSlug, org.SystemNamespace
	w.a, w.b = w.newParty(t), w.newParty(t)
	for _, p := range []*party{w.a, w.b} {
		w.furnish(t, p)
	}
	w.absent = nobody(w.b)
	w.system.Values, w.system.For = w.absent.Values, w.absent.For
	w.admit(func(s sort) string { return w.keyOf(t, s) })
	w.refuse(w.end(t))
	w.hide(t)
	w.ready = time.Now()
	return w
}

// newParty creates an organization with an admin and their key.
func (w *world) newParty(t testing.TB) *party {
	t.Helper()
	p := newParty()
	p.Slug, p.idemKey = p.word("slug"), randomWord(20)
	made := w.call(t, w.stack.OperatorKey, "POST", "/api/v0/organizations", map[string]any{
		"slug": p.Slug, "name": p.word("organization name"),
		"admin": map[string]any{"email": p.word("e-mail") + "@tenant.example", "name": p.word("user name")},
	}, "Prefer", "wait=60")
	if state := text(made, "organization", "state"); state != "active" {
		t.Fatalf("the organization is %s", state)
	}
	p.ID, p.Namespace = text(made, "organization", "id"), text(made, "organization", "namespace")
	o, err := id.Parse[id.OrgKind](p.ID)
	if err != nil {
		t.Fatal(err)
	}
	p.UUID = o.UUID().String()
	p.Values["operation"] = text(made, "operation", "id")
	p.Values["confirm"] = p.Slug // of a deletion
	p.Values["user"] = text(made, "admin", "id")
	p.key = w.newKey(t, p, map[string]any{"name": p.word("key name"), "user_id": text(made, "admin", "id")})
	return p
}

// newKey makes a key of the party's and returns its secret.
func (w *world) newKey(t testing.TB, p *party, body map[string]any) string {
	t.Helper()
	made := w.call(t, w.stack.OperatorKey, "POST", "/api/v0/organizations/"+p.ID+"/api-keys", body)
	return text(made, "secret")
}

// newUser adds a user with a role to the party and returns a key of theirs.
func (w *world) newUser(t testing.TB, p *party, role string, scopes ...string) (user, key string) {
	t.Helper()
	made := w.call(t, w.stack.OperatorKey, "POST", "/api/v0/organizations/"+p.ID+"/users", map[string]any{
		"email": p.word("e-mail") + "@tenant.example", "name": p.word("user name"), "role": role,
	})
	body := map[string]any{"name": p.word("key name"), "user_id": text(made, "id")}
	if len(scopes) > 0 {
		body["scopes"] = scopes
	}
	return text(made, "id"), w.newKey(t, p, body)
}

// furnish gives the party what the operations are asked about.
func (w *world) furnish(t testing.TB, p *party) {
	t.Helper()
	p.Values["user"], _ = w.newUser(t, p, "viewer") // not an attacker: theirs may be removed
	for _, o := range contract() {
		if s := seeded[o.id]; s.Make != nil && !s.Fatal {
			p.For[o.id] = s.Make(t, w, p)
		}
	}
}

// collect notes what the parties get from operations that another may not use:
// cursors and entity tags. They come from the API that is attacked, as a faulty
// one makes others.
func (w *world) collect(ctx context.Context) {
	for _, p := range []*party{w.a, w.b} {
		by := &credential{name: "its own", header: bearer(p.key)}
		for _, o := range contract() {
			r := request{method: http.MethodGet, path: o.expand(w.names(p, o), nil)}
			if o.has("query", "cursor") && o.ofOrg() {
				r.query = "limit=1"
				if got, err := w.do(ctx, &r, by); err == nil {
					var page struct {
						Next string `json:"next_cursor"`
					}
					_ = json.Unmarshal(got.body, &page) // a page without a cursor is told by TestMatrix
					p.cursors[o.id] = page.Next
				}
			}
			if (o.has("header", "If-Match") || o.has("header", "If-None-Match")) && slices.Contains(o.siblings, http.MethodGet) {
				r.query = ""
				if got, err := w.do(ctx, &r, by); err == nil {
					p.etags[o.id] = got.header.Get("ETag")
				}
			}
		}
	}
	like := nobody(w.b)
	w.absent.cursors, w.absent.etags = like.cursors, like.etags
}

// lack names the operations for which the victim has no cursor or no entity tag,
// although it should: their seeds make too little.
func (w *world) lack() (missing []string) {
	for _, o := range contract() {
		if o.has("query", "cursor") && o.ofOrg() && w.b.cursors[o.id] == "" {
			missing = append(missing, o.id+": no cursor, as there is one page only")
		}
		guarded := o.has("header", "If-Match") || o.has("header", "If-None-Match")
		if guarded && slices.Contains(o.siblings, http.MethodGet) && w.b.etags[o.id] == "" {
			missing = append(missing, o.id+": no ETag")
		}
	}
	return missing
}

// keyOf makes an attacker of a sort, and returns their key.
func (w *world) keyOf(t testing.TB, s sort) string {
	t.Helper()
	p := w.a
	switch {
	case s.worker:
		return w.stack.WorkerKey
	case s.system:
		p = w.system
	}
	if s.role.IsZero() {
		return w.newKey(t, p, map[string]any{"name": p.word("key name"), "scopes": s.scopes.Names()})
	}
	role, tampered := s.role.String(), s.role.String() == "operator"
	if tampered {
		role = "admin"
	}
	user, key := w.newUser(t, p, role, s.scopes.Names()...)
	if tampered { // which the schema itself forbids
		w.database.exec(t, "ALTER TABLE users DROP CONSTRAINT users_operator_check")
		w.database.exec(t, "UPDATE users SET role = 'operator' WHERE id = $1", uuidOf[id.UserKind](t, user))
	}
	return key
}

// end makes keys and ends each in another way, before it was ever used.
func (w *world) end(t testing.TB) map[string]string {
	t.Helper()
	keys := map[string]string{}
	path := "/api/v0/organizations/" + w.a.ID + "/api-keys"
	fresh := func(why string) (key string) {
		made := w.call(t, w.stack.OperatorKey, "POST", path, map[string]any{"name": "ends", "scopes": []string{"users:read"}})
		keys[why] = text(made, "secret")
		return text(made, "api_key", "id")
	}
	w.call(t, w.stack.OperatorKey, "POST", path+"/"+fresh(revoked)+"/revoke", nil)
	w.database.exec(t, "UPDATE api_keys SET expires_at = now() - interval '1 hour' WHERE id = $1", uuidOf[id.APIKeyKind](t, fresh(expired)))
	w.database.exec(t, "UPDATE api_keys SET state = 'disabled' WHERE id = $1", uuidOf[id.APIKeyKind](t, fresh(disabled)))
	for why, state := range map[string]string{suspended: "suspended", removed: "removed"} {
		user, key := w.newUser(t, w.a, "admin")
		keys[why] = key
		w.database.exec(t, "UPDATE users SET state = $2 WHERE id = $1", uuidOf[id.UserKind](t, user), state)
	}
	for why, state := range map[string]string{orgSuspended: "suspended", orgDeleted: "deleted"} {
		p := w.newParty(t)
		keys[why] = p.key
		w.database.exec(t, "UPDATE organizations SET state = $2 WHERE id = $1", p.UUID, state)
	}
	keys[dataPlane] = w.token(t, w.a, "write")
	return keys
}

// token exchanges the party's key for a data-plane token.
func (w *world) token(t testing.TB, p *party, access string) string {
	t.Helper()
	return text(w.call(t, p.key, "POST", "/api/v0/auth/token", map[string]any{"access": access}), "token")
}

// call sends a request that must succeed, and returns the object of its answer.
func (w *world) call(t testing.TB, key, method, path string, body map[string]any, header ...string) map[string]any {
	t.Helper()
	r := &request{method: method, path: path, header: map[string][]string{}}
	if body != nil {
		r.body = encode(body)
	}
	for i := 0; i < len(header); i += 2 {
		r.header[header[i]] = []string{header[i+1]}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := w.do(ctx, r, &credential{header: bearer(key)})
	if err != nil {
		t.Fatal(err)
	}
	if !got.succeeded() {
		t.Fatalf("%s %s: %s", method, path, got.bytes())
	}
	out := map[string]any{}
	if len(got.body) > 0 {
		if err := json.Unmarshal(got.body, &out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return out
}

// text returns a text in an answer; "" when it is not there.
func text(object map[string]any, path ...string) string {
	for _, name := range path[:len(path)-1] {
		object, _ = object[name].(map[string]any)
	}
	s, _ := object[path[len(path)-1]].(string)
	return s
}

// uuidOf returns the stored form of an identifier.
func uuidOf[K id.Kind](t testing.TB, s string) string {
	t.Helper()
	v, err := id.Parse[K](s)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", s, err))
	}
	return v.UUID().String()
}
