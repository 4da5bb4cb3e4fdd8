package buckets

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// TestRefusals asks a server that is a Memory, and moves the clock by hand.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const each = 10 * time.Second // from one that is let through to the next
	rate := ratelimit.Rate{Count: 6, Period: time.Minute, Burst: 2}

	type replica struct {
		refusals
		asked int // questions to the server
	}
	var now time.Duration
	clock := func(d time.Duration) { now += d }
	begin := func() (*Memory, *replica) {
		now = time.Hour
		return NewMemoryAt(func() int64 { return int64(now) }), &replica{}
	}
	charge := func(cost int64) ratelimit.Charge {
		return ratelimit.Charge{Bucket: ratelimit.BucketOf(uuid.Must(uuid.NewV7()), 1), Rate: rate, Cost: cost}
	}
	costing := func(c ratelimit.Charge, cost int64) ratelimit.Charge {
		c.Cost = cost
		return c
	}
	take := func(server *Memory, r *replica, charges ...ratelimit.Charge) []ratelimit.Decision {
		decisions := make([]ratelimit.Decision, len(charges))
		if r.answer(now, charges, decisions) {
			return decisions
		}
		r.asked++
		_ = server.Take(t.Context(), charges, decisions)
		ahead := make([]int64, len(charges))
		for i, d := range decisions {
			ahead[i] = int64(d.ResetAfter)
		}
		r.hear(now, charges, ahead, decisions)
		return decisions
	}

	t.Run("Should refuse by itself what the server has just refused, and ask once a second whether it is so", func(t *testing.T) {
		is := is.New(t)
		server, r := begin()
		c := charge(2)
		is.True(take(server, r, c)[0].Allowed)
		is.Equal(take(server, r, c)[0].RetryAfter, 2*each)
		r.asked = 0
		for range 3 {
			for range 100 {
				is.Equal(take(server, r, c)[0].RetryAfter, 2*each+time.Hour-now)
				is.Equal(take(server, r, costing(c, 0))[0].Remaining, int64(0)) // who only asks, too
			}
			clock(rememberFor)
		}
		is.Equal(r.asked, 2)
	})

	t.Run("Should refuse nothing that the server would let through", func(t *testing.T) {
		is := is.New(t)
		server, r := begin()
		c := charge(2)
		take(server, r, costing(c, 1))
		is.True(!take(server, r, c)[0].Allowed)
		is.True(take(server, r, costing(c, 1))[0].Allowed) // a smaller cost
		is.Equal(take(server, r, charge(0))[0].Remaining, int64(2))
		is.True(take(server, r, charge(1))[0].Allowed) // another bucket
		d := take(server, r, costing(c, 1))[0]
		is.True(!d.Allowed)
		clock(d.RetryAfter - 1)
		is.True(!take(server, r, costing(c, 1))[0].Allowed)
		clock(1)
		is.True(take(server, r, costing(c, 1))[0].Allowed) // when the refusal said
		dry := costing(c, 1)
		dry.DryRun = true
		r.asked = 0
		is.True(!take(server, r, dry)[0].Allowed)
		is.Equal(r.asked, 1) // a dry run refuses nothing, so it saves nothing
		is.True(take(server, r, ratelimit.Charge{Cost: 7}, charge(1))[1].Allowed)
	})

	t.Run("Should count what it is asking for as taken, so that not all ask at once when there is something again", func(t *testing.T) {
		is := is.New(t)
		server, r := begin()
		c := []ratelimit.Charge{charge(1)}
		take(server, r, costing(c[0], 2))
		take(server, r, c...)
		clock(each)
		var d [1]ratelimit.Decision
		is.True(!r.answer(now, c, d[:])) // it goes to the server, and while it is on its way
		is.True(r.answer(now, c, d[:]))
		is.Equal(d[0].RetryAfter, each)
	})

	t.Run("Should feel a rate that was changed at once", func(t *testing.T) {
		is := is.New(t)
		server, r := begin()
		c := charge(2)
		take(server, r, c)
		is.True(!take(server, r, c)[0].Allowed)
		c.Rate, c.Cost = ratelimit.Rate{Count: 100, Period: time.Second, Burst: 2}, 1 // a cost of one recovers within 10 ms
		r.asked = 0
		d := take(server, r, c)[0]
		is.Equal(d.RetryAfter, 10*time.Millisecond) // as a bucket is never ahead by more than its burst
		is.Equal(r.asked, 1)                        // the server begins to count by it, too
		is.True(!take(server, r, c)[0].Allowed)
		is.Equal(r.asked, 1)
		clock(d.RetryAfter)
		is.True(take(server, r, c)[0].Allowed)
		c.Rate.Burst = 4
		is.True(take(server, r, c)[0].Allowed)
	})

	t.Run("Should answer for several only when it knows of all", func(t *testing.T) {
		is := is.New(t)
		server, r := begin()
		full, other := charge(2), charge(1)
		take(server, r, full)
		is.True(!take(server, r, full)[0].Allowed)
		r.asked = 0
		d := take(server, r, full, other)
		is.True(!d[0].Allowed)
		is.Equal(d[1].Remaining, int64(2))
		is.Equal(r.asked, 1)
		is.Equal(take(server, r, full, other), d)
		is.Equal(r.asked, 1)
	})

	t.Run("Should believe for a second at most what was forgotten elsewhere, and nothing of what was forgotten here", func(t *testing.T) {
		is := is.New(t)
		server, r := begin()
		c := charge(2)
		take(server, r, c)
		is.True(!take(server, r, c)[0].Allowed)
		is.NoErr(server.Forget(t.Context(), c.Bucket))
		is.True(!take(server, r, c)[0].Allowed)
		clock(rememberFor)
		is.True(take(server, r, c)[0].Allowed)
		is.True(!take(server, r, c)[0].Allowed)
		is.NoErr(server.Forget(t.Context(), c.Bucket))
		r.forget(c.Bucket)
		is.True(take(server, r, c)[0].Allowed)
	})

	t.Run("Should forget whom nothing is refused any more, asking or not, so that nobody takes the lock", func(t *testing.T) {
		is := is.New(t)
		server, r := begin()
		c, gone := charge(2), charge(2)
		for _, full := range []ratelimit.Charge{c, gone} {
			take(server, r, full)
			is.True(!take(server, r, full)[0].Allowed)
		}
		is.Equal(r.used.Load(), int64(2))
		clock(2 * each) // all of it is there again
		for range 2 {
			is.True(take(server, r, costing(c, 1))[0].Allowed)
		}
		is.Equal(r.used.Load(), int64(0))
	})

	t.Run("Should remember as long as something is refused, however often something is let through", func(t *testing.T) {
		is := is.New(t)
		server, r := begin()
		c := charge(1)
		c.Rate = ratelimit.Rate{Count: 10, Period: time.Second, Burst: 1}
		const seconds = 5
		for range seconds * 1000 {
			take(server, r, c)
			clock(time.Millisecond)
		}
		is.True(r.asked <= 2+seconds*10) // what is let through
	})

	t.Run("Should not grow without bound, and make room", func(t *testing.T) {
		is := is.New(t)
		server, r := begin()
		refuse := func(n int) {
			for range n {
				take(server, r, charge(3))
			}
		}
		refuse(mostRemembered + 100)
		is.Equal(len(r.of), mostRemembered)
		clock(rememberFor)
		refuse(1)
		is.Equal(len(r.of), 1)
	})
}
