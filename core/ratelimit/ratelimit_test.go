package ratelimit_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

const ms = int64(time.Millisecond)

func TestTake(t *testing.T) {
	t.Parallel()
	tenth := ratelimit.Rate{Count: 10, Period: time.Second, Burst: 3} // one each 100 ms
	for _, c := range []struct {
		name           string
		rate           ratelimit.Rate
		tat, now, cost int64
		next           int64
		want           ratelimit.Decision
	}{
		{"let the first through", tenth, 0, 1000 * ms, 1, 1100 * ms, ratelimit.Decision{Allowed: true, Remaining: 2, ResetAfter: 100 * time.Millisecond}},
		{"let the burst through at once", tenth, 0, 1000 * ms, 3, 1300 * ms, ratelimit.Decision{Allowed: true, ResetAfter: 300 * time.Millisecond}},
		{"let the last of the burst through", tenth, 1200 * ms, 1000 * ms, 1, 1300 * ms, ratelimit.Decision{Allowed: true, ResetAfter: 300 * time.Millisecond}},
		{
			"refuse what is a nanosecond early", tenth, 1300*ms - 1, 1100*ms - 2, 2, 1300*ms - 1,
			ratelimit.Decision{Remaining: 0, RetryAfter: 100*time.Millisecond + 1, ResetAfter: 200*time.Millisecond + 1},
		},
		{"let through what is just in time", tenth, 1300 * ms, 1200 * ms, 2, 1500 * ms, ratelimit.Decision{Allowed: true, ResetAfter: 300 * time.Millisecond}},
		{"say how much is left of what is too little", tenth, 1100 * ms, 1000 * ms, 3, 1100 * ms, ratelimit.Decision{Remaining: 2, RetryAfter: 100 * time.Millisecond, ResetAfter: 100 * time.Millisecond}},
		{"only ask with a cost of 0", tenth, 1300 * ms, 1000 * ms, 0, 1300 * ms, ratelimit.Decision{Allowed: true, ResetAfter: 300 * time.Millisecond}},
		{"create nothing by asking", tenth, 0, 1000 * ms, 0, 0, ratelimit.Decision{Allowed: true, Remaining: 3}},
		{"take a negative cost as 0", tenth, 1300 * ms, 1000 * ms, -5, 1300 * ms, ratelimit.Decision{Allowed: true, ResetAfter: 300 * time.Millisecond}},
		{"never let a cost above the burst through", tenth, 0, 1000 * ms, 4, 0, ratelimit.Decision{Remaining: 3, RetryAfter: 1}},
		{"advise to wait for the whole burst then", tenth, 1200 * ms, 1000 * ms, math.MaxInt64, 1200 * ms, ratelimit.Decision{Remaining: 1, RetryAfter: 200 * time.Millisecond, ResetAfter: 200 * time.Millisecond}},
		{"forget what was long ago", tenth, 1000 * ms, 5000 * ms, 1, 5100 * ms, ratelimit.Decision{Allowed: true, Remaining: 2, ResetAfter: 100 * time.Millisecond}},
		{"be no further ahead than the rate", tenth, math.MaxInt64, 1000 * ms, 1, 1300 * ms, ratelimit.Decision{RetryAfter: 100 * time.Millisecond, ResetAfter: 300 * time.Millisecond}},
		{"let everything through without a limit", ratelimit.Rate{}, 7, 9, math.MaxInt64, 7, ratelimit.Decision{Allowed: true, Remaining: math.MaxInt64}},
		{"have a burst of one at least", ratelimit.Rate{Count: 1, Period: time.Second}, 0, 1000 * ms, 1, 2000 * ms, ratelimit.Decision{Allowed: true, ResetAfter: time.Second}},
		{"round a third up", ratelimit.Rate{Count: 3, Period: time.Second, Burst: 3}, 0, 0, 3, 1_000_000_002, ratelimit.Decision{Allowed: true, ResetAfter: time.Second + 2}},
	} {
		t.Run("Should "+c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			next, d := c.rate.Take(c.tat, c.now, c.cost)
			is.Equal(d, c.want)
			is.Equal(next, c.next)
		})
	}
}

// through is a cost that was let through.
type through struct{ at, cost int64 }

// tooMuch looks for a stretch of time in which more was let through than the burst
// and what the rate allows for it.
func tooMuch(r ratelimit.Rate, all []through) bool {
	for i := range all {
		sum := new(big.Int)
		for _, x := range all[i:] {
			sum.Add(sum, big.NewInt(x.cost))
			over := new(big.Int).Sub(sum, big.NewInt(max(1, r.Burst)))
			earned := new(big.Int).Mul(big.NewInt(x.at-all[i].at), big.NewInt(r.Count))
			if over.Mul(over, big.NewInt(int64(r.Period))).Cmp(earned) > 0 {
				return true
			}
		}
	}
	return false
}

// run takes at random from one bucket and checks each decision by itself. It returns
// what was let through.
func run(t *testing.T, r ratelimit.Rate, random *rand.Rand, steps int) (all []through) {
	t.Helper()
	tat, now := int64(0), random.Int64N(1<<50)
	each, retry := int64(r.Period)/r.Count+1, int64(0)
	for range steps {
		switch random.IntN(4) {
		case 0: // the clock stands still
		case 1:
			now += random.Int64N(each)
		case 2: // somebody comes back when he was told
			now += retry
		default:
			now += random.Int64N(4 * each)
		}
		cost := random.Int64N(max(1, r.Burst) + 2)
		next, d := r.Take(tat, now, cost)
		if again, e := r.Take(tat, now, cost); again != next || e != d {
			t.Fatal("the same question had two answers")
		}
		if d.Allowed != (d.RetryAfter == 0) || d.Remaining < 0 || d.Remaining > max(1, r.Burst) {
			t.Fatalf("%+v of %+v", d, r)
		}
		if d.Allowed {
			all = append(all, through{now, cost})
		} else if cost <= r.Burst {
			if _, e := r.Take(tat, now+int64(d.RetryAfter), cost); !e.Allowed {
				t.Fatalf("waiting for %v was not enough: %+v", d.RetryAfter, e)
			}
			if _, e := r.Take(tat, now+int64(d.RetryAfter)-1, cost); e.Allowed {
				t.Fatalf("waiting for %v was too long", d.RetryAfter)
			}
		}
		if _, e := r.Take(next, now, d.Remaining); !e.Allowed {
			t.Fatalf("%d do not remain", d.Remaining)
		}
		if _, e := r.Take(next, now, d.Remaining+1); e.Allowed {
			t.Fatalf("more than %d remain", d.Remaining)
		}
		if _, e := r.Take(next, now+int64(d.ResetAfter), 0); e.ResetAfter != 0 {
			t.Fatalf("waiting for %v did not reset it", d.ResetAfter)
		}
		tat, retry = next, int64(d.RetryAfter)
	}
	return all
}

func TestTakeProperties(t *testing.T) {
	t.Parallel()
	t.Run("Should never let through more than the burst and what has recovered", func(t *testing.T) {
		t.Parallel()
		random := rand.New(rand.NewPCG(3, 4))
		for range 2000 {
			r := ratelimit.Rate{Count: 1 + random.Int64N(1<<random.IntN(30)), Period: time.Duration(1 + random.Int64N(int64(24*time.Hour)))}
			r.Burst = min(r.Count, random.Int64N(1+int64(1)<<random.IntN(8)))
			if all := run(t, r, random, 60); tooMuch(r, all) {
				t.Fatalf("%+v let through %v", r, all)
			}
		}
	})

	t.Run("Should let through what the rate says, but for the rounding", func(t *testing.T) {
		t.Parallel()
		for _, r := range []ratelimit.Rate{
			{Count: 3, Period: time.Second, Burst: 1}, {Count: 60_000, Period: time.Minute, Burst: 6_000}, {Count: 7, Period: 24 * time.Hour, Burst: 7},
		} {
			is := is.New(t)
			var tat, n int64
			for now := int64(0); now < 100*int64(r.Period); {
				next, d := r.Take(tat, now, 1)
				tat = next
				if d.Allowed {
					n++
				}
				now += int64(d.RetryAfter)
			}
			is.True(n >= 100*r.Count-1)       // the rounding costs nothing that is felt
			is.True(n <= 100*r.Count+r.Burst) // a burst, and what the rate allows
		}
	})

	t.Run("Should find that a rate which is rounded down lets through too much", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		wrong := ratelimit.Rate{Count: 1, Period: time.Second / 3, Burst: 1}
		right := ratelimit.Rate{Count: 3, Period: time.Second, Burst: 1}
		is.True(tooMuch(right, run(t, wrong, rand.New(rand.NewPCG(1, 2)), 1000)))
	})
}

func TestCoarse(t *testing.T) {
	t.Parallel()
	t.Run("Should be a multiple of the unit, and never faster", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		unit := 100 * time.Nanosecond
		for _, c := range []struct {
			rate ratelimit.Rate
			each time.Duration
		}{
			{ratelimit.Rate{Count: 3, Period: time.Second, Burst: 2}, 333_333_400},
			{ratelimit.Rate{Count: 10, Period: time.Second, Burst: 2}, 100 * time.Millisecond},
			{ratelimit.Rate{Count: 1_000_000_000, Period: time.Second, Burst: 2}, unit},
		} {
			got := c.rate.Coarse(unit)
			is.Equal(got, ratelimit.Rate{Count: 1, Period: c.each, Burst: 2})
		}
		is.True(ratelimit.Rate{}.Coarse(unit).Unlimited())
	})
}

func TestTakeAll(t *testing.T) {
	t.Parallel()
	wide, narrow := ratelimit.Rate{Count: 1, Period: time.Second, Burst: 9}, ratelimit.Rate{Count: 1, Period: time.Second, Burst: 2}
	second := int64(time.Second)
	for _, c := range []struct {
		name    string
		charges []ratelimit.Charge
		tats    []int64
		next    []int64
		allowed []bool
	}{
		{"take from all", []ratelimit.Charge{{Rate: wide, Cost: 1}, {Rate: narrow, Cost: 2}}, []int64{0, 0}, []int64{second, 2 * second}, []bool{true, true}},
		{"take from none when one refuses", []ratelimit.Charge{{Rate: wide, Cost: 1}, {Rate: narrow, Cost: 2}}, []int64{0, 1}, []int64{0, 1}, []bool{true, false}},
		{"go on past a dry run that refuses", []ratelimit.Charge{{Rate: narrow, Cost: 3, DryRun: true}, {Rate: wide, Cost: 1}}, []int64{0, 0}, []int64{0, second}, []bool{false, true}},
		{"bring back all that are too far ahead", []ratelimit.Charge{{Rate: narrow, Cost: 1}, {Rate: wide, Cost: 1}}, []int64{99 * second, 99 * second}, []int64{2 * second, 9 * second}, []bool{false, false}},
		{"do nothing for nothing", nil, nil, []int64{}, nil},
	} {
		t.Run("Should "+c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			next, decisions := make([]int64, len(c.charges)), make([]ratelimit.Decision, len(c.charges))
			ratelimit.Take(c.charges, c.tats, 0, next, decisions)
			is.Equal(next, c.next)
			for i, d := range decisions {
				is.Equal(d.Allowed, c.allowed[i])
			}
		})
	}
}

func TestBucket(t *testing.T) {
	t.Parallel()
	t.Run("Should differ by whose it is and by the kind", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		known := map[ratelimit.Bucket]bool{}
		for range 200 {
			u := uuid.Must(uuid.NewV7())
			for kind := range uint8(16) {
				b := ratelimit.BucketOf(u, kind)
				is.True(!known[b])
				known[b] = true
			}
		}
	})

	t.Run("Should not change the identifier, and take kinds that do not fit as one", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		u := uuid.Must(uuid.NewV7())
		before := u
		is.Equal(ratelimit.BucketOf(u, 200), ratelimit.BucketOf(u, 15))
		is.Equal(u, before)
	})

	t.Run("Should be one for a customer's addresses, and never an identifier's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		of := func(s string) ratelimit.Bucket { return ratelimit.BucketOfAddress(netip.MustParseAddr(s)) }
		is.Equal(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"))
		is.Equal(of("192.0.2.1"), of("::ffff:192.0.2.1"))
		is.Equal(of("fe80::1%eth0"), of("fe80::2"))
		distinct := map[ratelimit.Bucket]bool{}
		for _, s := range []string{"2001:db8:1:2::1", "2001:db8:1:3::1", "192.0.2.1", "192.0.2.2", "::1"} {
			distinct[of(s)] = true
		}
		is.Equal(len(distinct), 5)
		for b := range distinct {
			is.True(uuid.UUID(b).Variant() != uuid.RFC4122) // which each of our identifiers is of
		}
	})
}

func FuzzTake(f *testing.F) {
	f.Add(int64(10), int64(time.Second), int64(3), int64(0), int64(1000), int64(1))
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(1)<<62, int64(math.MaxInt64))
	f.Add(int64(1), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MinInt64), int64(0), int64(math.MinInt64))
	f.Add(int64(3), int64(math.MinInt64), int64(-1), int64(-1), int64(5), int64(2))
	f.Fuzz(func(t *testing.T, count, period, burst, tat, now, cost int64) {
		if now < 0 || now > 1<<62 {
			return
		}
		for _, r := range []ratelimit.Rate{
			{Count: count, Period: time.Duration(period), Burst: burst},
			ratelimit.Rate{Count: count, Period: time.Duration(period), Burst: burst}.Coarse(100),
		} {
			next, d := r.Take(tat, now, cost)
			if d.Remaining < 0 || d.RetryAfter < 0 || d.ResetAfter < 0 || d.Allowed != (d.RetryAfter == 0) {
				t.Fatalf("%+v: %+v", r, d)
			}
			if r.Unlimited() {
				continue
			}
			if next != tat && (next < now || next-now != int64(d.ResetAfter)) {
				t.Fatalf("%+v: the bucket became %d at %d: %+v", r, next, now, d)
			}
			if _, e := r.Take(next, now, 0); !e.Allowed || e.Remaining != d.Remaining {
				t.Fatalf("%+v: %+v, then %+v", r, d, e)
			}
		}
	})
}
