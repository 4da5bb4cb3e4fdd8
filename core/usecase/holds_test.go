package usecase_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/usecase/holds"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/ports"
)

// keeper is the keeping of one organization's schedules, on a Temporal with a memory.
type keeper struct {
	*world
	org      id.Org
	temporal *planner
	holds    *holds.Service
}

func newKeeper(t *testing.T, s org.State) *keeper {
	t.Helper()
	w := newWorld(t)
	k := &keeper{world: w, org: w.addOrg("acme", s), temporal: newPlanner(w.temporal)}
	k.holds = holds.New(w.store, k.temporal, w.clock, slog.New(slog.NewTextHandler(w.log, nil)))
	return k
}

// review takes steps until there is nothing left but to wait, as the workflow does.
func (k *keeper) review() (holds.Progress, error) { return k.reviewFrom("") }

// reviewFrom does so from a cursor on.
func (k *keeper) reviewFrom(cursor string) (holds.Progress, error) {
	p := holds.Progress{Cursor: cursor}
	for steps := 0; ; steps++ {
		var err error
		if p, err = k.holds.Review(k.t.Context(), outbox.SchedulesPayload{Organization: k.org}, p.Cursor); err != nil || p.Cursor == "" {
			return p, err
		}
		if steps > 100 {
			return p, errors.New("there is no end of it")
		}
	}
}

func (k *keeper) mustReview() {
	k.t.Helper()
	_, err := k.review()
	must(k.t, err)
}

// paused returns the ids of the schedules that are paused, in their order.
func (k *keeper) paused() (ids []string) {
	for i, f := range k.temporal.there {
		if f.Paused {
			ids = append(ids, i)
		}
	}
	slices.Sort(ids)
	return ids
}

// held returns the ids of the schedules that are held by a suspension.
func (k *keeper) held() []string {
	k.t.Helper()
	return k.heldSo(schedule.Suspension)
}

// heldSo returns the ids of the schedules that are held so.
func (k *keeper) heldSo(kind schedule.HoldKind) (ids []string) {
	k.t.Helper()
	rows, err := k.unseen.store.Reads(k.org).Schedules(k.t.Context(), schedule.Filter{Held: kind})
	must(k.t, err)
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestHolds(t *testing.T) {
	t.Parallel()

	t.Run("Should pause all that runs, and let exactly that go on", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := newKeeper(t, org.Suspended)
		for _, i := range []string{"a", "b", "c", "d", "e"} { // three pages
			k.temporal.put(i, i == "c", "for a reason")
		}
		k.mustReview()
		is.Equal(k.paused(), []string{"a", "b", "c", "d", "e"})
		is.Equal(k.held(), []string{"a", "b", "d", "e"})
		is.Equal(k.temporal.of("c").Note, "for a reason")
		is.True(strings.Contains(k.temporal.of("a").Note, "[bulkhead-hold suspension "))
		k.mustReview() // again changes nothing
		is.Equal(len(k.trail()), 4)

		k.setState(k.org, org.Active)
		k.mustReview()
		is.Equal(k.paused(), []string{"c"})
		is.Equal(len(k.held()), 0)
		is.Equal(k.rowsOf(k.org), []string{"a", "b", "d", "e"}) // they are known from now on
		trail := k.trail()
		is.Equal(len(trail), 8)
		is.Equal(trail[0].Action, audit.ScheduleHeld.String())
		is.Equal(trail[7].Action, audit.ScheduleReleased.String())
		is.Equal(trail[0].Actor, whoIs(authz.Keeper))
		k.mustReview()
		is.Equal(len(k.trail()), 8)
	})

	t.Run("Should leave to others what they have taken over", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := newKeeper(t, org.Suspended)
		for _, i := range []string{"again", "gone", "on", "ours"} {
			k.temporal.put(i, false, "")
		}
		k.mustReview()
		k.temporal.put("again", true, "paused anew")
		k.temporal.put("on", false, "")
		k.temporal.remove("gone")
		k.setState(k.org, org.Active)
		k.mustReview()
		is.Equal(k.paused(), []string{"again"})
		is.Equal(k.temporal.of("again").Note, "paused anew")
		is.Equal(k.temporal.of("on").Note, "")
		is.True(k.temporal.of("ours").Note != "")
		is.Equal(len(k.held()), 0)
		is.Equal(k.rowsOf(k.org), []string{"again", "on", "ours"})
	})

	t.Run("Should pause again, by the same hold, what was let go on meanwhile", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := newKeeper(t, org.Suspended)
		k.temporal.put("a", false, "")
		k.mustReview()
		note := k.temporal.of("a").Note
		k.temporal.put("a", false, "a token is still good")
		k.mustReview()
		is.Equal(k.temporal.of("a").Note, note)
		is.Equal(len(k.trail()), 1)
	})

	t.Run("Should look again for as long as a token is good, ever later", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := newKeeper(t, org.Suspended)
		for _, c := range []struct{ since, wait time.Duration }{
			{0, 2 * time.Second}, {10 * time.Second, 10 * time.Second}, {5 * time.Minute, time.Minute}, {12 * time.Minute, 0},
		} {
			k.clock.set(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(c.since))
			p, err := k.review()
			is.NoErr(err)
			is.Equal(p, holds.Progress{Wait: c.wait})
		}
	})

	t.Run("Should hold in the grace of a deletion, and do nothing for who has no namespace to hold in", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := newKeeper(t, org.Deleting)
		k.temporal.put("a", false, "")
		k.mustReview() // past the grace
		k.setState(k.org, org.Provisioning)
		k.mustReview()
		k.changeOrg(k.org, func(s *org.Snapshot) { s.State, s.ActivatedAt = org.Deleting, time.Time{} })
		k.mustReview()
		is.Equal(len(k.paused()), 0)
		k.changeOrg(k.org, func(s *org.Snapshot) {
			s.State, s.ActivatedAt, s.DeleteAfter = org.Deleting, k.clock.Now(), k.clock.Now().Add(time.Hour)
		})
		k.mustReview()
		is.Equal(k.paused(), []string{"a"})
		_, err := k.holds.Review(t.Context(), outbox.SchedulesPayload{Organization: id.New[id.OrgKind]()}, "")
		is.NoErr(err)
		k.breaks("Schedules.List "+k.namespaceOf(k.org), fault.ErrNotFound) // the namespace is gone
		k.mustReview()
	})

	t.Run("Should hold nothing of an organization that works again by now", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := newKeeper(t, org.Suspended)
		k.temporal.put("a", false, "")
		k.breaks("Orgs.Lock", fault.ErrUnavailable)
		_, err := k.review()
		is.True(errors.Is(err, fault.ErrUnavailable)) // it had looked, and not written yet
		is.Equal(len(k.paused()), 0)
		k.mends("Orgs.Lock")
		resumed := holds.New(resuming{k.store, k}, k.temporal, k.clock, slog.New(slog.DiscardHandler))
		_, err = resumed.Review(t.Context(), outbox.SchedulesPayload{Organization: k.org}, "")
		is.NoErr(err)
		is.Equal(len(k.paused()), 0)
		is.Equal(len(k.held()), 0)
	})

	// A step that is cut short anywhere is taken again.
	for _, state := range []org.State{org.Suspended, org.Active} {
		for _, port := range []string{"WriteTx", "Commit", "Rows.Hold", "Rows.Unhold", "Audit.Append", "Schedules.Hold", "Schedules.Release", "Reads.Schedules"} {
			t.Run(fmt.Sprintf("Should mend when %s fails while it is %s", port, state), func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				k := newKeeper(t, org.Suspended)
				for _, i := range []string{"a", "b", "c"} {
					k.temporal.put(i, i == "b", "")
				}
				if state == org.Active {
					k.mustReview()
					k.setState(k.org, org.Active)
				}
				name := port
				if strings.HasPrefix(port, "Schedules.") {
					name += " " + k.namespaceOf(k.org) + " a"
				}
				k.breaks(name, fault.ErrUnavailable)
				k.forget()
				left, err := k.review()
				failed := slices.Contains(k.called(), name)
				switch {
				case failed && name != port: // the others are not kept waiting
					is.NoErr(err)
					is.Equal(left.Wait, 10*time.Second)
					is.Equal(k.temporal.of("c").Paused, state == org.Suspended)
					is.True(strings.Contains(k.log.String(), "it is tried again"))
				case failed:
					is.True(errors.Is(err, fault.ErrUnavailable))
				}
				k.mends(name)
				k.mustReview()
				want := map[org.State][]string{org.Suspended: {"a", "b", "c"}, org.Active: {"b"}}[state]
				is.Equal(k.paused(), want)
				k.setState(k.org, org.Active)
				k.mustReview()
				is.Equal(k.paused(), []string{"b"})
			})
		}
	}

	t.Run("Should follow each decision, by a message in its transaction", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("acme", org.Active)
		reviews := func() int { // of those that the relay delivers
			w.forget()
			for {
				n, err := s.relay.Deliver(t.Context())
				is.NoErr(err)
				if n == 0 {
					return w.count("ReviewSchedules " + o.String())
				}
			}
		}
		_, err := s.orgs.Suspend(t.Context(), operator(), o, "unpaid")
		is.NoErr(err)
		is.Equal(reviews(), 1)
		_, err = s.orgs.Resume(t.Context(), operator(), o)
		is.NoErr(err)
		is.Equal(reviews(), 1)
		_, err = s.orgs.Delete(t.Context(), operator(), o, orgs.DeleteInput{Confirm: "acme"})
		is.NoErr(err)
		is.Equal(reviews(), 1)
		_, err = s.orgs.Restore(t.Context(), operator(), o)
		is.NoErr(err)
		is.Equal(w.stateOf(o), org.Suspended) // still held, until it is resumed
		_, err = s.orgs.Resume(t.Context(), operator(), o)
		is.NoErr(err)
		is.Equal(reviews(), 1)
		_, err = s.orgs.Delete(t.Context(), operator(), o, orgs.DeleteInput{Confirm: "acme", Now: true})
		is.NoErr(err)
		is.Equal(reviews(), 0)
	})
}

// resuming lets the organization work again as soon as somebody has seen that it does not.
type resuming struct {
	store
	k *keeper
}

func (r resuming) Reads(o id.Org) ports.Reads {
	before := r.store.Reads(o)
	row, err := before.Org(r.k.t.Context())
	must(r.k.t, err)
	r.k.setState(o, org.Active)
	return seen{before, row}
}

// seen shows an organization as it was.
type seen struct {
	ports.Reads
	row org.Org
}

func (s seen) Org(context.Context) (org.Org, error) { return s.row, nil }
