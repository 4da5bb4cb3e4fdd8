package porttest

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/namespace"
)

// NamespacePasses checks ports.NamespacePasses.
func NamespacePasses(t *testing.T, open Open) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const lease = time.Minute

	should(t, "give the turn to one at a time, until it is saved or its lease ends", func(t *testing.T, is *is.I) {
		p := open(t).Passes
		first, mine, err := p.Claim(t.Context(), now, lease)
		is.NoErr(err)
		is.True(mine)
		is.Equal(first, namespace.Pass{Turn: first.Turn, DueAt: now})
		_, mine, err = p.Claim(t.Context(), now.Add(lease-time.Microsecond), lease)
		is.NoErr(err)
		is.True(!mine)
		second, mine, err := p.Claim(t.Context(), now.Add(lease), lease)
		is.NoErr(err)
		is.True(mine)
		is.True(second.Turn != first.Turn)

		late := first
		late.Cursor = "late"
		saved, err := p.Save(t.Context(), late)
		is.NoErr(err)
		is.True(!saved)
		second.Cursor, second.DueAt, second.Tally = "next", now.Add(time.Hour), namespace.Tally{Drifted: 1, Missing: 2, Orphaned: 3}
		saved, err = p.Save(t.Context(), second)
		is.NoErr(err)
		is.True(saved)
		seen, mine, err := p.Claim(t.Context(), now.Add(time.Hour-time.Microsecond), lease)
		is.NoErr(err)
		is.True(!mine)
		is.Equal(seen, second)
		third, mine, err := p.Claim(t.Context(), now.Add(time.Hour), lease)
		is.NoErr(err)
		is.True(mine)
		is.Equal(third.Cursor, "next")
		is.Equal(third.Tally, second.Tally)
	})

	should(t, "keep what the last whole pass has counted", func(t *testing.T, is *is.I) {
		p := open(t).Passes
		begun, mine, err := p.Claim(t.Context(), now, lease)
		is.NoErr(err)
		is.True(mine)
		begun.Tally = namespace.Tally{Drifted: 1, Missing: 2, Orphaned: 3}
		ended := begun.End(now, time.Hour)
		_, err = p.Save(t.Context(), ended)
		is.NoErr(err)
		seen, _, err := p.Claim(t.Context(), now, lease)
		is.NoErr(err)
		is.Equal(seen, namespace.Pass{Turn: begun.Turn, DueAt: now.Add(time.Hour), Last: begun.Tally, EndedAt: now})
	})

	should(t, "give one turn to many who ask at once", func(t *testing.T, is *is.I) {
		p := open(t).Passes
		const callers = 8
		for round := range 3 { // of which the first makes the row
			var taken atomic.Int64
			var turn atomic.Pointer[namespace.Pass]
			at := now.Add(time.Duration(round) * time.Hour)
			is.NoErr(errors.Join(together(callers, func(int) error {
				pass, mine, err := p.Claim(t.Context(), at, lease)
				if mine {
					taken.Add(1)
					turn.Store(&pass)
				}
				return err
			})...))
			is.Equal(taken.Load(), int64(1))
			next := *turn.Load()
			is.True(next.Turn != uuid.Nil)
			next.DueAt = at
			_, err := p.Save(t.Context(), next)
			is.NoErr(err)
		}
	})
}
