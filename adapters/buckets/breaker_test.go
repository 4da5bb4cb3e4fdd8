package buckets

import (
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)

	away := func(b *breaker) {
		for range tripAfter {
			b.failed(now, false)
		}
	}
	calls := func(b *breaker, at time.Time) bool {
		ok, _ := b.allow(at)
		return ok
	}
	probes := func(b *breaker, at time.Time) bool {
		ok, probe := b.allow(at)
		return ok && probe
	}

	t.Run("Should keep calls off after three failures in a row", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var b breaker
		for range 2 {
			b.failed(now, false)
			b.failed(now, false)
			is.True(calls(&b, now))
			b.succeeded() // which makes them count from the beginning
		}
		away(&b)
		is.True(!calls(&b, now))
		is.True(!calls(&b, now.Add(askSoon-1)))
	})

	t.Run("Should let one call find out whether the server is back, soon at first and then once a second", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var b breaker
		away(&b)
		at := now
		for _, alone := range []time.Duration{askSoon, 2 * askSoon, 4 * askSoon, 8 * askSoon, 16 * askSoon, askAgain, askAgain} {
			is.True(!calls(&b, at.Add(alone-1)))
			at = at.Add(alone)
			is.True(probes(&b, at))
			is.True(!calls(&b, at)) // the others do not wait with it
			b.failed(at, true)
		}
		is.True(probes(&b, at.Add(askAgain)))
		b.succeeded()
		for range 2 {
			ok, probe := b.allow(at.Add(askAgain))
			is.True(ok && !probe)
		}
		away(&b)
		is.True(probes(&b, now.Add(askSoon))) // it begins anew
	})

	t.Run("Should learn nothing from calls that were under way when the server was found to be away", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var b breaker
		away(&b)
		for range 100 {
			b.failed(now.Add(askSoon-1), false)
		}
		is.True(probes(&b, now.Add(askSoon)))
	})
}
