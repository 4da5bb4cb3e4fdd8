package usecase_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/usecase/trail"
	"github.com/bulkheadhq/bulkhead/ports"
)

// trails notes what is asked of the trails.
type trails struct {
	*spy
	real ports.Trail
}

func (r trails) Event(ctx context.Context, o id.Org, e id.Event) (audit.Record, error) {
	return asked(r.spy, "Trail.Event", func() (audit.Record, error) { return r.real.Event(ctx, o, e) })
}

func (r trails) Events(ctx context.Context, o id.Org, f audit.Filter, p page.Request) (page.Page[audit.Record], error) {
	return asked(r.spy, "Trail.Events", func() (page.Page[audit.Record], error) { return r.real.Events(ctx, o, f, p) })
}

func (r trails) AllEvents(ctx context.Context, f audit.Filter, p page.Request) (page.Page[audit.Record], error) {
	return asked(r.spy, "Trail.AllEvents", func() (page.Page[audit.Record], error) { return r.real.AllEvents(ctx, f, p) })
}

func (r trails) Chain(ctx context.Context, o id.Org) (audit.Chain, error) {
	return asked(r.spy, "Trail.Chain", func() (audit.Chain, error) { return r.real.Chain(ctx, o) })
}

func (r trails) Links(ctx context.Context, o id.Org, after, last int64, limit int) ([]audit.Record, error) {
	return asked(r.spy, "Trail.Links", func() ([]audit.Record, error) { return r.real.Links(ctx, o, after, last, limit) })
}

func (r trails) Span(ctx context.Context, o id.Org, from, to time.Time) (first, last int64, err error) {
	if err := r.call("Trail.Span"); err != nil {
		return 0, 0, err
	}
	return r.real.Span(ctx, o, from, to)
}

// exported is what an export gave.
type exported struct {
	after      audit.Anchor
	records    []audit.Record
	count      int64
	last, head audit.Anchor
}

func (x *exported) Start(_ id.Org, after audit.Anchor) error { x.after = after; return nil }
func (x *exported) Event(r audit.Record) error               { x.records = append(x.records, r); return nil }

func (x *exported) End(count int64, last, head audit.Anchor) error {
	x.count, x.last, x.head = count, last, head
	return nil
}

// addEntries appends n entries, an hour apart, more than one batch of which is
// read at a time.
func (w *world) addEntries(o id.Org, n int) {
	w.t.Helper()
	w.write(o, func(ctx context.Context, tx ports.Tx) error {
		for i := range n {
			at := w.clock.Now().Add(time.Duration(i) * time.Hour)
			if err := tx.Audit.Append(ctx, audit.Accepted(o, at, authz.Bootstrap, audit.UserCreated, "user", fmt.Sprint(i), nil)); err != nil {
				return err
			}
		}
		return nil
	})
}

// tamper does what only a superuser can.
func (w *world) tamper(statement string, args ...any) {
	w.t.Helper()
	_, err := w.database.admin.Exec(w.t.Context(), statement, args...)
	must(w.t, err)
}

func TestTrailVerify(t *testing.T) {
	t.Parallel()
	by := func(o id.Org) authz.Actor { return holder(o, authz.Manager) }

	t.Run("Should find a chain of several batches good, and say where it ends", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("acme", org.Active)
		got, err := s.trail.Verify(t.Context(), by(o), o)
		is.NoErr(err)
		is.Equal(got, trail.Verification{From: 1})
		w.addEntries(o, 1203)
		got, err = s.trail.Verify(t.Context(), by(o), o)
		is.NoErr(err)
		is.Equal(got.From, int64(1))
		is.Equal(got.Checked, int64(1203))
		is.Equal(got.FirstBad, int64(0))
		is.Equal(got.Head.Seq, int64(1203))
	})

	// Each is done by a superuser to entry 602 of 1203, or there.
	for what, tampering := range map[string]struct {
		statement string
		bad       int64
	}{
		"altered":          {`UPDATE audit_events SET action = 'user.kept' WHERE org_id = $1 AND seq = 602`, 602},
		"altered inside":   {`UPDATE audit_events SET changes = '{"a":{"after":1}}' WHERE org_id = $1 AND seq = 602`, 602},
		"backdated":        {`UPDATE audit_events SET at = at - interval '1 microsecond' WHERE org_id = $1 AND seq = 602`, 602},
		"given to another": {`UPDATE audit_events SET actor_user_id = gen_random_uuid() WHERE org_id = $1 AND seq = 602`, 602},
		"removed":          {`DELETE FROM audit_events WHERE org_id = $1 AND seq = 602`, 602},
		"removed first":    {`DELETE FROM audit_events WHERE org_id = $1 AND seq = 1`, 1},
		"cut off":          {`DELETE FROM audit_events WHERE org_id = $1 AND seq >= 602`, 602},
		"beyond the end": {`INSERT INTO audit_events (org_id, id, at, actor_kind, action, resource_type, resource_id, outcome, seq, hash)
			VALUES ($1, gen_random_uuid(), now(), 'system', 'user.created', 'user', 'x', 'succeeded', 1204, sha256('x'))`, 1204},
		"the head set back": {`UPDATE audit_heads SET (seq, hash) = (SELECT seq, hash FROM audit_events e WHERE e.org_id = $1 AND e.seq = 601) WHERE org_id = $1`, 602},
		"the head forged":   {`UPDATE audit_heads SET hash = sha256('x') WHERE org_id = $1`, 1203},
	} {
		t.Run("Should name the first bad entry: "+what, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w)
			o, other := w.addOrg("acme", org.Active), w.addOrg("globex", org.Active)
			w.addEntries(o, 1203)
			w.addEntries(other, 3)
			w.tamper(tampering.statement, o.UUID())
			got, err := s.trail.Verify(t.Context(), by(o), o)
			is.NoErr(err)
			is.Equal(got.FirstBad, tampering.bad)
			got, err = s.trail.Verify(t.Context(), by(other), other)
			is.NoErr(err)
			is.Equal(got.FirstBad, int64(0)) // another's chain is another
		})
	}

	for what, statements := range map[string][]string{
		"moved": {
			`ALTER TABLE audit_events DROP CONSTRAINT audit_events_seq_key`,
			`UPDATE audit_events SET seq = CASE seq WHEN 602 THEN 603 ELSE 602 END WHERE seq IN (602, 603)`,
			`ALTER TABLE audit_events ADD CONSTRAINT audit_events_seq_key UNIQUE (org_id, seq)`,
		},
		"slipped in": {
			`ALTER TABLE audit_events DROP CONSTRAINT audit_events_seq_key`,
			`UPDATE audit_events SET seq = seq + 1 WHERE seq >= 602`,
			`ALTER TABLE audit_events ADD CONSTRAINT audit_events_seq_key UNIQUE (org_id, seq)`,
			`INSERT INTO audit_events (org_id, id, at, actor_kind, action, resource_type, resource_id, outcome, seq, hash)
				SELECT org_id, gen_random_uuid(), at, actor_kind, action, resource_type, resource_id, outcome, 602, hash FROM audit_events WHERE seq = 601`,
			`UPDATE audit_heads SET seq = seq + 1`,
		},
		"removed and closed up": {
			`DELETE FROM audit_events WHERE seq = 602`,
			`ALTER TABLE audit_events DROP CONSTRAINT audit_events_seq_key`,
			`UPDATE audit_events SET seq = seq - 1 WHERE seq > 602`,
			`ALTER TABLE audit_events ADD CONSTRAINT audit_events_seq_key UNIQUE (org_id, seq)`,
			`UPDATE audit_heads SET seq = seq - 1`,
		},
	} {
		t.Run("Should name the first bad entry: "+what, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w)
			o := w.addOrg("acme", org.Active)
			w.addEntries(o, 1203)
			for _, statement := range statements {
				w.tamper(statement)
			}
			got, err := s.trail.Verify(t.Context(), by(o), o)
			is.NoErr(err)
			is.Equal(got.FirstBad, int64(602))
		})
	}
}

func TestTrailExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := newServices(w)
	o := w.addOrg("acme", org.Active)
	by := holder(o, authz.Admin)
	const n = 1203
	w.addEntries(o, n)
	begin := w.clock.Now()

	for _, c := range []struct {
		name        string
		from, to    time.Time
		first, last int64
	}{
		{"everything", time.Time{}, time.Time{}, 1, n},
		{"a time", begin.Add(10 * time.Hour), begin.Add(900 * time.Hour), 11, 900},
		{"the beginning", time.Time{}, begin.Add(2 * time.Hour), 1, 2},
		{"the end", begin.Add((n - 1) * time.Hour), time.Time{}, n, n},
	} {
		t.Run("Should give a stretch that can be verified by itself: "+c.name, func(t *testing.T) {
			is := is.New(t)
			var got exported
			is.NoErr(s.trail.Export(t.Context(), by, o, c.from, c.to, &got))
			is.Equal(got.records[0].Seq, c.first)
			is.Equal(got.last.Seq, c.last)
			is.Equal(got.count, c.last-c.first+1)
			is.Equal(got.head.Seq, int64(n))
			v := audit.NewVerifier(got.after)
			for _, r := range got.records {
				is.True(v.Add(r))
			}
			is.True(v.End(got.last))
		})
	}

	t.Run("Should give nothing of a time without entries", func(t *testing.T) {
		is := is.New(t)
		var got exported
		is.NoErr(s.trail.Export(t.Context(), by, o, begin.Add(9999*time.Hour), time.Time{}, &got))
		is.Equal(len(got.records), 0)
		is.Equal(got.after, got.head)
		is.Equal(got.last, got.head)
	})

	t.Run("Should refuse a time that ends before it begins", func(t *testing.T) {
		is := is.New(t)
		err := s.trail.Export(t.Context(), by, o, begin, begin, &exported{})
		is.True(fault.IsKind(err, fault.Invalid))
	})

	t.Run("Should read a batch at a time", func(t *testing.T) {
		is := is.New(t)
		w.forget()
		is.NoErr(s.trail.Export(t.Context(), by, o, time.Time{}, time.Time{}, &exported{}))
		is.Equal(w.count("Trail.Links"), 3)
		is.True(slices.Index(w.called(), "Trail.Chain") < slices.Index(w.called(), "Trail.Span"))
	})
}

// canBeFound holds an entry to be one that the trail can be asked for.
func canBeFound(t testing.TB, e audit.Entry) {
	t.Helper()
	if err := (audit.Filter{Action: e.Action.String(), ResourceType: e.ResourceType}).Validate(); err != nil {
		t.Errorf("an entry that no filter finds: %s of a %s", e.Action, e.ResourceType)
	}
}
