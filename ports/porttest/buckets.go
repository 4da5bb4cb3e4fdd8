package porttest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/ports"
)

// BucketStore is a store of buckets with its clock.
type BucketStore struct {
	Replica func() ports.Buckets   // as one more replica sees the same buckets
	Now     func() time.Duration   // by the clock of the store
	Pass    func(by time.Duration) // returns when the clock has moved on
}

// OpenBuckets makes a store without buckets, which ends with the test.
type OpenBuckets func(t *testing.T) BucketStore

// slow is a rate by which nothing recovers while a test runs.
func slow(burst int64) ratelimit.Rate {
	return ratelimit.Rate{Count: 1, Period: 24 * time.Hour, Burst: burst}
}

// quick is a rate by which a cost of one recovers within 50 ms.
var quick = ratelimit.Rate{Count: 20, Period: time.Second, Burst: 4}

func aCharge(r ratelimit.Rate, cost int64) ratelimit.Charge {
	return ratelimit.Charge{Bucket: ratelimit.BucketOf(uuid.Must(uuid.NewV7()), 1), Rate: r, Cost: cost}
}

func costing(c ratelimit.Charge, cost int64) ratelimit.Charge {
	c.Cost = cost
	return c
}

func dry(c ratelimit.Charge) ratelimit.Charge {
	c.DryRun = true
	return c
}

// take takes from one replica, and returns what the buckets answered. Any goroutine
// may call it.
func take(t *testing.T, b ports.Buckets, charges ...ratelimit.Charge) []ratelimit.Decision {
	t.Helper()
	decisions := make([]ratelimit.Decision, len(charges))
	if err := b.Take(t.Context(), charges, decisions); err != nil {
		t.Error(err)
	}
	return decisions
}

// remaining asks what a bucket holds.
func remaining(t *testing.T, b ports.Buckets, c ratelimit.Charge) int64 {
	t.Helper()
	return take(t, b, costing(c, 0))[0].Remaining
}

// Buckets checks ports.Buckets.
func Buckets(t *testing.T, open OpenBuckets) {
	store := open(t)
	t.Run("One", func(t *testing.T) { bucketsOne(t, store) })
	t.Run("Time", func(t *testing.T) { bucketsTime(t, store) })
	t.Run("Several", func(t *testing.T) { bucketsSeveral(t, store) })
	t.Run("Contention", func(t *testing.T) { bucketsContention(t, store) })
}

func bucketsOne(t *testing.T, store BucketStore) {
	b := store.Replica()

	should(t, "let the burst through at once, and then nothing", func(t *testing.T, is *is.I) {
		c := aCharge(slow(3), 1)
		for left := range int64(3) {
			d := take(t, b, c)[0]
			is.True(d.Allowed)
			is.Equal(d.Remaining, 2-left)
			is.Equal(d.RetryAfter, time.Duration(0))
			is.True(d.ResetAfter > time.Duration(left)*24*time.Hour)
		}
		d := take(t, b, c)[0]
		is.True(!d.Allowed)
		is.Equal(d.Remaining, int64(0))
		is.True(d.RetryAfter > 0 && d.RetryAfter <= 24*time.Hour)
		is.True(d.ResetAfter > 2*24*time.Hour)
	})

	should(t, "take a cost whole or not at all", func(t *testing.T, is *is.I) {
		c := aCharge(slow(5), 3)
		is.True(take(t, b, c)[0].Allowed)
		is.True(!take(t, b, c)[0].Allowed)
		is.Equal(remaining(t, b, c), int64(2)) // the refusal took nothing
		is.True(take(t, b, costing(c, 2))[0].Allowed)
	})

	should(t, "only ask with a cost of 0", func(t *testing.T, is *is.I) {
		c := aCharge(slow(2), 0)
		for range 5 {
			is.Equal(take(t, b, c)[0], ratelimit.Decision{Allowed: true, Remaining: 2})
		}
		is.True(take(t, b, costing(c, 2))[0].Allowed)
		is.True(take(t, b, c)[0].Allowed) // it costs nothing, and is let through even now
	})

	should(t, "never let a cost above the burst through, and say so", func(t *testing.T, is *is.I) {
		c := aCharge(slow(2), 3)
		d := take(t, b, c)[0]
		is.True(!d.Allowed)
		is.True(d.RetryAfter > 0)
		is.Equal(remaining(t, b, c), int64(2))
		is.True(!take(t, b, costing(c, 1<<62))[0].Allowed)
	})

	should(t, "let everything through without a limit", func(t *testing.T, is *is.I) {
		is.True(take(t, b, aCharge(ratelimit.Rate{}, 1<<62))[0].Allowed)
	})

	should(t, "tell buckets apart by whose they are and what they limit", func(t *testing.T, is *is.I) {
		whose := uuid.Must(uuid.NewV7())
		for kind := range uint8(16) {
			c := ratelimit.Charge{Bucket: ratelimit.BucketOf(whose, kind), Rate: slow(1), Cost: 1}
			is.True(take(t, b, c)[0].Allowed)
			is.True(!take(t, b, c)[0].Allowed)
		}
	})

	should(t, "show each replica the same buckets", func(t *testing.T, is *is.I) {
		c, other := aCharge(slow(2), 1), store.Replica()
		is.True(take(t, b, c)[0].Allowed)
		is.True(take(t, other, c)[0].Allowed)
		is.True(!take(t, b, c)[0].Allowed)
		is.True(!take(t, other, c)[0].Allowed)
	})

	should(t, "forget buckets, those that it does not know, too", func(t *testing.T, is *is.I) {
		c, kept := aCharge(slow(2), 2), aCharge(slow(2), 2)
		take(t, b, c)
		take(t, b, kept)
		must(t, b.Forget(t.Context()))
		must(t, store.Replica().Forget(t.Context(), c.Bucket, aCharge(slow(1), 1).Bucket))
		is.Equal(take(t, b, costing(c, 0))[0], ratelimit.Decision{Allowed: true, Remaining: 2})
		is.Equal(remaining(t, b, kept), int64(0))
		is.True(take(t, b, c)[0].Allowed)
		is.True(!take(t, b, c)[0].Allowed)
	})
}

func bucketsTime(t *testing.T, store BucketStore) {
	b := store.Replica()

	should(t, "let a refused cost through when the refusal says", func(t *testing.T, is *is.I) {
		for _, cost := range []int64{1, 3, 4} {
			c := aCharge(quick, cost)
			d := take(t, b, c)[0]
			for d.Allowed { // which ends, as nobody can be slow each time
				d = take(t, b, c)[0]
			}
			is.True(d.RetryAfter > 0 && d.RetryAfter <= time.Duration(cost)*50*time.Millisecond)
			store.Pass(d.RetryAfter)
			is.True(take(t, b, c)[0].Allowed)
		}
	})

	should(t, "be as if never used when it says, and save up no more than the burst", func(t *testing.T, is *is.I) {
		c := aCharge(quick, 4)
		d := take(t, b, c)[0]
		store.Pass(d.ResetAfter)
		is.Equal(take(t, b, costing(c, 0))[0], ratelimit.Decision{Allowed: true, Remaining: 4})
		store.Pass(d.ResetAfter)
		d = take(t, b, c)[0]
		is.True(d.Allowed)
		is.Equal(d.Remaining, int64(0))
	})

	should(t, "feel a rate that was raised at once", func(t *testing.T, is *is.I) {
		c := aCharge(slow(2), 2)
		is.True(take(t, b, c)[0].Allowed)
		c.Rate = quick
		d := take(t, b, c)[0]
		is.True(!d.Allowed)
		is.Equal(d.RetryAfter, 100*time.Millisecond)
		store.Pass(d.RetryAfter)
		is.True(take(t, b, c)[0].Allowed)
	})
}

func bucketsSeveral(t *testing.T, store BucketStore) {
	b := store.Replica()

	should(t, "take from all", func(t *testing.T, is *is.I) {
		for _, n := range []int{2, 3, 9} {
			var charges []ratelimit.Charge
			for i := range n {
				charges = append(charges, aCharge(slow(10), int64(i)+1))
			}
			for i, d := range take(t, b, charges...) {
				is.True(d.Allowed)
				is.Equal(d.Remaining, 9-int64(i)) // in the order of the charges
				is.Equal(remaining(t, b, charges[i]), 9-int64(i))
			}
		}
	})

	should(t, "take nothing from any when one refuses, wherever it stands", func(t *testing.T, is *is.I) {
		for at := range 3 {
			charges := []ratelimit.Charge{aCharge(slow(5), 2), aCharge(slow(5), 2), aCharge(slow(5), 2)}
			charges[at].Cost = 6
			for i, d := range take(t, b, charges...) {
				is.Equal(d.Allowed, i != at)
				is.Equal(d.Remaining, int64(5))
				is.Equal(d.RetryAfter > 0, i == at)
				is.Equal(remaining(t, b, charges[i]), int64(5))
			}
		}
	})

	should(t, "refuse nothing for a dry run, and say what it would have refused", func(t *testing.T, is *is.I) {
		tried, held := dry(aCharge(slow(2), 2)), aCharge(slow(5), 2)
		is.True(take(t, b, tried, held)[0].Allowed)
		d := take(t, b, tried, held)
		is.True(!d[0].Allowed && d[0].RetryAfter > 0)
		is.True(d[1].Allowed)
		is.Equal(d[1].Remaining, int64(1))
		is.Equal(remaining(t, b, tried), int64(0)) // what it would have refused takes nothing
	})

	should(t, "charge no dry run for what another refused", func(t *testing.T, is *is.I) {
		tried, held := dry(aCharge(slow(5), 2)), aCharge(slow(1), 2)
		d := take(t, b, tried, held)
		is.Equal(d[0], ratelimit.Decision{Allowed: true, Remaining: 5})
		is.True(!d[1].Allowed)
		is.Equal(remaining(t, b, tried), int64(5))
	})

	should(t, "go on past a charge without a limit", func(t *testing.T, is *is.I) {
		free, held := aCharge(ratelimit.Rate{}, 7), aCharge(slow(2), 1)
		d := take(t, b, free, held)
		is.True(d[0].Allowed && d[1].Allowed)
		is.Equal(remaining(t, b, held), int64(1))
	})
}

const contenders = 16

// contend runs one function at once for each of the replicas.
func contend(t *testing.T, store BucketStore, do func(b ports.Buckets, i int)) {
	t.Helper()
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range contenders {
		b := store.Replica()
		all.Go(func() {
			<-start
			do(b, i)
		})
	}
	close(start)
	all.Wait()
}

func bucketsContention(t *testing.T, store BucketStore) {
	should(t, "let through the burst and no more, however many ask at once", func(t *testing.T, is *is.I) {
		c := aCharge(slow(100), 1)
		var through atomic.Int64
		contend(t, store, func(b ports.Buckets, i int) {
			cost := int64(i%3) + 1
			for range 30 {
				if take(t, b, costing(c, cost))[0].Allowed {
					through.Add(cost)
				}
			}
		})
		is.Equal(through.Load(), int64(100)) // as costs of 1 use up what is left
	})

	should(t, "let through the burst and what has recovered, and no more", func(t *testing.T, is *is.I) {
		c := aCharge(ratelimit.Rate{Count: 2000, Period: time.Second, Burst: 50}, 1)
		var through atomic.Int64
		began := store.Now()
		contend(t, store, func(b ports.Buckets, _ int) {
			for range 100 {
				if take(t, b, c)[0].Allowed {
					through.Add(1)
				}
			}
		})
		took := store.Now() - began
		is.True(through.Load() >= 50)
		is.True(through.Load() <= 50+1+int64(took*2000/time.Second))
	})

	should(t, "take from all or none, in whatever order they are named", func(t *testing.T, is *is.I) {
		charges := []ratelimit.Charge{aCharge(slow(60), 1), aCharge(slow(90), 1), aCharge(slow(90), 1)}
		var through atomic.Int64
		contend(t, store, func(b ports.Buckets, i int) {
			mine := []ratelimit.Charge{charges[i%3], charges[(i+1)%3], charges[(i+2)%3]}
			for range 20 {
				all := true
				for _, d := range take(t, b, mine...) {
					all = all && d.Allowed
				}
				if all {
					through.Add(1)
				}
			}
		})
		is.Equal(through.Load(), int64(60))
		b := store.Replica()
		is.Equal(remaining(t, b, charges[0]), int64(0))
		is.Equal(remaining(t, b, charges[1]), int64(30)) // a refusal took nothing from it
		is.Equal(remaining(t, b, charges[2]), int64(30))
	})
}
