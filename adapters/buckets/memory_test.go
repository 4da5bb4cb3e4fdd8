package buckets_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/bulkheadhq/bulkhead/adapters/buckets"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/ports/porttest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	t.Run("by a clock of the test's", func(t *testing.T) {
		t.Parallel()
		porttest.Buckets(t, func(*testing.T) porttest.BucketStore {
			var clock atomic.Int64
			m := buckets.NewMemoryAt(clock.Load)
			return porttest.BucketStore{
				Replica: func() ports.Buckets { return ticking{m, &clock} },
				Now:     func() time.Duration { return time.Duration(clock.Load()) },
				Pass:    func(by time.Duration) { clock.Add(int64(by)) },
			}
		})
	})
}

// ticking is a store whose clock moves on by 10 µs with each decision.
type ticking struct {
	*buckets.Memory
	clock *atomic.Int64
}

func (m ticking) Take(ctx context.Context, charges []ratelimit.Charge, decisions []ratelimit.Decision) error {
	m.clock.Add(int64(10 * time.Microsecond))
	return m.Memory.Take(ctx, charges, decisions)
}

// model is what a store should be: a map, one lock for all.
type model map[ratelimit.Bucket]int64

func (m model) take(charges []ratelimit.Charge, now int64, decisions []ratelimit.Decision) {
	tats, next := make([]int64, len(charges)), make([]int64, len(charges))
	for i, c := range charges {
		tats[i] = m[c.Bucket]
	}
	ratelimit.Take(charges, tats, now, next, decisions)
	for i, c := range charges {
		m[c.Bucket] = next[i]
	}
}

func TestMemoryTable(t *testing.T) {
	t.Parallel()

	t.Run("Should decide as a plain map does, whatever comes and goes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var clock int64 = 1
		m, plain := buckets.NewMemoryAt(func() int64 { return clock }), model{}
		rates := []ratelimit.Rate{
			{Count: 10, Period: time.Second, Burst: 3}, {Count: 1, Period: time.Second, Burst: 2}, {Count: 7, Period: time.Minute, Burst: 1},
		}
		random := rand.New(rand.NewPCG(1, 2))
		all := chargesOf(20_000, ratelimit.Rate{})
		for i := range all {
			all[i].Rate = rates[i%len(rates)]
		}
		for range 300_000 {
			clock += random.Int64N(int64(2 * time.Millisecond))
			from := random.IntN(len(all) - 6)
			charges := all[from : from+1+random.IntN(6)]
			for i := range charges {
				charges[i].Cost, charges[i].DryRun = random.Int64N(3), random.IntN(8) == 0
			}
			got, want := make([]ratelimit.Decision, len(charges)), make([]ratelimit.Decision, len(charges))
			is.NoErr(m.Take(t.Context(), charges, got))
			plain.take(charges, clock, want)
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("decided %+v, a map %+v", got[i], want[i])
				}
			}
			switch random.IntN(100) {
			case 0:
				is.NoErr(m.Forget(t.Context(), charges[0].Bucket))
				delete(plain, charges[0].Bucket)
			case 1:
				m.Sweep(random.IntN(buckets.ShardCount))
			}
		}
	})

	t.Run("Should spread buckets evenly, whatever they are named", func(t *testing.T) {
		t.Parallel()
		const n = 64 * buckets.ShardCount
		for name, put := range map[string]func(b *ratelimit.Bucket, i uint32){
			"addresses of IPv4": func(b *ratelimit.Bucket, i uint32) {
				binary.BigEndian.PutUint32(b[12:], i)
				b[10], b[11] = 0xff, 0xff
			},
			"networks of IPv6": func(b *ratelimit.Bucket, i uint32) { binary.BigEndian.PutUint32(b[4:], i) },
			"high bits only":   func(b *ratelimit.Bucket, i uint32) { binary.BigEndian.PutUint32(b[:], i) },
		} {
			var each [buckets.ShardCount]int
			m := buckets.NewMemoryAt(func() int64 { return 1 })
			for i := range uint32(n) {
				var b ratelimit.Bucket
				put(&b, i)
				each[m.Shard(b)]++
			}
			if most := slices.Max(each[:]); most > 2*n/buckets.ShardCount {
				t.Errorf("%s: %d of %d buckets in one of %d shards", name, most, n, buckets.ShardCount)
			}
		}
	})

	t.Run("Should give the place of an idle bucket to the next one", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var clock int64
		m := buckets.NewMemoryAt(func() int64 { return clock })
		var d [1]ratelimit.Decision
		charges := chargesOf(200_000, ratelimit.Rate{Count: 1000, Period: time.Second, Burst: 10})
		for i := range charges {
			clock += int64(time.Microsecond)
			is.NoErr(m.Take(t.Context(), charges[i:i+1], d[:]))
		}
		is.True(m.Cells() < 16*buckets.ShardCount) // about a thousand were in use at any time
	})

	t.Run("Should give memory back when it is swept", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var clock int64
		m := buckets.NewMemoryAt(func() int64 { return clock })
		var d [1]ratelimit.Decision
		charges := chargesOf(100_000, ratelimit.Rate{Count: 1, Period: time.Second, Burst: 1})
		charges[7].Rate.Period = time.Hour
		for i := range charges {
			is.NoErr(m.Take(t.Context(), charges[i:i+1], d[:]))
		}
		is.True(m.Cells() >= len(charges))
		clock += int64(time.Second)
		for i := range buckets.ShardCount {
			m.Sweep(i)
		}
		is.True(m.Cells() <= 16)
		is.NoErr(m.Take(t.Context(), charges[7:8], d[:]))
		is.True(!d[0].Allowed) // what is in use is kept
	})

	t.Run("Should bear a user who has read the clock before others", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		clock := int64(time.Hour)
		m := buckets.NewMemoryAt(func() int64 { return clock })
		c := chargesOf(1, ratelimit.Rate{Count: 1, Period: time.Second, Burst: 2})
		var d [1]ratelimit.Decision
		c[0].Cost = 2
		is.NoErr(m.Take(t.Context(), c, d[:]))
		clock -= int64(time.Second)
		c[0].Cost = 1
		is.NoErr(m.Take(t.Context(), c, d[:]))
		is.True(!d[0].Allowed)
		clock += int64(time.Second) // no time has passed in all
		is.NoErr(m.Take(t.Context(), c, d[:]))
		is.True(!d[0].Allowed)
	})
}

// TestMemoryCosts is not parallel: nothing else may allocate.
func TestMemoryCosts(t *testing.T) {
	t.Run("Should take at most 50 bytes for each bucket that is in use", func(t *testing.T) {
		for _, n := range []int{20_000, 100_000, 300_000} {
			if got := bytesEach(t, n); got > 50 {
				t.Errorf("%d buckets take %.1f bytes each", n, got)
			}
		}
	})

	t.Run("Should allocate nothing for a decision", func(t *testing.T) {
		m := buckets.NewMemoryAt(func() int64 { return 1 })
		var d [4]ratelimit.Decision
		for n := 1; n <= 4; n++ {
			charges := chargesOf(n, generous)
			if got := testing.AllocsPerRun(1000, func() { _ = m.Take(context.Background(), charges, d[:]) }); got != 0 {
				t.Errorf("%d charges: %v allocations", n, got)
			}
		}
	})
}

func TestNewMemory(t *testing.T) {
	t.Run("Should end what it started", func(t *testing.T) {
		is := is.New(t)
		known := goleak.IgnoreCurrent()
		m := buckets.NewMemory()
		var d [1]ratelimit.Decision
		is.NoErr(m.Take(t.Context(), chargesOf(1, generous), d[:]))
		is.True(d[0].Allowed)
		m.Close()
		goleak.VerifyNone(t, known)
	})
}

// bytesEach measures what a bucket takes when there are n.
func bytesEach(t *testing.T, n int) float64 {
	t.Helper()
	charges := chargesOf(n, generous)
	var d [1]ratelimit.Decision
	before := heap()
	m := buckets.NewMemoryAt(func() int64 { return 1 })
	for i := range charges {
		must(t, m.Take(t.Context(), charges[i:i+1], d[:]))
	}
	after := heap()
	runtime.KeepAlive(m)
	runtime.KeepAlive(charges)
	return float64(after-before) / float64(n)
}

func heap() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
