package usecase_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/buckets"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

func (m *meter) Limited(n limit.Name, t limit.Tier, dryRun bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limited = append(m.limited, fmt.Sprintf("%s %s %t", n, t, dryRun))
}

func (m *meter) LimiterUnavailable() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blind++
}

func (m *meter) LimitWarned(n limit.Name) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limitWarnings = append(m.limitWarnings, n)
}

// bucketStore is the real buckets in memory, by a clock that a test moves.
type bucketStore struct {
	*spy
	real  *buckets.Memory
	spare *buckets.Memory // of the process itself
	now   atomic.Int64
}

func newBucketStore(s *spy) *bucketStore {
	b := &bucketStore{spy: s}
	b.now.Store(int64(time.Hour))
	b.real, b.spare = buckets.NewMemoryAt(b.now.Load), buckets.NewMemoryAt(b.now.Load)
	return b
}

func (b *bucketStore) pass(d time.Duration) { b.now.Add(int64(d)) }

func (b *bucketStore) Take(ctx context.Context, charges []ratelimit.Charge, decisions []ratelimit.Decision) error {
	if err := b.remote("Buckets.Take"); err != nil {
		return err
	}
	return b.real.Take(ctx, charges, decisions)
}

func (b *bucketStore) Forget(ctx context.Context, which ...ratelimit.Bucket) error {
	if err := b.remote("Buckets.Forget"); err != nil {
		return err
	}
	return b.real.Forget(ctx, which...)
}

func (w roleWriter) Named(ctx context.Context, names []string) ([]string, error) {
	return asked(w.spy, "Roles.Named", func() ([]string, error) { return w.real.Named(ctx, names) })
}
