package porttest

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Trail checks ports.Trail, and ports.AuditWriter by what it leaves.
func Trail(t *testing.T, open Open) {
	b := open(t)
	t.Run("Entries", func(t *testing.T) { trailEntries(t, b) })
	t.Run("Lists", func(t *testing.T) { trailLists(t, b) })
	t.Run("Chain", func(t *testing.T) { trailChain(t, b) })
}

// anEntry is an entry with every field set, of a user who came with a key.
func anEntry(o id.Org, at time.Time) audit.Entry {
	by := authz.NewKeyActor(authz.KeyHolder{
		Org: o, OrgSlug: "acme", User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Role: authz.Admin,
	}).From(authz.Origin{RequestID: "req-1", IP: netip.MustParseAddr("2001:db8::1")})
	e := audit.Accepted(o, at, by, audit.UserCreated, "user", id.New[id.UserKind]().String(), map[string]audit.Change{
		"role": {Before: "viewer", After: "admin"}, "scopes": audit.Created([]string{"a", "b"}), "größe": audit.Created(1e21),
		"nested": audit.Created(map[string]any{"bb": nil, "a": 1.50, "c": "<&>\u2028\x00\xff"}), "n": audit.Created(int64(1) << 62),
	})
	e.Count = 7
	return e
}

func appendAll(ctx context.Context, b Backend, o id.Org, entries ...audit.Entry) error {
	return b.Store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		for _, e := range entries {
			if err := tx.Audit.Append(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func trailEntries(t *testing.T, b Backend) {
	o, other := orgID(seed(t, b, anOrg())), orgID(seed(t, b, anOrg()))
	e := anEntry(o, moment)
	must(t, appendAll(t.Context(), b, o, e))

	should(t, "return an entry as it was written", func(t *testing.T, is *is.I) {
		want, err := e.Record()
		is.NoErr(err)
		got, err := b.Audit.Event(t.Context(), o, e.ID)
		is.NoErr(err)
		whole(t, got)
		place := audit.Anchor{}.Next(want.Body())
		want.Seq, want.Hash = place.Seq, place.Hash
		is.Equal(got, want)
	})

	should(t, "answer for a foreign entry as for an absent one", func(t *testing.T, _ *is.I) {
		_, err := b.Audit.Event(t.Context(), other, e.ID)
		isNotFound(t, err)
		_, err = b.Audit.Event(t.Context(), o, id.New[id.EventKind]())
		isNotFound(t, err)
	})
}

func trailLists(t *testing.T, b Backend) {
	o, other := orgID(seed(t, b, anOrg())), orgID(seed(t, b, anOrg()))
	entries := make([]audit.Entry, 6)
	for i := range entries {
		entries[i] = anEntry(o, moment.Add(time.Duration(i)*time.Hour))
	}
	entries[1].Action, entries[1].Outcome = audit.AccessRefused, audit.Refused
	entries[2].ResourceType = "apikey"
	foreign := anEntry(other, moment)
	must(t, appendAll(t.Context(), b, o, entries...))
	must(t, appendAll(t.Context(), b, other, foreign))
	list := func(o id.Org, f audit.Filter, limit int) []id.Event {
		return flat(walk(t, limit, func(q page.Request) (page.Page[audit.Record], error) {
			return b.Audit.Events(t.Context(), o, f, q)
		}), eventID)
	}
	backwards := func(from ...audit.Entry) []id.Event {
		var out []id.Event
		for _, e := range slices.Backward(from) {
			out = append(out, e.ID)
		}
		return out
	}

	should(t, "list an organization's entries, the newest first, in pages without gap or repetition", func(t *testing.T, is *is.I) {
		for _, limit := range []int{1, 4, 6, 7} {
			is.Equal(list(o, audit.Filter{}, limit), backwards(entries...))
		}
		is.Equal(list(other, audit.Filter{}, 10), []id.Event{foreign.ID})
	})

	should(t, "choose by every filter, and by all of them", func(t *testing.T, is *is.I) {
		e := entries[1]
		for _, f := range []audit.Filter{
			{User: e.Actor.User()},
			{Key: e.Actor.Key()},
			{Action: "access.refused"},
			{Outcome: "refused"},
			{ResourceID: e.ResourceID},
			{From: moment.Add(time.Hour), To: moment.Add(2 * time.Hour)},
			{
				User: e.Actor.User(), Key: e.Actor.Key(), Action: "access.refused", Outcome: "refused", ResourceType: "user",
				ResourceID: e.ResourceID, From: moment, To: moment.Add(2 * time.Hour),
			},
		} {
			is.Equal(list(o, f, 10), []id.Event{e.ID})
			is.Equal(len(list(other, f, 10)), 0)
		}
		is.Equal(list(o, audit.Filter{ResourceType: "apikey"}, 10), []id.Event{entries[2].ID})
		is.Equal(list(o, audit.Filter{Outcome: "succeeded"}, 2), backwards(append(entries[:1:1], entries[2:]...)...))
		is.Equal(list(o, audit.Filter{From: moment.Add(4 * time.Hour)}, 1), backwards(entries[4:]...))
	})

	should(t, "list those of all organizations, the newest first", func(t *testing.T, is *is.I) {
		all := func(f audit.Filter) []id.Event {
			var mine []id.Event
			for _, p := range walk(t, 3, func(q page.Request) (page.Page[audit.Record], error) { return b.Audit.AllEvents(t.Context(), f, q) }) {
				for _, r := range p {
					if r.OrgID == o || r.OrgID == other {
						mine = append(mine, r.ID)
					}
				}
			}
			return mine
		}
		is.Equal(all(audit.Filter{}), append([]id.Event{foreign.ID}, backwards(entries...)...))
		is.Equal(all(audit.Filter{Outcome: "refused"}), []id.Event{entries[1].ID})
		is.Equal(all(audit.Filter{Key: foreign.Actor.Key()}), []id.Event{foreign.ID})
	})

	should(t, "find the numbers of a time", func(t *testing.T, is *is.I) {
		span := func(o id.Org, from, to time.Time) [2]int64 {
			first, last, err := b.Audit.Span(t.Context(), o, from, to)
			is.NoErr(err)
			return [2]int64{first, last}
		}
		is.Equal(span(o, time.Time{}, time.Time{}), [2]int64{1, 6})
		is.Equal(span(o, moment.Add(time.Hour), moment.Add(3*time.Hour)), [2]int64{2, 3})
		is.Equal(span(o, moment.Add(99*time.Hour), time.Time{}), [2]int64{})
		is.Equal(span(id.New[id.OrgKind](), time.Time{}, time.Time{}), [2]int64{})
	})
}

func eventID(r audit.Record) id.Event { return r.ID }

// sound verifies a chain by its links, from its start to its head.
func sound(t testing.TB, b Backend, o id.Org) audit.Chain {
	t.Helper()
	c, err := b.Audit.Chain(t.Context(), o)
	must(t, err)
	v := audit.NewVerifier(c.Start)
	for v.At().Seq < c.Head.Seq {
		links, err := b.Audit.Links(t.Context(), o, v.At().Seq, c.Head.Seq, 7)
		must(t, err)
		if len(links) == 0 {
			break
		}
		for _, l := range links {
			if !v.Add(l) {
				t.Fatalf("the chain is broken at %d", v.FirstBad())
			}
		}
	}
	if !v.End(c.Head) || c.Last != c.Head.Seq {
		t.Fatalf("the chain ends at %d, and not at %d (%d)", v.At().Seq, c.Head.Seq, c.Last)
	}
	return c
}

func trailChain(t *testing.T, b Backend) {
	should(t, "begin nowhere for an organization without entries", func(t *testing.T, is *is.I) {
		is.Equal(sound(t, b, orgID(seed(t, b, anOrg()))), audit.Chain{})
		is.Equal(sound(t, b, id.New[id.OrgKind]()), audit.Chain{})
	})

	should(t, "chain the entries of many writers at once, without a gap", func(t *testing.T, is *is.I) {
		const writers, each = 8, 40
		o, other := orgID(seed(t, b, anOrg())), orgID(seed(t, b, anOrg()))
		for _, err := range together(writers, func(int) error {
			for i := range each {
				// Some append twice, some change the organization too.
				entries := []audit.Entry{anEntry(o, moment), anEntry(o, moment)}[:1+i%2]
				err := b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
					for _, e := range entries {
						if err := tx.Audit.Append(ctx, e); err != nil {
							return err
						}
					}
					if i%3 == 0 {
						return tx.Orgs.Update(ctx, func(*org.Org) error { return nil })
					}
					return nil
				})
				if err != nil {
					return err
				}
				if err := appendAll(t.Context(), b, other, anEntry(other, moment)); err != nil {
					return err
				}
			}
			return nil
		}) {
			is.NoErr(err)
		}
		is.Equal(sound(t, b, o).Head.Seq, int64(writers*(each+each/2)))
		is.Equal(sound(t, b, other).Head.Seq, int64(writers*each))
	})

	should(t, "leave no gap for a transaction that is rolled back", func(t *testing.T, is *is.I) {
		o, no := orgID(seed(t, b, anOrg())), errors.New("no")
		must(t, appendAll(t.Context(), b, o, anEntry(o, moment)))
		before := sound(t, b, o)
		err := b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			is.NoErr(tx.Audit.Append(ctx, anEntry(o, moment)))
			return no
		})
		is.True(err == no) //nolint:errorlint // unchanged, not wrapped
		duplicate := anEntry(o, moment)
		is.True(appendAll(t.Context(), b, o, duplicate, duplicate) != nil) // refused after the head had moved
		is.Equal(sound(t, b, o), before)
		must(t, appendAll(t.Context(), b, o, anEntry(o, moment)))
		is.Equal(sound(t, b, o).Head.Seq, before.Head.Seq+1)
	})

	should(t, "purge nothing of another organization, and what is too old of its own once", func(t *testing.T, is *is.I) {
		forgetful := func() id.Org {
			o := anOrg()
			snapshot := o.Snapshot()
			snapshot.Settings.AuditRetentionDays = 90
			return orgID(seed(t, b, org.Restore(snapshot)))
		}
		o, other := forgetful(), forgetful()
		now := time.Now() //nolint:forbidigo // the database's own clock decides what is old
		old := now.AddDate(0, 0, -100)
		for _, each := range []id.Org{o, other} {
			must(t, appendAll(t.Context(), b, each, anEntry(each, old), anEntry(each, old), anEntry(each, now)))
		}
		purge := func(ctx context.Context, tx ports.Tx) (int64, error) { return tx.Audit.Purge(ctx, 10) }
		var removed int64
		is.NoErr(b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) (err error) {
			if removed, err = purge(ctx, tx); err != nil {
				return err
			}
			// A second purge of it at the same time takes nothing, and does not wait.
			return b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error { //nolint:contextcheck // somebody else asks
				n, err := purge(ctx, tx)
				is.Equal(n, int64(0))
				return err
			})
		}))
		is.Equal(removed, int64(2))
		c := sound(t, b, o)
		is.Equal(c.Start.Seq, int64(2))
		is.Equal(c.Head.Seq, int64(3))
		is.Equal(sound(t, b, other).Start, audit.Anchor{})
		is.Equal(len(b.Trail(t, other)), 3)
	})

	should(t, "not chain what belongs to no organization, nor to an absent one", func(t *testing.T, _ *is.I) {
		absent := id.New[id.OrgKind]()
		isNotFound(t, appendAll(t.Context(), b, absent, anEntry(absent, moment)))
	})
}
