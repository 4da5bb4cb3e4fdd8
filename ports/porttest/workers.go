package porttest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/pool"
	"github.com/bulkheadhq/bulkhead/ports"
)

// WorkerMembers checks ports.WorkerMembers.
func WorkerMembers(t *testing.T, open Open) {
	b := open(t)
	m := b.Members
	const lease = time.Hour // longer than any test

	should(t, "know the members of each pool", func(t *testing.T, is *is.I) {
		all, err := m.All(t.Context())
		is.NoErr(err)
		is.Equal(len(all), 0)
		is.NoErr(m.Hold(t.Context(), "default", "b", lease))
		is.NoErr(m.Hold(t.Context(), "default", "a", lease))
		is.NoErr(m.Hold(t.Context(), "default", "a", lease))
		is.NoErr(m.Hold(t.Context(), "gold", "a", lease))
		is.NoErr(m.Hold(t.Context(), "", "c", lease))
		all, err = m.All(t.Context())
		is.NoErr(err)
		is.Equal(all, map[string][]string{"": {"c"}, "default": {"a", "b"}, "gold": {"a"}})
	})

	should(t, "tell until when each is a member", func(t *testing.T, is *is.I) {
		is.NoErr(m.Hold(t.Context(), "leased", "late", 0))
		before := leasesOf(t, m, "leased")
		is.NoErr(m.Hold(t.Context(), "leased", "new", lease))
		got := leasesOf(t, m, "leased")
		is.Equal(len(got), 2)
		is.Equal(got[0], before[0])
		is.Equal([]any{got[0].Member, got[0].HasEnded, got[1].Member, got[1].HasEnded}, []any{"late", true, "new", false})
		life := got[1].EndsAt.Sub(got[0].EndsAt)
		is.True(life >= lease && life < lease+time.Minute)
		is.NoErr(m.Leave(t.Context(), "leased", "late"))
		is.NoErr(m.Leave(t.Context(), "leased", "new"))
		is.Equal(len(leasesOf(t, m, "leased")), 0)
	})

	should(t, "forget who leaves, in that pool only", func(t *testing.T, is *is.I) {
		is.NoErr(m.Leave(t.Context(), "default", "a"))
		is.NoErr(m.Leave(t.Context(), "default", "a"))
		is.NoErr(m.Leave(t.Context(), "nobody's", "x"))
		all, err := m.All(t.Context())
		is.NoErr(err)
		is.Equal(all, map[string][]string{"": {"c"}, "default": {"b"}, "gold": {"a"}})
	})

	should(t, "take a member away whose lease has ended when another holds its own", func(t *testing.T, is *is.I) {
		is.NoErr(m.Hold(t.Context(), "lapse", "dead", 0))
		is.NoErr(m.Hold(t.Context(), "lapse", "new", lease)) // it held none until now
		is.Equal(membersOf(t, m, "lapse"), []string{"dead", "new"})
		is.NoErr(m.Hold(t.Context(), "default", "b", lease)) // of another pool
		is.Equal(membersOf(t, m, "lapse"), []string{"dead", "new"})
		is.NoErr(m.Hold(t.Context(), "lapse", "new", lease))
		is.Equal(membersOf(t, m, "lapse"), []string{"new"})
	})

	should(t, "take away nobody by one whose own lease has ended", func(t *testing.T, is *is.I) {
		is.NoErr(m.Hold(t.Context(), "away", "one", 0))
		is.NoErr(m.Hold(t.Context(), "away", "two", 0))
		is.NoErr(m.Hold(t.Context(), "away", "one", lease))
		is.NoErr(m.Hold(t.Context(), "away", "two", lease))
		is.NoErr(m.Hold(t.Context(), "away", "one", lease))
		is.Equal(membersOf(t, m, "away"), []string{"one", "two"})
	})

	o := seed(t, b, changeOrg(anOrg(), func(s *org.Snapshot) { s.State = org.Provisioning }))
	change := func(fn func(*org.Snapshot)) func(context.Context) error {
		return func(ctx context.Context) error {
			return b.Store.WriteTx(ctx, o.ID(), func(ctx context.Context, tx ports.Tx) error {
				return tx.Orgs.Update(ctx, func(row *org.Org) error {
					*row = changeOrg(*row, fn)
					return nil
				})
			})
		}
	}
	for name, fn := range map[string]func(context.Context) error{
		"a member comes":                 func(ctx context.Context) error { return m.Hold(ctx, "waited", "a", lease) },
		"a member goes":                  func(ctx context.Context) error { return m.Leave(ctx, "away", "one") },
		"an organization becomes active": change(func(s *org.Snapshot) { s.State = org.Active }),
		"an organization gets a slug":    change(func(s *org.Snapshot) { s.Slug = unique("other") }),
		"an organization changes pools":  change(func(s *org.Snapshot) { s.WorkerPool = unique("other") }),
	} {
		should(t, "end the waiting when "+name, func(t *testing.T, is *is.I) {
			is.NoErr(m.Wait(t.Context(), 10*time.Second)) // it listens now, and what was before is told
			quieten(t, m)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- m.Wait(ctx, time.Minute) }()
			is.NoErr(fn(t.Context()))
			is.NoErr(<-ended)
		})
	}

	should(t, "end the waiting in time, and with its caller", func(t *testing.T, is *is.I) {
		quieten(t, m)
		is.NoErr(m.Hold(t.Context(), "default", "b", lease)) // as before: nothing to tell
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		is.True(errors.Is(m.Wait(ctx, time.Minute), context.DeadlineExceeded))
		is.NoErr(m.Wait(t.Context(), time.Millisecond))
	})
}

func leasesOf(t *testing.T, m ports.WorkerMembers, of string) (out []pool.Lease) {
	t.Helper()
	all, err := m.Leases(t.Context())
	must(t, err)
	for _, l := range all {
		if l.Pool == of {
			out = append(out, l)
		}
	}
	return out
}

func membersOf(t *testing.T, m ports.WorkerMembers, pool string) []string {
	t.Helper()
	all, err := m.All(t.Context())
	must(t, err)
	return all[pool]
}

// quieten waits until nothing is left to be told.
func quieten(t *testing.T, m ports.WorkerMembers) {
	t.Helper()
	told := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return m.Wait(ctx, time.Minute) == nil
	}
	for told() {
		continue
	}
}
