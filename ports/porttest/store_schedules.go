package porttest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/ports"
)

// scheduleRows lists all rows of an organization.
func scheduleRows(t *testing.T, b Backend, o id.Org, f schedule.Filter) (out []schedule.Row) {
	t.Helper()
	for {
		rows, err := b.Store.Reads(o).Schedules(t.Context(), f)
		must(t, err)
		if len(rows) == 0 {
			return out
		}
		out, f.After = append(out, rows...), rows[len(rows)-1].ID
	}
}

// inTx makes one call in a transaction of its own.
func inTx[T any](t *testing.T, b Backend, o id.Org, call func(context.Context, ports.Tx) (T, error)) (v T) {
	t.Helper()
	must(t, b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) (err error) {
		v, err = call(ctx, tx)
		return err
	}))
	return v
}

// storeSchedules checks what is kept of schedules.
func storeSchedules(t *testing.T, b Backend) {
	claim := func(t *testing.T, r schedule.Row) bool {
		t.Helper()
		return inTx(t, b, r.OrgID, func(ctx context.Context, tx ports.Tx) (bool, error) { return tx.Schedules.Claim(ctx, r) })
	}
	takeBack := func(t *testing.T, r schedule.Row) bool {
		t.Helper()
		return inTx(t, b, r.OrgID, func(ctx context.Context, tx ports.Tx) (bool, error) {
			return tx.Schedules.TakeBack(ctx, r.ID, r.Request)
		})
	}

	should(t, "keep the row of whoever came first, for the request that came last", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		first := aSchedule(o.ID())
		is.True(claim(t, first))
		is.True(!claim(t, first)) // the request again
		second := first
		second.Request, second.CreatedBy, second.CreatedAt = uuid.New(), "key_2", moment.Add(time.Hour)
		is.True(!claim(t, second))
		is.True(!takeBack(t, first)) // it is another's by now
		want := first
		want.Request, want.CreatedAt = second.Request, kept(first.CreatedAt)
		is.Equal(scheduleRows(t, b, o.ID(), schedule.Filter{}), []schedule.Row{want})
		is.True(takeBack(t, second))
		is.Equal(len(scheduleRows(t, b, o.ID(), schedule.Filter{})), 0)
	})

	should(t, "remove a row once", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		r := aSchedule(o.ID())
		claim(t, r)
		remove := func(ctx context.Context, tx ports.Tx) (bool, error) { return tx.Schedules.Remove(ctx, r.ID) }
		is.True(inTx(t, b, o.ID(), remove))
		is.True(!inTx(t, b, o.ID(), remove))
	})

	should(t, "learn what is not known, whatever else is, and tell what is", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		known, found := aSchedule(o.ID()), aSchedule(o.ID())
		claim(t, known)
		found.CreatedBy = ""
		learn := func(ctx context.Context, tx ports.Tx) (int64, error) {
			return tx.Schedules.Learn(ctx, []schedule.Row{found, known, found})
		}
		is.Equal(inTx(t, b, o.ID(), learn), int64(1))
		is.Equal(inTx(t, b, o.ID(), learn), int64(0))
		for _, r := range scheduleRows(t, b, o.ID(), schedule.Filter{}) {
			want := map[string]schedule.Row{known.ID: known, found.ID: found}[r.ID]
			want.CreatedAt = kept(want.CreatedAt)
			is.Equal(r, want)
		}
		ids, err := b.Store.Reads(o.ID()).KnownSchedules(t.Context(), []string{found.ID, "another"})
		is.NoErr(err)
		is.Equal(ids, []string{found.ID})
	})

	should(t, "list rows by their ids, so many at a time, and none that is not held as held", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		var all []schedule.Row
		for range schedule.MaxRows + 5 {
			all = append(all, aSchedule(o.ID()))
		}
		inTx(t, b, o.ID(), func(ctx context.Context, tx ports.Tx) (int64, error) { return tx.Schedules.Learn(ctx, all) })
		rows, err := b.Store.Reads(o.ID()).Schedules(t.Context(), schedule.Filter{})
		is.NoErr(err)
		is.Equal(len(rows), schedule.MaxRows)
		seen := map[string]bool{}
		for _, r := range scheduleRows(t, b, o.ID(), schedule.Filter{}) {
			seen[r.ID] = true
		}
		is.Equal(len(seen), len(all))
		is.Equal(len(scheduleRows(t, b, o.ID(), schedule.Filter{Held: schedule.Suspension})), 0)
		is.Equal(len(scheduleRows(t, b, o.ID(), schedule.Filter{Held: schedule.Bulk})), 0)
	})
	should(t, "hold once for each reason, and end the hold that is meant", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		known, found := aSchedule(o.ID()), aSchedule(o.ID())
		claim(t, known)
		hold := func(rs ...schedule.Row) map[string]schedule.Holds {
			held := inTx(t, b, o.ID(), func(ctx context.Context, tx ports.Tx) ([]schedule.Row, error) { return tx.Schedules.Hold(ctx, rs) })
			out := map[string]schedule.Holds{}
			for _, r := range held {
				out[r.ID] = r.Holds
			}
			return out
		}
		first := schedule.Holds{Suspension: uuid.New()}
		known.Holds, found.Holds = first, schedule.Holds{Bulk: uuid.New()}
		is.Equal(hold(known, found), map[string]schedule.Holds{known.ID: first, found.ID: found.Holds})
		known.Holds = schedule.Holds{Suspension: uuid.New(), Bulk: uuid.New()}
		both := schedule.Holds{Suspension: first.Suspension, Bulk: known.Holds.Bulk}
		is.Equal(hold(known), map[string]schedule.Holds{known.ID: both})
		is.Equal(len(scheduleRows(t, b, o.ID(), schedule.Filter{Held: schedule.Suspension})), 1)
		is.Equal(len(scheduleRows(t, b, o.ID(), schedule.Filter{Held: schedule.Bulk})), 2)
		unhold := func(hold uuid.UUID) bool {
			return inTx(t, b, o.ID(), func(ctx context.Context, tx ports.Tx) (bool, error) { return tx.Schedules.Unhold(ctx, known.ID, hold) })
		}
		is.True(!unhold(known.Holds.Suspension)) // it never held
		is.True(unhold(first.Suspension))
		is.True(!unhold(first.Suspension))
		is.Equal(len(scheduleRows(t, b, o.ID(), schedule.Filter{Held: schedule.Suspension})), 0)
		is.Equal(len(scheduleRows(t, b, o.ID(), schedule.Filter{Held: schedule.Bulk})), 2)
	})
}
