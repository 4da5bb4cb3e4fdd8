package usecase_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/role"
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
