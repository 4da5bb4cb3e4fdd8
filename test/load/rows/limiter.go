package rows

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/go-chi/httprate"
	"github.com/google/uuid"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	"github.com/ulule/limiter/v3"
	ulule "github.com/ulule/limiter/v3/drivers/store/memory"
	"golang.org/x/time/rate"

	"github.com/bulkheadhq/bulkhead/adapters/buckets"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

// manyKeys is how many buckets there are when there is not just one.
const manyKeys = 100_000

// plenty is a limit that nobody comes near.
const plenty = 1_000_000_000

// limiterRow decides whether a request may pass, in this process: for one key and for
// many, by one goroutine and by two. Its ratio is the worst: of the time that a
// decision takes to that of the quickest of all others.
var limiterRow = bench.Comparison{
	Rows: []bench.Row{
		{Name: "limiter", Target: 1, Direction: bench.AtMost},
		{Name: "limiter-allocations", Target: 0, Direction: bench.AtMost},
		{Name: "limiter-bytes-a-key", Target: 50, Direction: bench.AtMost},
	},
	Measure: func(t *bench.T) []float64 {
		t.Round, t.Rounds = t.Round/30, 3*t.Rounds // a decision takes nanoseconds, and there are many sides
		var ratios []float64
		for _, keys := range []int{1, manyKeys} {
			names := make([]string, keys)
			for i := range names {
				names[i] = uuid.Must(uuid.NewV7()).String()
			}
			for _, goroutines := range []int{1, 2} {
				t.Logf("-- keys: %d, goroutines: %d", keys, goroutines)
				ratios = append(ratios, limiterRatios(t, names, goroutines)...)
			}
		}
		return []float64{slices.Max(ratios), limiterAllocations(), limiterBytes()}
	},
}

// decider decides once for the key at a place in the list that it was made of.
type decider func(key int)

// limiters are all that are compared, ours first.
var limiters = []struct {
	name string
	make func(t *bench.T, keys []string) decider
}{
	{"bulkhead", ofBulkhead},
	{"x/time in sync.Map", ofTimeInSyncMap},
	{"x/time in a map", ofTimeInMap},
	{"sethvargo", ofSethvargo},
	{"failsafe in sync.Map", ofFailsafe},
	{"httprate", ofHTTPRate},
	{"throttled", ofThrottled},
	{"ulule", ofUlule},
}

// limiterRatios returns how our time compares with that of each of the others.
func limiterRatios(t *bench.T, keys []string, goroutines int) []float64 {
	var sides []bench.Side
	for _, l := range limiters {
		decide := l.make(t, keys)
		for i := range keys {
			decide(i)
		}
		sides = append(sides, bench.Side{Name: l.name, Round: func() bench.Sample {
			return bench.Loop(t, func(n int) { inParallel(goroutines, n, len(keys), decide) })
		}})
	}
	series := bench.Interleave(t, sides...)
	var ratios []float64
	for _, other := range series[1:] {
		ratios = append(ratios, bench.Ratio(t, "ns/op", series[0], other))
	}
	return ratios
}

// inParallel decides n times in all, for keys that do not lie beside each other.
func inParallel(goroutines, n, keys int, decide decider) {
	const stride = 7919 // prime
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			key := g * keys / goroutines
			for range n / goroutines {
				decide(key)
				if key += stride; key >= keys {
					key %= keys
				}
			}
		})
	}
	all.Wait()
}

// charges returns a charge for each of n keys, whose buckets stay in use.
func charges(n int) []ratelimit.Charge {
	all := make([]ratelimit.Charge, n)
	for i := range all {
		all[i] = ratelimit.Charge{
			Bucket: ratelimit.BucketOf(uuid.Must(uuid.NewV7()), 1),
			Rate:   ratelimit.Rate{Count: plenty, Period: 24 * time.Hour, Burst: plenty},
			Cost:   1,
		}
	}
	return all
}

// used returns a store in which each bucket has been used for hours ahead.
func used(all []ratelimit.Charge) *buckets.Memory {
	store := buckets.NewMemory()
	var d [1]ratelimit.Decision
	for _, c := range all {
		c.Cost = plenty / 10
		_ = store.Take(context.Background(), []ratelimit.Charge{c}, d[:]) // it does not fail
	}
	return store
}

func ofBulkhead(t *bench.T, keys []string) decider {
	all := charges(len(keys))
	store := used(all)
	t.Cleanup(store.Close)
	ctx := t.Context()
	return func(key int) {
		var d [1]ratelimit.Decision
		_ = store.Take(ctx, all[key:key+1], d[:])
	}
}

func ofTimeInSyncMap(_ *bench.T, keys []string) decider {
	var all sync.Map
	return func(key int) {
		l, ok := all.Load(keys[key])
		if !ok {
			l, _ = all.LoadOrStore(keys[key], rate.NewLimiter(plenty, plenty))
		}
		l.(*rate.Limiter).Allow() //nolint:forcetypeassert // nothing else is stored
	}
}

func ofTimeInMap(_ *bench.T, keys []string) decider {
	var mu sync.RWMutex
	all := map[string]*rate.Limiter{}
	return func(key int) {
		mu.RLock()
		l, ok := all[keys[key]]
		mu.RUnlock()
		if !ok {
			mu.Lock()
			l = rate.NewLimiter(plenty, plenty)
			all[keys[key]] = l
			mu.Unlock()
		}
		l.Allow()
	}
}

func ofSethvargo(t *bench.T, keys []string) decider {
	store, err := memorystore.New(&memorystore.Config{Tokens: plenty, Interval: 24 * time.Hour})
	fatal(t, err)
	t.Cleanup(func() { _ = store.Close(context.Background()) })
	ctx := t.Context()
	return func(key int) { _, _, _, _, _ = store.Take(ctx, keys[key]) }
}

func ofFailsafe(_ *bench.T, keys []string) decider {
	var all sync.Map
	return func(key int) {
		l, ok := all.Load(keys[key])
		if !ok {
			l, _ = all.LoadOrStore(keys[key], ratelimiter.NewBursty[any](plenty, 24*time.Hour))
		}
		l.(ratelimiter.RateLimiter[any]).TryAcquirePermit() //nolint:forcetypeassert // nothing else is stored
	}
}

// ofHTTPRate does what its handler does, without the headers.
func ofHTTPRate(_ *bench.T, keys []string) decider {
	const window = 24 * time.Hour
	l := httprate.NewRateLimiter(plenty, window)
	return func(key int) {
		if ok, _, err := l.Status(keys[key]); ok && err == nil {
			_ = l.Counter().IncrementBy(keys[key], time.Now().UTC().Truncate(window), 1)
		}
	}
}

func ofThrottled(t *bench.T, keys []string) decider {
	store, err := memstore.NewCtx(0)
	fatal(t, err)
	l, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerDay(plenty), MaxBurst: plenty})
	fatal(t, err)
	ctx := t.Context()
	return func(key int) { _, _, _ = l.RateLimitCtx(ctx, keys[key], 1) } // which fails now and then, when two ask at once
}

func ofUlule(t *bench.T, keys []string) decider {
	l := limiter.New(ulule.NewStore(), limiter.Rate{Period: 24 * time.Hour, Limit: plenty})
	ctx := t.Context()
	return func(key int) { _, _ = l.Get(ctx, keys[key]) }
}

func fatal(t *bench.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// limiterAllocations returns how often a decision for an organization and its key
// allocates.
func limiterAllocations() float64 {
	all := charges(2)
	store := used(all)
	defer store.Close()
	var d [2]ratelimit.Decision
	return testing.AllocsPerRun(10_000, func() { _ = store.Take(context.Background(), all, d[:]) })
}

// limiterBytes returns how much memory a bucket takes when there are many.
func limiterBytes() float64 {
	all := charges(manyKeys)
	before := heapInUse()
	store := used(all)
	defer store.Close()
	after := heapInUse()
	runtime.KeepAlive(all)
	return float64(after-before) / manyKeys
}

func heapInUse() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
