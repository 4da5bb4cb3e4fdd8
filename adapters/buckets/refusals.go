package buckets

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

const (
	// rememberFor is for how long what the server said of a bucket is believed, and so for
	// how long one that was forgotten elsewhere may be refused; and for how long it is
	// remembered when nothing more is refused for it.
	rememberFor = time.Second

	// mostRemembered bounds the memory: what finds no room is asked again each time.
	mostRemembered = 1 << 14
)

// refusals remembers which buckets had nothing left, so that whoever goes on asking is
// refused without another question to the server: a flood of what is beyond a rate would
// else delay everybody's questions, until all of them took the server to be away.
//
// What it refuses the server would refuse too. A bucket only recovers with time, so that
// what it was ahead by is still the least that it can be ahead by; and what this process
// asks for meanwhile is counted as taken until the server has said otherwise.
type refusals struct {
	used  atomic.Int64 // how many are remembered: with none, which is the rule, nobody takes the lock
	mu    sync.Mutex
	of    map[ratelimit.Bucket]remembered
	swept time.Duration
}

// remembered is a bucket that had nothing left.
type remembered struct {
	tat   int64         // when it will have recovered, in nanoseconds on the clock of this process
	heard time.Duration // when the server said so
	last  time.Duration // when something was refused for it
}

// isOver tells whether nothing was refused for the bucket in a while: then nobody is to
// take the lock for it any more.
func (r remembered) isOver(now time.Duration) bool { return now-r.last >= rememberFor }

// answer writes what the buckets decide, when it is known that they refuse or have nothing
// left. Else the server is to be asked.
func (r *refusals) answer(now time.Duration, charges []ratelimit.Charge, decisions []ratelimit.Decision) bool {
	if r.used.Load() == 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	tats, next, old := make([]int64, len(charges)), make([]int64, len(charges)), false
	for i, c := range charges {
		if c.Rate.Unlimited() {
			continue
		}
		known, ok := r.of[c.Bucket]
		if !ok {
			return false
		}
		tats[i], old = known.tat, old || now-known.heard >= rememberFor
	}
	ratelimit.Take(charges, tats, int64(now), next, decisions)
	final := exhausted(charges, decisions)
	for i := range charges {
		old = old || next[i] < tats[i] // the rate was changed, and the server is to begin with it now
	}
	here := final && !old
	for i, c := range charges {
		if c.Rate.Unlimited() {
			continue
		}
		known := r.of[c.Bucket]
		if final {
			known.last = now
		}
		if !here {
			// One goes to the server. The others need not wait for what it finds out: they
			// are refused as they were, or by what it takes.
			known.tat, known.heard = next[i], now
		}
		r.of[c.Bucket] = known
	}
	return here
}

// hear remembers what the server has answered to a question of a time, when that is that
// nothing is left, or is about what is remembered.
func (r *refusals) hear(asked time.Duration, charges []ratelimit.Charge, ahead []int64, decisions []ratelimit.Decision) {
	final := exhausted(charges, decisions)
	if !final && r.used.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(asked)
	for i, c := range charges {
		if c.Rate.Unlimited() {
			continue
		}
		known, ok := r.of[c.Bucket]
		if !ok && (!final || len(r.of) >= mostRemembered) {
			continue
		}
		if final {
			known.last = asked
		}
		if known.isOver(asked) {
			delete(r.of, c.Bucket)
			continue
		}
		known.tat, known.heard = int64(asked)+ahead[i], asked
		r.of[c.Bucket] = known
	}
	r.used.Store(int64(len(r.of)))
}

// forget forgets buckets.
func (r *refusals) forget(buckets ...ratelimit.Bucket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range buckets {
		delete(r.of, b)
	}
	r.used.Store(int64(len(r.of)))
}

// sweep makes room once in a while.
func (r *refusals) sweep(now time.Duration) {
	if r.of == nil {
		r.of = map[ratelimit.Bucket]remembered{}
	}
	if now-r.swept < rememberFor {
		return
	}
	r.swept = now
	maps.DeleteFunc(r.of, func(_ ratelimit.Bucket, known remembered) bool { return known.isOver(now) })
}

// exhausted tells whether the decisions refuse, or say of what was only asked that nothing
// is left.
func exhausted(charges []ratelimit.Charge, decisions []ratelimit.Decision) bool {
	for i, c := range charges {
		if d := decisions[i]; !c.DryRun && !d.Allowed || c.Cost == 0 && d.Remaining == 0 {
			return true
		}
	}
	return false
}
