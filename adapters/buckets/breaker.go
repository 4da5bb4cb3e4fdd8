package buckets

import (
	"sync/atomic"
	"time"
)

const (
	// tripAfter is after how many failures in a row a server counts as away.
	tripAfter = 3

	// askSoon is how long it then is left alone at first: it may have been this process
	// that had no time for the answers, and meanwhile what fails closed fails.
	askSoon = 50 * time.Millisecond

	// askAgain is how long it is left alone when it has been away for a while: long enough
	// that hardly a request waits for it, and so short that it is missed by nobody when it
	// is back.
	askAgain = time.Second
)

// breaker keeps calls from a server that is away. After that one call at a time, a probe,
// finds out whether it is back; each that fails doubles the time until the next. The zero
// breaker takes it to be there.
type breaker struct {
	failures atomic.Int32
	until    atomic.Int64 // Unix nanoseconds; 0: it is there
	alone    atomic.Int64 // for how long it is left alone, in nanoseconds
}

// allow tells whether to call, and whether that is a probe.
func (b *breaker) allow(now time.Time) (ok, probe bool) {
	until := b.until.Load()
	if until == 0 {
		return true, false
	}
	probe = now.UnixNano() >= until && b.until.CompareAndSwap(until, now.Add(askAgain).UnixNano())
	return probe, probe
}

// failed is told of a call that failed. Of one that was under way when the server was
// found to be away nothing new is learnt.
func (b *breaker) failed(now time.Time, probe bool) {
	switch {
	case probe:
		b.leaveAlone(now, min(2*time.Duration(b.alone.Load()), askAgain))
	case b.failures.Add(1) >= tripAfter && b.until.Load() == 0:
		b.leaveAlone(now, askSoon)
	}
}

func (b *breaker) leaveAlone(now time.Time, d time.Duration) {
	b.alone.Store(int64(d))
	b.until.Store(now.Add(d).UnixNano())
}

func (b *breaker) succeeded() {
	if b.failures.Load() != 0 { // hardly ever: the cache line stays everybody's
		b.failures.Store(0)
		b.until.Store(0)
	}
}
