package usecase_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/ports"
)

// age appends entries of so many days ago. The database's own clock decides, so
// that the ages are of the present.
func (w *world) age(o id.Org, days ...int) {
	w.t.Helper()
	w.write(o, func(ctx context.Context, tx ports.Tx) error {
		for i, d := range days {
			e := audit.Accepted(o, time.Now().AddDate(0, 0, -d), authz.Bootstrap, audit.UserCreated, "user", fmt.Sprint(i), nil)
			if err := tx.Audit.Append(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) keeps(o id.Org, days int) {
	w.t.Helper()
	w.changeOrg(o, func(s *org.Snapshot) { s.Settings.AuditRetentionDays = days })
}

// seqs returns the numbers of the entries that are kept.
func (w *world) seqs(o id.Org) []int64 {
	w.t.Helper()
	return selected(w, pgx.RowTo[int64], `SELECT seq FROM audit_events WHERE org_id = $1 ORDER BY seq`, o.UUID())
}

func TestRetention(t *testing.T) {
	t.Parallel()

	t.Run("Should end what is too old, keep the chain verifiable from there on, and say so in the trail", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.clock.set(time.Now().UTC())
		s := newServices(w)
		o, other := w.addOrg("acme", org.Active), w.addOrg("globex", org.Active)
		w.age(o, 100, 95, 91, 89, 50, 0)
		w.age(other, 100)
		w.keeps(o, 90)
		is.NoErr(s.retention.Sweep(t.Context()))
		is.Equal(w.seqs(o), []int64{4, 5, 6, 7})
		is.Equal(w.seqs(other), []int64{1}) // it keeps everything
		var last line
		for _, l := range w.trail() {
			if l.Org == o {
				last = l
			}
		}
		is.Equal(last.Action, "audit.purged")
		is.Equal(last.Actor.Name, "archivist")
		is.Equal(fmt.Sprint(last.Changes["entries"].Before), "3")

		got, err := s.trail.Verify(t.Context(), holder(o, authz.Manager), o)
		is.NoErr(err)
		is.Equal(got.From, int64(4))
		is.Equal(got.Checked, int64(4))
		is.Equal(got.FirstBad, int64(0))
		is.NoErr(s.retention.Sweep(t.Context()))
		is.Equal(w.seqs(o), []int64{4, 5, 6, 7}) // nothing more, and nothing to tell
		var export exported
		is.NoErr(s.trail.Export(t.Context(), holder(o, authz.Admin), o, time.Time{}, time.Time{}, &export))
		is.Equal(export.after.Seq, int64(3))
		is.Equal(export.count, int64(4))
	})

	t.Run("Should take a whole beginning only, though entries lie a little out of time", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.clock.set(time.Now().UTC())
		s := newServices(w)
		o := w.addOrg("acme", org.Active)
		w.age(o, 100, 10, 100, 100)
		w.keeps(o, 90)
		is.NoErr(s.retention.Sweep(t.Context()))
		is.Equal(w.seqs(o), []int64{2, 3, 4, 5})
	})

	t.Run("Should begin after the head when everything is too old, and go on", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.clock.set(time.Now().UTC())
		s := newServices(w)
		o := w.addOrg("acme", org.Deleted) // its trail outlives it, and grows old
		w.age(o, 100, 100)
		w.keeps(o, 90)
		is.NoErr(s.retention.Sweep(t.Context()))
		is.Equal(w.seqs(o), []int64{3})
		got, err := s.trail.Verify(t.Context(), operator(), o)
		is.NoErr(err)
		is.Equal([3]int64{got.From, got.Checked, got.FirstBad}, [3]int64{3, 1, 0})
	})

	t.Run("Should find a purged entry that came back, and one that was removed after the purge", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.clock.set(time.Now().UTC())
		s := newServices(w)
		o := w.addOrg("acme", org.Active)
		w.age(o, 100, 100, 100, 0, 0)
		w.keeps(o, 90)
		is.NoErr(s.retention.Sweep(t.Context()))
		w.tamper(`INSERT INTO audit_events (org_id, id, at, actor_kind, action, resource_type, resource_id, outcome, seq, hash)
			VALUES ($1, gen_random_uuid(), now(), 'system', 'user.created', 'user', 'x', 'succeeded', 2, sha256('x'))`, o.UUID())
		got, err := s.trail.Verify(t.Context(), operator(), o)
		is.NoErr(err)
		is.Equal(got.FirstBad, int64(2))
		w.tamper(`DELETE FROM audit_events WHERE org_id = $1 AND seq IN (2, 4)`, o.UUID())
		got, err = s.trail.Verify(t.Context(), operator(), o)
		is.NoErr(err)
		is.Equal(got.FirstBad, int64(4))
	})

	t.Run("Should never end what is younger than 30 days, whatever the row says", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.clock.set(time.Now().UTC())
		s := newServices(w)
		o := w.addOrg("acme", org.Active)
		w.age(o, 31, 29, 1)
		w.tamper(`UPDATE organizations SET settings = '{"audit_retention_days": 1}' WHERE id = $1`, o.UUID())
		is.NoErr(s.retention.Sweep(t.Context()))
		is.Equal(w.seqs(o), []int64{2, 3, 4})
	})

	t.Run("Should leave neither half of a purge that is rolled back", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.clock.set(time.Now().UTC())
		s := newServices(w)
		o := w.addOrg("acme", org.Active)
		w.age(o, 100, 0)
		w.keeps(o, 90)
		w.breaks("Audit.Append", fault.ErrUnavailable)
		is.True(s.retention.Sweep(t.Context()) != nil)
		is.Equal(w.seqs(o), []int64{1, 2})
		is.Equal(w.rows("audit_checkpoints"), 0)
	})

	t.Run("Should take more than a batch, one after another", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.clock.set(time.Now().UTC())
		s := newServices(w)
		o := w.addOrg("acme", org.Active)
		days := make([]int, 5003)
		for i := range days {
			days[i] = 100
		}
		w.age(o, days...)
		w.keeps(o, 90)
		is.NoErr(s.retention.Sweep(t.Context()))
		is.Equal(len(w.seqs(o)), 2) // two purges tell of themselves
		is.Equal(w.rows("audit_checkpoints"), 2)
		got, err := s.trail.Verify(t.Context(), operator(), o)
		is.NoErr(err)
		is.Equal(got.FirstBad, int64(0))
	})
}
