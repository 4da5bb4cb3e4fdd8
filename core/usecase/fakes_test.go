// Package usecase_test tests what the use cases decide themselves: who is let in,
// in which order ports are called, and what is left behind after a failure. What
// the database does is tested on the database.
package usecase_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// world stands for everything outside: it is every port, notes each call, and
// fails those it is told to. Each transaction runs twice, the first time in vain,
// as after a serialization failure.
type world struct {
	t    *testing.T
	now  time.Time
	fail map[string]error // by the name of the call

	mu    sync.Mutex
	calls []string
	inTx  bool
	rows

	starts     []workflow.Start
	blueprints []ports.Blueprint
}

// rows is what a transaction changes or leaves alone.
type rows struct {
	orgs     map[id.Org]org.Org
	users    map[id.User]user.User
	keys     map[id.APIKey]apikey.Key
	ops      map[id.Operation]operation.Operation
	trail    []audit.Entry
	messages []outbox.Message
}

func (r rows) clone() rows {
	return rows{
		maps.Clone(r.orgs), maps.Clone(r.users), maps.Clone(r.keys), maps.Clone(r.ops),
		slices.Clone(r.trail), slices.Clone(r.messages),
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{
		t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), fail: map[string]error{},
		rows: rows{map[id.Org]org.Org{}, map[id.User]user.User{}, map[id.APIKey]apikey.Key{}, map[id.Operation]operation.Operation{}, nil, nil},
	}
}

// Now is the clock's.
func (w *world) Now() time.Time { return w.now }

// call notes a call of a port.
func (w *world) call(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, name)
	return w.fail[name]
}

// remote notes a call that leaves the process.
func (w *world) remote(name string) error {
	if w.inTx {
		w.t.Errorf("%s is called inside a transaction", name)
	}
	return w.call(name)
}

func (w *world) addOrg(slug string, s org.State) id.Org {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := id.New[id.OrgKind]()
	w.orgs[i] = org.Restore(org.Snapshot{ID: i, Slug: slug, State: s, Namespace: "org-" + slug + "-" + i.Tail(8), Version: 1})
	return i
}

func (w *world) addUser(o id.Org, r authz.Role, s user.State) id.User {
	i := id.New[id.UserKind]()
	w.users[i] = user.Restore(user.Snapshot{ID: i, OrgID: o, Role: r, State: s, Version: 1, Email: i.String() + "@example.com"})
	return i
}

func (w *world) set(o id.Org, s org.State) {
	row := w.orgs[o]
	snapshot := row.Snapshot()
	snapshot.State = s
	w.orgs[o] = org.Restore(snapshot)
}

func (w *world) stateOf(o id.Org) org.State { row := w.orgs[o]; return row.State() }

func (w *world) operation(i id.Operation) operation.Snapshot { op := w.ops[i]; return op.Snapshot() }

// Reads and WriteTx are the store's.
func (w *world) Reads(o id.Org) ports.Reads { return reads{w, o} }

func (w *world) WriteTx(ctx context.Context, o id.Org, fn func(context.Context, ports.Tx) error) error {
	if err := w.call("WriteTx"); err != nil {
		return err
	}
	tx := ports.Tx{
		Orgs: orgWriter{w, o}, Users: userWriter{w, o}, APIKeys: keyWriter{w, o},
		Operations: operationWriter{w, o}, Audit: auditWriter{w, o}, Outbox: outboxWriter{w, o},
	}
	w.inTx = true
	defer func() { w.inTx = false }()
	before := w.clone()
	_ = fn(ctx, tx)
	w.rows = before.clone()
	if err := fn(ctx, tx); err != nil {
		w.rows = before
		return err
	}
	if err := w.fail["Commit"]; err != nil {
		w.rows = before
		return err
	}
	return nil
}

type reads struct {
	*world
	org id.Org
}

func (r reads) Org(context.Context) (org.Org, error) {
	if err := r.call("Reads.Org"); err != nil {
		return org.Org{}, err
	}
	return find(r.orgs, r.org)
}

func (r reads) User(_ context.Context, u id.User) (user.User, error) {
	if err := r.call("Reads.User"); err != nil {
		return user.User{}, err
	}
	return find(r.users, u)
}

func (r reads) Users(_ context.Context, p page.Request) (page.Page[user.User], error) {
	if err := r.call("Reads.Users"); err != nil {
		return page.Page[user.User]{}, err
	}
	var out []user.User
	for _, u := range r.users {
		if s := u.Snapshot(); s.OrgID == r.org && s.ID.String() > id.FromUUID[id.UserKind](p.After).String() {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b user.User) int { return bytes.Compare(raw(a), raw(b)) })
	// One to a page, so that whoever forgets the next page is found out.
	return page.Cut(out, 1, func(u user.User) uuid.UUID { return u.ID().UUID() }), nil
}

func raw(u user.User) []byte { v := u.ID().UUID(); return v[:] }

func (r reads) APIKey(_ context.Context, k id.APIKey) (apikey.Key, error) {
	if err := r.call("Reads.APIKey"); err != nil {
		return apikey.Key{}, err
	}
	return find(r.keys, k)
}

func (r reads) APIKeys(context.Context, page.Request) (page.Page[apikey.Key], error) {
	return page.Page[apikey.Key]{}, r.call("Reads.APIKeys")
}

func (r reads) Operation(_ context.Context, o id.Operation) (operation.Operation, error) {
	if err := r.call("Reads.Operation"); err != nil {
		return operation.Operation{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	op, err := find(r.ops, o)
	if err == nil && op.Snapshot().OrgID != r.org {
		return operation.Operation{}, fault.ErrNotFound
	}
	return op, err
}

func find[K comparable, V any](m map[K]V, k K) (V, error) {
	v, ok := m[k]
	if !ok {
		return v, fault.ErrNotFound
	}
	return v, nil
}

type (
	orgWriter struct {
		*world
		org id.Org
	}
	userWriter struct {
		*world
		org id.Org
	}
	keyWriter struct {
		*world
		org id.Org
	}
	operationWriter struct {
		*world
		org id.Org
	}
	auditWriter struct {
		*world
		org id.Org
	}
	outboxWriter struct {
		*world
		org id.Org
	}
)

func (w orgWriter) Insert(_ context.Context, o org.Org) error {
	if err := w.call("Orgs.Insert"); err != nil {
		return err
	}
	w.mine(o.ID(), w.org)
	for _, other := range w.orgs {
		if other.Snapshot().Slug == o.Snapshot().Slug {
			return org.ErrSlugTaken
		}
	}
	w.orgs[o.ID()] = o
	return nil
}

func (w orgWriter) Update(_ context.Context, fn func(*org.Org) error) error {
	if err := w.call("Orgs.Update"); err != nil {
		return err
	}
	return update(w.orgs, w.org, fn)
}

func (w userWriter) Insert(_ context.Context, u user.User) error {
	if err := w.call("Users.Insert"); err != nil {
		return err
	}
	w.mine(u.Snapshot().OrgID, w.org)
	w.users[u.ID()] = u
	return nil
}

func (w userWriter) Lock(_ context.Context, u id.User) (user.User, error) {
	if err := w.call("Users.Lock"); err != nil {
		return user.User{}, err
	}
	row, err := find(w.users, u)
	if err == nil && row.Snapshot().OrgID != w.org {
		return user.User{}, fault.ErrNotFound
	}
	return row, err
}

func (w keyWriter) Insert(_ context.Context, k apikey.Key) error {
	if err := w.call("APIKeys.Insert"); err != nil {
		return err
	}
	w.mine(k.Snapshot().OrgID, w.org)
	w.keys[k.Snapshot().ID] = k
	return nil
}

func (w keyWriter) Update(_ context.Context, k id.APIKey, fn func(*apikey.Key) error) error {
	if err := w.call("APIKeys.Update"); err != nil {
		return err
	}
	return update(w.keys, k, fn)
}

func (w operationWriter) Insert(_ context.Context, o operation.Operation) error {
	if err := w.call("Operations.Insert"); err != nil {
		return err
	}
	w.mine(o.Snapshot().OrgID, w.org)
	w.ops[o.Snapshot().ID] = o
	return nil
}

func (w operationWriter) Update(_ context.Context, o id.Operation, fn func(*operation.Operation) error) error {
	if err := w.call("Operations.Update"); err != nil {
		return err
	}
	return update(w.ops, o, fn)
}

func (w auditWriter) Append(_ context.Context, e audit.Entry) error {
	if err := w.call("Audit.Append"); err != nil {
		return err
	}
	w.mine(e.OrgID, w.org)
	w.trail = append(w.trail, e)
	return nil
}

func (w outboxWriter) Append(_ context.Context, m outbox.Message) error {
	if err := w.call("Outbox.Append"); err != nil {
		return err
	}
	w.mine(m.OrgID, w.org)
	w.messages = append(w.messages, m)
	return nil
}

func update[K comparable, V any](m map[K]V, k K, fn func(*V) error) error {
	v, err := find(m, k)
	if err != nil {
		return err
	}
	if err := fn(&v); err != nil {
		return err
	}
	m[k] = v
	return nil
}

// mine reports a row of another organization than the transaction's, which the
// database would refuse.
func (w *world) mine(row, scope id.Org) {
	if row != scope {
		w.t.Errorf("a row of %s in a transaction of %s", row, scope)
	}
}

// platform is the store across organizations.
type platform struct{ *world }

func (p platform) Org(_ context.Context, o id.Org) (org.Org, error) {
	if err := p.call("Platform.Org"); err != nil {
		return org.Org{}, err
	}
	return find(p.orgs, o)
}

func (p platform) OrgBySlug(_ context.Context, slug string) (org.Org, error) {
	if err := p.call("Platform.OrgBySlug"); err != nil {
		return org.Org{}, err
	}
	for _, o := range p.orgs {
		if o.Snapshot().Slug == slug {
			return o, nil
		}
	}
	return org.Org{}, fault.ErrNotFound
}

func (p platform) Orgs(context.Context, page.Request) (page.Page[org.Org], error) {
	return page.Page[org.Org]{}, p.call("Platform.Orgs")
}

func (p platform) ActiveOrgs(context.Context) ([]org.Org, error) {
	if err := p.call("Platform.ActiveOrgs"); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []org.Org
	for _, o := range p.orgs {
		if o.State() == org.Active && o.ID() != id.SystemOrg {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b org.Org) int { return bytes.Compare([]byte(a.ID().String()), []byte(b.ID().String())) })
	return out, nil
}

func (p platform) Operation(_ context.Context, o id.Operation) (operation.Operation, error) {
	if err := p.call("Platform.Operation"); err != nil {
		return operation.Operation{}, err
	}
	return find(p.ops, o)
}

// temporal is the dispatcher and the namespaces.
type temporal struct{ *world }

func (d temporal) Start(_ context.Context, namespace string, _ authz.Actor, s workflow.Start) (workflow.Execution, error) {
	d.starts = append(d.starts, s)
	return workflow.Execution{ID: s.ID}, d.remote("Start " + namespace)
}

func (d temporal) Describe(_ context.Context, namespace, workflowID, runID string) (workflow.Execution, error) {
	return workflow.Execution{ID: workflowID, RunID: runID}, d.remote("Describe " + namespace)
}

func (d temporal) Result(_ context.Context, namespace, workflowID, runID string, _ time.Duration) (workflow.Result, error) {
	return workflow.Result{ID: workflowID, RunID: runID}, d.remote("Result " + namespace)
}

func (d temporal) Ensure(_ context.Context, b ports.Blueprint) error {
	d.blueprints = append(d.blueprints, b)
	return d.remote("Ensure " + b.Namespace)
}

func (d temporal) EnsureSearchAttributes(_ context.Context, namespace string) error {
	return d.remote("EnsureSearchAttributes " + namespace)
}

func (d temporal) Probe(_ context.Context, namespace string) error {
	return d.remote("Probe " + namespace)
}

// keyring is the signing keys and their cryptography, in clear.
type keyring struct {
	*world
	stored []signing.Key
	wrote  [][]signing.Key
	signed []signing.Claims
	made   int
}

func (k *keyring) List(context.Context) ([]signing.Key, error) {
	if err := k.call("List"); err != nil {
		return nil, err
	}
	return slices.Clone(k.stored), nil
}

func (k *keyring) Change(_ context.Context, fn func([]signing.Key) ([]signing.Key, error)) error {
	if err := k.call("Change"); err != nil {
		return err
	}
	changed, err := fn(slices.Clone(k.stored))
	if err != nil {
		return err
	}
	k.wrote = append(k.wrote, changed)
	for _, c := range changed {
		k.stored = slices.DeleteFunc(k.stored, func(s signing.Key) bool { return s.ID == c.ID })
		if c.State != signing.Retired {
			k.stored = append(k.stored, c)
		}
		active := 0
		for _, s := range k.stored {
			if s.State == signing.Active {
				active++
			}
		}
		if active > 1 {
			k.t.Error("two keys are active between two writes")
		}
	}
	return nil
}

func (k *keyring) Generate(s signing.State, now time.Time) (signing.Key, error) {
	if err := k.call("Generate"); err != nil {
		return signing.Key{}, err
	}
	k.made++
	return signing.Key{ID: string(rune('a' + k.made - 1)), State: s, CreatedAt: now, ChangedAt: now, Sealed: []byte("s")}, nil
}

func (k *keyring) Sign(s signing.Key, c signing.Claims) (string, error) {
	if err := k.call("Sign"); err != nil {
		return "", err
	}
	k.signed = append(k.signed, c)
	return s.ID + "." + c.Permission, nil
}

func (k *keyring) KeySet(keys []signing.Key) ([]byte, error) {
	var out []byte
	for _, s := range keys {
		out = append(out, s.ID...)
	}
	return out, k.call("KeySet")
}

func peppers(t *testing.T) apikey.Peppers {
	t.Helper()
	p, err := apikey.NewPeppers(map[int16][]byte{1: bytes.Repeat([]byte{1}, 32), 2: bytes.Repeat([]byte{2}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// holder returns the actor behind a user's key; no scopes are all of the role's.
func holder(o id.Org, r authz.Role, scopes ...authz.Permission) authz.Actor {
	return authz.NewKeyActor(authz.KeyHolder{
		Org: o, OrgSlug: "own", User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Role: r, Scopes: authz.SetOf(scopes...),
	})
}

// pass lets time go by in a bubble of synctest, where it costs none.
func pass(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // the time is the bubble's

func operator() authz.Actor { return holder(id.SystemOrg, authz.Operator) }

var random = rand.Reader
