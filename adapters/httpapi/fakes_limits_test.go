package httpapi

import (
	"context"
	"sync"

	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

func (*memory) Limited(limit.Name, limit.Tier, bool) {}
func (*memory) LimiterUnavailable()                  {}
func (*memory) LimitWarned(limit.Name)               {}

// bucketStore is a bucket store that is asked by one goroutine at a time, and whose
// clock stands still.
type bucketStore struct {
	mu      sync.Mutex
	tats    map[ratelimit.Bucket]int64
	failure error
}

func (s *bucketStore) Take(_ context.Context, charges []ratelimit.Charge, decisions []ratelimit.Decision) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return s.failure
	}
	if s.tats == nil {
		s.tats = map[ratelimit.Bucket]int64{}
	}
	tats, next := make([]int64, len(charges)), make([]int64, len(charges))
	for i := range charges {
		tats[i] = s.tats[charges[i].Bucket]
	}
	ratelimit.Take(charges, tats, 1, next, decisions)
	for i := range charges {
		s.tats[charges[i].Bucket] = next[i]
	}
	return nil
}

func (s *bucketStore) Forget(_ context.Context, which ...ratelimit.Bucket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range which {
		delete(s.tats, b)
	}
	return nil
}

func (w roleWrites) Named(ctx context.Context, names []string) (found []string, _ error) {
	for _, name := range names {
		if _, err := w.Reads(w.org).RoleByName(ctx, name); err == nil {
			found = append(found, name)
		}
	}
	return found, nil
}
