package usecase_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usage"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// spy notes each call of a port and fails those it is told to. The types below
// put it around the real adapters; they embed no port, so that a method that is
// new does not go past them.
type spy struct {
	t testing.TB

	mu      sync.Mutex
	calls   []string
	fail    map[string]error
	watched map[string]chan struct{}
	inTx    bool
}

func newSpy(t testing.TB) *spy {
	return &spy{t: t, fail: map[string]error{}, watched: map[string]chan struct{}{}}
}

func (s *spy) call(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, name)
	if ch, ok := s.watched[name]; ok {
		close(ch)
		delete(s.watched, name)
	}
	return s.fail[name]
}

// remote notes a call that leaves the process.
func (s *spy) remote(name string) error {
	s.mu.Lock()
	inTx := s.inTx
	s.mu.Unlock()
	if inTx {
		s.t.Errorf("%s is called inside a transaction", name)
	}
	return s.call(name)
}

func (s *spy) called() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *spy) count(name string) int {
	n := 0
	for _, c := range s.called() {
		if c == name {
			n++
		}
	}
	return n
}

func (s *spy) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// breaks lets a call fail from now on, or "Commit"; mends ends that.
func (s *spy) breaks(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[name] = err
}

func (s *spy) mends(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fail, name)
}

// watch returns a channel that is closed at the next call.
func (s *spy) watch(name string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := make(chan struct{})
	s.watched[name] = ch
	return ch
}

func (s *spy) transaction(begins bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if begins && s.inTx {
		s.t.Error("a transaction inside a transaction")
	}
	s.inTx = begins
}

// asked notes a call that answers, and asks the real port unless it is to fail.
func asked[T any](s *spy, name string, ask func() (T, error)) (T, error) {
	if err := s.call(name); err != nil {
		var none T
		return none, err
	}
	return ask()
}

// done is asked for a call that answers nothing else.
func done(s *spy, name string, do func() error) error {
	if err := s.call(name); err != nil {
		return err
	}
	return do()
}

// errInVain ends a transaction that is run for nothing but to be rolled back, as
// after a serialization failure.
var errInVain = errors.New("rolled back, to be run again")

type store struct {
	*spy
	real ports.Store
}

func (s store) Reads(o id.Org) ports.Reads { return reads{s.spy, s.real.Reads(o)} }

// WriteTx runs fn twice, the first time in vain: it must be repeatable.
func (s store) WriteTx(ctx context.Context, o id.Org, fn func(context.Context, ports.Tx) error) error {
	if err := s.call("WriteTx"); err != nil {
		return err
	}
	s.transaction(true)
	defer s.transaction(false)
	err := s.real.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		_ = fn(ctx, s.watching(tx))
		return errInVain
	})
	if !errors.Is(err, errInVain) {
		return err
	}
	return s.real.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		if err := fn(ctx, s.watching(tx)); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.fail["Commit"]
	})
}

func (s store) watching(tx ports.Tx) ports.Tx {
	return ports.Tx{
		Orgs: orgWriter{s.spy, tx.Orgs}, Users: userWriter{s.spy, tx.Users}, Roles: roleWriter{s.spy, tx.Roles}, APIKeys: keyWriter{s.spy, tx.APIKeys},
		Operations: operationWriter{s.spy, tx.Operations}, Schedules: scheduleWriter{s.spy, tx.Schedules}, Dispatches: dispatchWriter{s.spy, tx.Dispatches}, Audit: auditWriter{s.spy, tx.Audit}, Outbox: outboxWriter{s.spy, tx.Outbox},
	}
}

type reads struct {
	*spy
	real ports.Reads
}

func (r reads) Org(ctx context.Context) (org.Org, error) {
	return asked(r.spy, "Reads.Org", func() (org.Org, error) { return r.real.Org(ctx) })
}

func (r reads) OrgCounts(ctx context.Context) (org.Counts, error) {
	return asked(r.spy, "Reads.OrgCounts", func() (org.Counts, error) { return r.real.OrgCounts(ctx) })
}

func (r reads) User(ctx context.Context, u id.User) (user.User, error) {
	return asked(r.spy, "Reads.User", func() (user.User, error) { return r.real.User(ctx, u) })
}

// Users gives one to a page, so that whoever forgets the next page is found out.
func (r reads) Users(ctx context.Context, f user.Filter, p page.Request) (page.Page[user.User], error) {
	p.Limit = 1
	return asked(r.spy, "Reads.Users", func() (page.Page[user.User], error) { return r.real.Users(ctx, f, p) })
}

func (r reads) APIKey(ctx context.Context, k id.APIKey) (apikey.Key, error) {
	return asked(r.spy, "Reads.APIKey", func() (apikey.Key, error) { return r.real.APIKey(ctx, k) })
}

func (r reads) APIKeys(ctx context.Context, f apikey.Filter, p page.Request) (page.Page[apikey.Key], error) {
	return asked(r.spy, "Reads.APIKeys", func() (page.Page[apikey.Key], error) { return r.real.APIKeys(ctx, f, p) })
}

func (r reads) Role(ctx context.Context, i id.Role) (role.Role, error) {
	return asked(r.spy, "Reads.Role", func() (role.Role, error) { return r.real.Role(ctx, i) })
}

func (r reads) RoleByName(ctx context.Context, name string) (role.Role, error) {
	return asked(r.spy, "Reads.RoleByName", func() (role.Role, error) { return r.real.RoleByName(ctx, name) })
}

func (r reads) Roles(ctx context.Context, p page.Request) (page.Page[role.Role], error) {
	return asked(r.spy, "Reads.Roles", func() (page.Page[role.Role], error) { return r.real.Roles(ctx, p) })
}

func (r reads) Operations(ctx context.Context, p page.Request) (page.Page[operation.Operation], error) {
	return asked(r.spy, "Reads.Operations", func() (page.Page[operation.Operation], error) { return r.real.Operations(ctx, p) })
}

func (r reads) Usage(ctx context.Context, f usage.Filter, p page.Request) (page.Page[usage.Sum], error) {
	return asked(r.spy, "Reads.Usage", func() (page.Page[usage.Sum], error) { return r.real.Usage(ctx, f, p) })
}

func (r reads) Operation(ctx context.Context, o id.Operation) (operation.Operation, error) {
	return asked(r.spy, "Reads.Operation", func() (operation.Operation, error) { return r.real.Operation(ctx, o) })
}

type (
	orgWriter struct {
		*spy
		real ports.OrgWriter
	}
	userWriter struct {
		*spy
		real ports.UserWriter
	}
	roleWriter struct {
		*spy
		real ports.RoleWriter
	}
	keyWriter struct {
		*spy
		real ports.APIKeyWriter
	}
	operationWriter struct {
		*spy
		real ports.OperationWriter
	}
	auditWriter struct {
		*spy
		real ports.AuditWriter
	}
	outboxWriter struct {
		*spy
		real ports.OutboxWriter
	}
)

func (w orgWriter) Insert(ctx context.Context, o org.Org) error {
	return done(w.spy, "Orgs.Insert", func() error { return w.real.Insert(ctx, o) })
}

func (w orgWriter) Lock(ctx context.Context) (org.Org, error) {
	return asked(w.spy, "Orgs.Lock", func() (org.Org, error) { return w.real.Lock(ctx) })
}

func (w orgWriter) Counts(ctx context.Context) (org.Counts, error) {
	return asked(w.spy, "Orgs.Counts", func() (org.Counts, error) { return w.real.Counts(ctx) })
}

func (w orgWriter) Update(ctx context.Context, fn func(*org.Org) error) error {
	return done(w.spy, "Orgs.Update", func() error { return w.real.Update(ctx, fn) })
}

// Purge takes one row of a table at a time, so that whoever forgets the next is
// found out.
func (w orgWriter) Purge(ctx context.Context, _ int) (int64, error) {
	return asked(w.spy, "Orgs.Purge", func() (int64, error) { return w.real.Purge(ctx, 1) })
}

func (w userWriter) Insert(ctx context.Context, u user.User) error {
	return done(w.spy, "Users.Insert", func() error { return w.real.Insert(ctx, u) })
}

func (w userWriter) Lock(ctx context.Context, u id.User) (user.User, error) {
	return asked(w.spy, "Users.Lock", func() (user.User, error) { return w.real.Lock(ctx, u) })
}

func (w userWriter) LockAll(ctx context.Context, ids []id.User) ([]user.User, error) {
	return asked(w.spy, "Users.LockAll", func() ([]user.User, error) { return w.real.LockAll(ctx, ids) })
}

func (w userWriter) CountActive(ctx context.Context, r authz.Role) (int, error) {
	return asked(w.spy, "Users.CountActive", func() (int, error) { return w.real.CountActive(ctx, r) })
}

func (w userWriter) InsertAll(ctx context.Context, us []user.User) ([]id.User, error) {
	return asked(w.spy, "Users.InsertAll", func() ([]id.User, error) { return w.real.InsertAll(ctx, us) })
}

func (w userWriter) UpdateAll(ctx context.Context, us []user.User) error {
	return done(w.spy, "Users.UpdateAll", func() error { return w.real.UpdateAll(ctx, us) })
}

func (w roleWriter) Insert(ctx context.Context, r role.Role) error {
	return done(w.spy, "Roles.Insert", func() error { return w.real.Insert(ctx, r) })
}

func (w roleWriter) Update(ctx context.Context, r id.Role, fn func(*role.Role) error) error {
	return done(w.spy, "Roles.Update", func() error { return w.real.Update(ctx, r, fn) })
}

func (w roleWriter) Delete(ctx context.Context, r id.Role) error {
	return done(w.spy, "Roles.Delete", func() error { return w.real.Delete(ctx, r) })
}

func (w keyWriter) Insert(ctx context.Context, k apikey.Key) error {
	return done(w.spy, "APIKeys.Insert", func() error { return w.real.Insert(ctx, k) })
}

func (w keyWriter) Update(ctx context.Context, k id.APIKey, fn func(*apikey.Key) error) error {
	return done(w.spy, "APIKeys.Update", func() error { return w.real.Update(ctx, k, fn) })
}

func (w keyWriter) Delete(ctx context.Context, k id.APIKey, fn func(*apikey.Key) error) error {
	return done(w.spy, "APIKeys.Delete", func() error { return w.real.Delete(ctx, k, fn) })
}

func (w operationWriter) Insert(ctx context.Context, o operation.Operation) error {
	return done(w.spy, "Operations.Insert", func() error { return w.real.Insert(ctx, o) })
}

func (w operationWriter) Update(ctx context.Context, o id.Operation, fn func(*operation.Operation) error) error {
	return done(w.spy, "Operations.Update", func() error { return w.real.Update(ctx, o, fn) })
}

func (w operationWriter) UpdateOpen(ctx context.Context, k operation.Kind, fn func(*operation.Operation) error) error {
	return done(w.spy, "Operations.UpdateOpen", func() error { return w.real.UpdateOpen(ctx, k, fn) })
}

func (w auditWriter) Append(ctx context.Context, e audit.Entry) error {
	canBeFound(w.t, e)
	return done(w.spy, "Audit.Append", func() error { return w.real.Append(ctx, e) })
}

func (w auditWriter) Purge(ctx context.Context, many int) (int64, error) {
	return asked(w.spy, "Audit.Purge", func() (int64, error) { return w.real.Purge(ctx, many) })
}

func (w outboxWriter) Append(ctx context.Context, m outbox.Message) error {
	return done(w.spy, "Outbox.Append", func() error { return w.real.Append(ctx, m) })
}

type platform struct {
	*spy
	real ports.Platform
}

func (p platform) Org(ctx context.Context, o id.Org) (org.Org, error) {
	return asked(p.spy, "Platform.Org", func() (org.Org, error) { return p.real.Org(ctx, o) })
}

func (p platform) OrgBySlug(ctx context.Context, slug string) (org.Org, error) {
	return asked(p.spy, "Platform.OrgBySlug", func() (org.Org, error) { return p.real.OrgBySlug(ctx, slug) })
}

func (p platform) Orgs(ctx context.Context, f org.Filter, r page.Request) (page.Page[org.Org], error) {
	return asked(p.spy, "Platform.Orgs", func() (page.Page[org.Org], error) { return p.real.Orgs(ctx, f, r) })
}

func (p platform) ActiveOrgs(ctx context.Context) ([]org.Org, error) {
	return asked(p.spy, "Platform.ActiveOrgs", func() ([]org.Org, error) { return p.real.ActiveOrgs(ctx) })
}

func (p platform) Operation(ctx context.Context, o id.Operation) (operation.Operation, error) {
	return asked(p.spy, "Platform.Operation", func() (operation.Operation, error) { return p.real.Operation(ctx, o) })
}

// credentials can also stand for a store that searches more loosely than it
// should, or that holds what the schema rules out.
type credentials struct {
	*spy
	real  ports.Credentials
	twist func(*apikey.Credential)
}

func (c *credentials) Find(ctx context.Context, candidates []apikey.Versioned) (apikey.Credential, error) {
	found, err := asked(c.spy, "Find", func() (apikey.Credential, error) { return c.real.Find(ctx, candidates) })
	if err == nil && c.twist != nil {
		c.twist(&found)
	}
	return found, err
}

type mailbox struct {
	*spy
	real ports.Outbox
}

func (m mailbox) Claim(ctx context.Context, now time.Time, limit int, lease time.Duration) ([]outbox.Message, error) {
	return asked(m.spy, "Claim", func() ([]outbox.Message, error) { return m.real.Claim(ctx, now, limit, lease) })
}

func (m mailbox) Done(ctx context.Context, i id.Message) error {
	return done(m.spy, "Done", func() error { return m.real.Done(ctx, i) })
}

func (m mailbox) Retry(ctx context.Context, i id.Message, at time.Time, reason string) error {
	return done(m.spy, "Retry", func() error { return m.real.Retry(ctx, i, at, reason) })
}

func (m mailbox) Wait(ctx context.Context, limit time.Duration) error {
	return done(m.spy, "Wait", func() error { return m.real.Wait(ctx, limit) })
}

// keyring notes the keys that were stored as well.
type keyring struct {
	*spy
	real  ports.SigningKeys
	wrote [][]signing.Key
}

func (k *keyring) List(ctx context.Context) ([]signing.Key, error) {
	return asked(k.spy, "List", func() ([]signing.Key, error) { return k.real.List(ctx) })
}

// Change runs fn twice, the first time in vain.
func (k *keyring) Change(ctx context.Context, fn func([]signing.Key) ([]signing.Key, error)) error {
	if err := k.call("Change"); err != nil {
		return err
	}
	err := k.real.Change(ctx, func(keys []signing.Key) ([]signing.Key, error) {
		_, _ = fn(keys)
		return nil, errInVain
	})
	if !errors.Is(err, errInVain) {
		return err
	}
	var changed []signing.Key
	err = k.real.Change(ctx, func(keys []signing.Key) ([]signing.Key, error) {
		var err error
		changed, err = fn(slices.Clone(keys))
		k.oneSigns(keys, changed)
		return changed, err
	})
	if err == nil {
		k.wrote = append(k.wrote, changed)
	}
	return err
}

// oneSigns reports keys that would be active together between two writes.
func (k *keyring) oneSigns(keys, changed []signing.Key) {
	active := map[string]bool{}
	for _, key := range slices.Concat(keys, changed) {
		delete(active, key.ID)
		if key.State == signing.Active {
			active[key.ID] = true
		}
		if len(active) > 1 {
			k.t.Error("two keys are active between two writes")
		}
	}
}

// made returns the identifiers of all keys that were ever stored, oldest first.
func (k *keyring) made() []string {
	var ids []string
	for _, key := range slices.Concat(k.wrote...) {
		if !slices.Contains(ids, key.ID) {
			ids = append(ids, key.ID)
		}
	}
	return ids
}

type crypto struct {
	*spy
	real   ports.TokenCrypto
	signed []signing.Claims
}

func (c *crypto) Generate(s signing.State, now time.Time) (signing.Key, error) {
	return asked(c.spy, "Generate", func() (signing.Key, error) { return c.real.Generate(s, now) })
}

func (c *crypto) Sign(k signing.Key, claims signing.Claims) (string, error) {
	c.mu.Lock()
	c.signed = append(c.signed, claims)
	c.mu.Unlock()
	return asked(c.spy, "Sign", func() (string, error) { return c.real.Sign(k, claims) })
}

func (c *crypto) KeySet(keys []signing.Key) ([]byte, error) {
	return asked(c.spy, "KeySet", func() ([]byte, error) { return c.real.KeySet(keys) })
}
