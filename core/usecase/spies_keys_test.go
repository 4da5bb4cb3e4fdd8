package usecase_test

import (
	"context"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/pool"
	"github.com/bulkheadhq/bulkhead/core/usage"
	"github.com/bulkheadhq/bulkhead/ports"
)

type keyUses struct {
	*spy
	real ports.KeyUses
}

func (u keyUses) Record(ctx context.Context, uses []apikey.Use) error {
	return done(u.spy, "Record", func() error { return u.real.Record(ctx, uses) })
}

func (u keyUses) Rehash(ctx context.Context, o id.Org, k id.APIKey, from, to apikey.Versioned) error {
	return done(u.spy, "Rehash", func() error { return u.real.Rehash(ctx, o, k, from, to) })
}

// failure is what a call is to fail with.
func (s *spy) failure(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail[name]
}

// feed notes no calls, as they are many, but fails those that it is told to.
type feed struct {
	*spy
	real ports.CredentialFeed
}

func (f feed) Since(ctx context.Context, cursor ports.CredentialCursor) (ports.CredentialChanges, ports.CredentialCursor, error) {
	if err := f.failure("Since"); err != nil {
		return ports.CredentialChanges{}, cursor, err
	}
	return f.real.Since(ctx, cursor)
}

func (f feed) Written(o id.Org) uint64 { return f.real.Written(o) }

func (f feed) WrittenUntil() func(id.Org) uint64 { return f.real.WrittenUntil() }

func (f feed) Wait(ctx context.Context, limit time.Duration) error { return f.real.Wait(ctx, limit) }

// members notes no waiting, as it never ends.
type members struct {
	*spy
	real ports.WorkerMembers
}

func (m members) Hold(ctx context.Context, pool, member string, lease time.Duration) error {
	return done(m.spy, "Hold", func() error { return m.real.Hold(ctx, pool, member, lease) })
}

func (m members) Leave(ctx context.Context, pool, member string) error {
	return done(m.spy, "Leave", func() error { return m.real.Leave(ctx, pool, member) })
}

func (m members) Leases(ctx context.Context) ([]pool.Lease, error) {
	return asked(m.spy, "Members.Leases", func() ([]pool.Lease, error) { return m.real.Leases(ctx) })
}

func (m members) All(ctx context.Context) (map[string][]string, error) {
	return asked(m.spy, "Members.All", func() (map[string][]string, error) { return m.real.All(ctx) })
}

func (m members) Wait(ctx context.Context, limit time.Duration) error { return m.real.Wait(ctx, limit) }

type keyCensus struct {
	*spy
	real ports.KeyCensus
}

func (c keyCensus) Peppers(ctx context.Context, now time.Time) (map[int16]int64, error) {
	return asked(c.spy, "Peppers", func() (map[int16]int64, error) { return c.real.Peppers(ctx, now) })
}

func (c keyCensus) DueWarnings(ctx context.Context, now time.Time, limit int) ([]apikey.Ref, error) {
	return asked(c.spy, "DueWarnings", func() ([]apikey.Ref, error) { return c.real.DueWarnings(ctx, now, limit) })
}

// usageHours can also lose the answer to what it has added.
type usageHours struct {
	*spy
	real ports.UsageHours
}

func (u usageHours) Add(ctx context.Context, b usage.Batch) error {
	return done(u.spy, "UsageHours.Add", func() error {
		err := u.real.Add(ctx, b)
		if lost := u.call("UsageHours.Add answered"); lost != nil {
			return lost
		}
		return err
	})
}

func (u usageHours) Erase(ctx context.Context, limit int) (int, error) {
	return asked(u.spy, "UsageHours.Erase", func() (int, error) { return u.real.Erase(ctx, limit) })
}

// meter keeps what was counted.
type meter struct {
	mu      sync.Mutex
	warned  []int
	secrets map[int16]int64
	leaks   []string
	dropped int
	cache   func() ports.CacheStats

	limited       []string // by the limit and whose it is
	blind         int
	limitWarnings []limit.Name

	tallies  []namespace.Tally // of whole passes, as they were told
	ended    time.Time
	repaired int
}

func (m *meter) NamespacesSeen(t namespace.Tally, ended time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tallies, m.ended = append(m.tallies, t), ended
}

func (m *meter) NamespaceRepaired() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.repaired++
}

func (m *meter) WatchCache(read func() ports.CacheStats) { m.cache = read }

func (m *meter) ExpiryWarned(days int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.warned = append(m.warned, days)
}

func (m *meter) SecretsByPepper(secrets map[int16]int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.secrets = secrets
}

func (m *meter) LeakReported(source string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leaks = append(m.leaks, source)
}

func (m *meter) UsesDropped(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropped += n
}
