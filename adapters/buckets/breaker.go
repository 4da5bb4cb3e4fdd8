package buckets

import (
	"sync/atomic"
	"time"
)

const (
	// tripAfter is after how many failures in a row a server counts as away.
	tripAfter = 3

	// askAgain is how long it then is left alone: long enough that hardly a request
	// waits for it, and so short that it is missed by nobody when it is back.
	askAgain = time.Second
)

// breaker keeps calls from a server that is away. After that one call at a time finds
// out whether it is back. The zero breaker takes it to be there.
type breaker struct {
	failures atomic.Int32
	until    atomic.Int64 // Unix nanoseconds; 0: it is there
}

// allow tells whether to call.
func (b *breaker) allow(now time.Time) bool {
	until := b.until.Load()
	if until == 0 {
		return true
	}
	return now.UnixNano() >= until && b.until.CompareAndSwap(until, now.Add(askAgain).UnixNano())
}

func (b *breaker) failed(now time.Time) {
	if b.failures.Add(1) >= tripAfter {
		b.until.Store(now.Add(askAgain).UnixNano())
	}
}

func (b *breaker) succeeded() {
	if b.failures.Load() != 0 { // hardly ever: the cache line stays everybody's
		b.failures.Store(0)
		b.until.Store(0)
	}
}
