package buckets

import (
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)

	t.Run("Should keep calls off after three failures in a row", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var b breaker
		for range 2 {
			b.failed(now)
			b.failed(now)
			is.True(b.allow(now))
			b.succeeded() // which makes them count from the beginning
		}
		b.failed(now)
		b.failed(now)
		b.failed(now)
		is.True(!b.allow(now))
		is.True(!b.allow(now.Add(askAgain - 1)))
	})

	t.Run("Should let one call find out whether the server is back", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var b breaker
		for range tripAfter {
			b.failed(now)
		}
		later := now.Add(askAgain)
		is.True(b.allow(later))
		is.True(!b.allow(later)) // the others do not wait with it
		b.failed(later)
		is.True(!b.allow(later.Add(askAgain - 1)))
		is.True(b.allow(later.Add(askAgain)))
		b.succeeded()
		is.True(b.allow(later.Add(askAgain)))
		is.True(b.allow(later.Add(askAgain)))
	})
}
