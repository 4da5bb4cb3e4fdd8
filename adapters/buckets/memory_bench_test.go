package buckets_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/buckets"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// generous never refuses, and its buckets stay in use for a day.
var generous = ratelimit.Rate{Count: 1_000_000_000, Period: 24 * time.Hour, Burst: 1_000_000_000}

func chargesOf(n int, rate ratelimit.Rate) []ratelimit.Charge {
	charges := make([]ratelimit.Charge, n)
	for i := range charges {
		charges[i] = ratelimit.Charge{Bucket: ratelimit.BucketOf(uuid.Must(uuid.NewV7()), 1), Rate: rate, Cost: 1}
	}
	return charges
}

func BenchmarkMemory(b *testing.B) {
	for _, keys := range []int{1, 100_000} {
		for _, each := range []int{1, 2} {
			b.Run(fmt.Sprintf("keys=%d/charges=%d", keys, each), func(b *testing.B) {
				m := buckets.NewMemory()
				defer m.Close()
				charges := chargesOf(keys*each, generous)
				var d [1]ratelimit.Decision
				for _, c := range charges {
					c.Cost = generous.Burst / 10 // so that none becomes idle
					_ = m.Take(context.Background(), []ratelimit.Charge{c}, d[:])
				}
				var worker atomic.Uint64
				b.ReportAllocs()
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					decisions := make([]ratelimit.Decision, each)
					for i := worker.Add(1) * 7919; pb.Next(); i += 31 {
						at := int(i%uint64(keys)) * each
						_ = m.Take(context.Background(), charges[at:at+each], decisions)
					}
				})
			})
		}
	}
}
