package usecase_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/usecase/holds"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/ports"
)

// all is who asks for all of an organization's schedules, by all of the services.
type all struct {
	*keeper
	s  services
	by authz.Actor
}

func newAll(t *testing.T) *all {
	t.Helper()
	k := newKeeper(t, org.Active)
	return &all{k, newServices(k.world), holder(k.org, authz.Member)}
}

func (a *all) pauseAll(note string) id.Operation {
	a.t.Helper()
	op, err := a.s.schedules.PauseAll(a.t.Context(), a.by, a.org, note)
	must(a.t, err)
	return op.Snapshot().ID
}

func (a *all) resumeAll() id.Operation {
	a.t.Helper()
	op, err := a.s.schedules.ResumeAll(a.t.Context(), a.by, a.org, "")
	must(a.t, err)
	return op.Snapshot().ID
}

func (a *all) is(op id.Operation) operation.Snapshot {
	a.t.Helper()
	o := a.operationOf(a.org, op)
	return o.Snapshot()
}

// made gives a schedule a row, as that of one that Bulkhead has made.
func (a *all) made(scheduleID string) {
	a.t.Helper()
	a.write(a.org, func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Schedules.Claim(ctx, schedule.Row{
			OrgID: a.org, ID: scheduleID, CreatedAt: a.clock.Now(), CreatedBy: "key_1", Request: uuid.New(),
		})
		return err
	})
}

// actions are those of the trail, in their order.
func (a *all) actions() (actions []string) {
	a.t.Helper()
	for _, l := range a.trail() {
		actions = append(actions, l.Action)
	}
	return actions
}

func TestAllSchedules(t *testing.T) {
	t.Parallel()

	t.Run("Should pause all that runs, and let exactly that go on", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := newAll(t)
		for _, i := range []string{"again", "gone", "mine", "on", "other", "unseen"} {
			a.temporal.put(i, i == "mine", "for a reason")
		}
		a.made("unseen")
		a.temporal.unseen["unseen"] = true // by the list, as it is late
		pause := a.pauseAll("Until the migration is over.")
		is.Equal(a.is(pause).State, operation.Pending)
		a.clock.advance(time.Second)
		a.temporal.put("since", false, "")
		a.made("since")
		a.mustReview()
		is.Equal(a.paused(), []string{"again", "gone", "mine", "on", "other", "unseen"})
		is.Equal(a.temporal.of("mine").Note, "for a reason")
		is.Equal(a.temporal.of("on").Note, "Until the migration is over. "+schedule.Hold{Kind: schedule.Bulk, ID: pause.UUID()}.Note())
		done := a.is(pause)
		is.Equal(done.State, operation.Succeeded)
		is.Equal(done.Step, operation.SchedulesPaused)
		is.Equal(done.Kind.String(), "schedules.pause")
		is.Equal(done.Note, "Until the migration is over.")
		is.Equal(a.heldSo(schedule.Bulk), []string{"again", "gone", "on", "other", "unseen"})

		a.temporal.put("again", true, "paused anew")
		a.temporal.put("on", false, "goes on")
		a.temporal.remove("gone")
		a.mustReview() // what was done is over
		is.Equal(a.temporal.of("on").Note, "goes on")
		resume := a.resumeAll()
		a.mustReview()
		is.Equal(a.paused(), []string{"again", "mine"})
		is.Equal(a.temporal.of("again").Note, "paused anew")
		is.Equal(a.temporal.of("on").Note, "goes on")
		is.Equal(a.temporal.of("other").Note, "Resumed by Bulkhead with all that it had paused.")
		is.Equal(a.is(resume).State, operation.Succeeded)
		is.Equal(a.is(resume).Step, operation.SchedulesResumed)
		is.Equal(len(a.heldSo(schedule.Bulk)), 0)

		trail := a.trail()
		is.Equal(trail[0].Action, audit.SchedulesPauseRequested.String())
		is.Equal(trail[0].Actor, whoIs(a.by))
		is.Equal(trail[0].ResourceID, pause.String())
		is.Equal(a.actions(), []string{
			"schedule.pause_all_requested", "schedule.held", "schedule.held", "schedule.held", "schedule.held", "schedule.held",
			"schedule.resume_all_requested", "schedule.released", "schedule.released", "schedule.released", "schedule.released",
		})
		paused := map[string]any{}
		for _, line := range trail[len(trail)-4:] {
			paused[line.ResourceID] = line.Changes["paused"].After
		}
		is.Equal(paused, map[string]any{"again": true, "on": false, "other": false, "unseen": false})
	})

	t.Run("Should pause again what somebody has let go on, when it is asked for again", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := newAll(t)
		a.temporal.put("a", false, "")
		a.temporal.put("b", false, "")
		a.pauseAll("")
		a.mustReview()
		first := a.temporal.of("b").Note
		a.temporal.put("a", false, "by hand")
		again := a.pauseAll("")
		a.mustReview()
		is.Equal(a.temporal.of("a").Note, schedule.Hold{Kind: schedule.Bulk, ID: again.UUID()}.Note())
		is.Equal(a.temporal.of("b").Note, first)
		is.Equal(a.actions(), []string{
			"schedule.pause_all_requested", "schedule.held", "schedule.held", "schedule.pause_all_requested", "schedule.held",
		})
		a.resumeAll()
		a.mustReview()
		is.Equal(len(a.paused()), 0) // of both
	})

	t.Run("Should stay paused through a suspension, and not end one", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := newAll(t)
		a.temporal.put("all", false, "")
		a.pauseAll("")
		a.mustReview()
		a.temporal.put("since", false, "")
		a.setState(a.org, org.Suspended)
		a.mustReview()
		is.Equal(a.paused(), []string{"all", "since"})
		_, err := a.s.schedules.ResumeAll(t.Context(), a.by, a.org, "")
		is.True(errors.Is(err, org.ErrNotActive))
		_, err = a.s.schedules.PauseAll(t.Context(), a.by, a.org, "")
		is.True(errors.Is(err, org.ErrNotActive))
		a.setState(a.org, org.Active)
		a.mustReview()
		is.Equal(a.paused(), []string{"all"})
		a.resumeAll()
		a.mustReview()
		is.Equal(len(a.paused()), 0)
	})

	t.Run("Should wait for the end of a suspension that came first, and leave nothing held by it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := newAll(t)
		for _, i := range []string{"a", "b", "c"} {
			a.temporal.put(i, false, "")
		}
		pause := a.pauseAll("")
		left, err := a.holds.Review(t.Context(), a.payload(), "") // it has begun
		is.NoErr(err)
		a.setState(a.org, org.Suspended)
		_, err = a.reviewFrom(left.Cursor)
		is.NoErr(err)
		is.Equal(a.held(), []string{"a", "b", "c"})
		is.True(!a.is(pause).State.Ended())
		a.setState(a.org, org.Active)
		again, err := a.reviewFrom(left.Cursor) // where it had been: what is still held waits for its end
		is.NoErr(err)
		is.Equal(again.Wait, 10*time.Second)
		is.True(!a.is(pause).State.Ended())
		a.mustReview()
		is.Equal(a.paused(), []string{"a", "b", "c"})
		is.Equal(len(a.held()), 0)
		is.Equal(a.heldSo(schedule.Bulk), []string{"a", "b", "c"})
		is.Equal(a.is(pause).State, operation.Succeeded)
	})

	t.Run("Should do what was asked last", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := newAll(t)
		for _, i := range []string{"a", "b", "c"} {
			a.temporal.put(i, false, "")
			a.made(i)
		}
		pause := a.pauseAll("")
		resume := a.resumeAll()
		is.Equal(a.is(pause).State, operation.Canceled)
		a.mustReview()
		is.Equal(len(a.paused()), 0)
		is.Equal(a.is(resume).State, operation.Succeeded)

		a.pauseAll("")
		seen, err := a.store.Reads(a.org).OpenOperation(t.Context(), operation.OfSchedules())
		is.NoErr(err)
		a.resumeAll()
		old := holds.New(stale{a.store, seen}, a.temporal, a.clock, slog.New(slog.DiscardHandler)) // it has looked before
		_, err = old.Review(t.Context(), a.payload(), "move "+seen.Snapshot().ID.String()+":")
		is.NoErr(err)
		is.Equal(len(a.paused()), 0)
		a.mustReview()
		is.Equal(len(a.paused()), 0)
	})

	t.Run("Should hold nothing more of an organization that has been suspended by now", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := newAll(t)
		a.temporal.put("a", false, "")
		a.made("a")
		pause := a.pauseAll("")
		row := a.orgOf(a.org)
		a.setState(a.org, org.Suspended)
		old := holds.New(staleOrg{a.store, row}, a.temporal, a.clock, slog.New(slog.DiscardHandler)) // it has looked before
		_, err := old.Review(t.Context(), a.payload(), "move "+pause.String()+":")
		is.NoErr(err)
		is.Equal(len(a.paused()), 0)
		is.Equal(len(a.heldSo(schedule.Bulk)), 0)
	})

	t.Run("Should end with the organization's deletion", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := newAll(t)
		pause := a.pauseAll("")
		_, err := a.s.orgs.Delete(t.Context(), operator(), a.org, orgs.DeleteInput{Confirm: "acme"})
		is.NoErr(err)
		is.Equal(a.is(pause).State, operation.Canceled)
		_, err = a.s.operations.Retry(t.Context(), operator(), pause)
		is.True(errors.Is(err, org.ErrNotActive))
	})

	t.Run("Should fail when the namespace is gone, and be tried again", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := newAll(t)
		a.temporal.put("a", false, "")
		list := "Schedules.List " + a.namespaceOf(a.org)
		a.breaks(list, fault.ErrNotFound)
		pause := a.pauseAll("why")
		a.mustReview()
		is.Equal(a.is(pause).State, operation.Failed)
		is.Equal(a.is(pause).Failure, fault.ErrNotFound.Public)
		is.Equal(a.is(pause).FailureCode, "not_found")
		a.mends(list)
		again, err := a.s.operations.Retry(t.Context(), holder(a.org, authz.Admin), pause)
		is.NoErr(err)
		is.Equal(again.Snapshot().RetryOf, pause)
		is.Equal(again.Snapshot().Note, "why")
		a.mustReview()
		is.Equal(a.paused(), []string{"a"})
		_, err = a.s.operations.Retry(t.Context(), holder(a.org, authz.Admin), pause)
		is.True(errors.Is(err, operation.ErrNotRetryable)) // it was, since
	})

	t.Run("Should say what is in the way, and give up after a while, of the schedule alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := newAll(t)
		for _, i := range []string{"a", "b", "c"} {
			a.temporal.put(i, false, "")
		}
		a.breaks("Schedules.Hold "+a.namespaceOf(a.org)+" a", fault.ErrUnavailable)
		pause := a.pauseAll("")
		for n := 1; !a.is(pause).State.Ended(); n++ {
			left, err := a.review()
			is.NoErr(err)
			is.Equal(a.paused(), []string{"b", "c"})
			is.Equal(a.is(pause).Attempts, n)
			is.Equal(a.is(pause).FailureCode, "schedule.some_left")
			if n < 30 {
				is.Equal(left.Wait, 10*time.Second)
				is.Equal(a.is(pause).State, operation.Running)
				is.Equal(a.is(pause).Step, operation.SchedulesFound)
			}
			is.True(n <= 30)
		}
		is.Equal(a.is(pause).State, operation.Failed)
		is.Equal(a.is(pause).Attempts, 30)
		is.Equal(a.actions(), []string{
			"schedule.pause_all_requested", "schedule.held", "schedule.held", "schedule.held", "schedule.pause_all_failed",
		})
	})

	for kind, want := range map[operation.Kind]string{
		operation.PauseSchedules: "schedule.pause_all_failed", operation.ResumeSchedules: "schedule.resume_all_failed",
	} {
		t.Run("Should be on record when it fails for good, with the failure, or not fail: "+kind.String(), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			a := newAll(t)
			a.temporal.put("a", false, "")
			in := "Schedules.List " + a.namespaceOf(a.org)
			op := a.pauseAll("")
			if kind == operation.ResumeSchedules {
				a.mustReview()
				in, op = "Rows.Unhold", a.resumeAll()
			}
			a.breaks(in, fault.ErrInvalid)
			before := len(a.trail())
			for _, port := range []string{"Audit.Append", "Commit"} {
				a.breaks(port, fault.ErrUnavailable)
				_, err := a.review()
				is.True(errors.Is(err, fault.ErrUnavailable))
				is.True(!a.is(op).State.Ended())
				is.Equal(len(a.trail()), before)
				a.mends(port)
			}
			_, _ = a.review() // as the workflow does, until it is over
			is.Equal(a.is(op).State, operation.Failed)
			is.Equal(a.is(op).Attempts, 1)
			trail := a.trail()
			is.Equal(len(trail), before+1)
			last := trail[before]
			is.Equal(last.Action, want)
			is.Equal(last.Actor, whoIs(authz.Keeper))
			is.Equal(last.Outcome, audit.Errored.String())
			is.Equal(last.ResourceID, op.String())
			is.Equal(last.Changes["reason"], audit.Created(fault.ErrInvalid.Public))
		})
	}

	t.Run("Should refuse what is no note, and whoever may not change schedules", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := newAll(t)
		a.addSystem()
		_, err := a.s.schedules.PauseAll(t.Context(), a.by, a.org, strings.Repeat("x", schedule.MaxNoteLen+1))
		is.True(fault.IsKind(err, fault.Invalid))
		_, err = a.s.schedules.ResumeAll(t.Context(), holder(a.org, authz.Viewer), a.org, "")
		is.True(errors.Is(err, fault.ErrForbidden))
		_, err = a.s.schedules.PauseAll(t.Context(), operator(), id.SystemOrg, "")
		is.True(errors.Is(err, org.ErrReserved))
		is.Equal(len(a.trail()), 0)
	})

	// Whoever may not resume a schedule, as the allow-list has it, would have it resumed so.
	t.Run("Should take a hold's mark from nobody, for what somebody has paused to stay so", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := newAll(t)
		a.temporal.put("on", false, "")
		a.mustReview()
		forged := schedule.Hold{Kind: schedule.Bulk, ID: a.pauseAll("").UUID()}.Mark()
		a.mustReview()
		a.temporal.put("on", true, "never again") // by somebody else
		for _, note := range []string{forged, "mine " + forged} {
			_, err := a.s.schedules.Pause(t.Context(), a.by, a.org, "on", note)
			is.True(fault.IsKind(err, fault.Invalid))
			_, err = a.s.schedules.Resume(t.Context(), a.by, a.org, "on", note)
			is.True(fault.IsKind(err, fault.Invalid))
			_, err = a.s.schedules.PauseAll(t.Context(), a.by, a.org, note)
			is.True(fault.IsKind(err, fault.Invalid))
		}
		a.resumeAll()
		a.mustReview()
		is.Equal(a.paused(), []string{"on"})
		is.Equal(a.temporal.of("on").Note, "never again")
	})

	// A step that is cut short anywhere is taken again.
	for _, kind := range []operation.Kind{operation.PauseSchedules, operation.ResumeSchedules} {
		for _, port := range []string{
			"WriteTx", "Commit", "Rows.Hold", "Rows.Unhold", "Rows.Learn", "Operations.Update", "Audit.Append", "Orgs.Lock",
			"Schedules.Hold", "Schedules.Release", "Schedules.Describe", "Schedules.List", "Reads.Schedules", "Reads.OpenOperation",
		} {
			t.Run(fmt.Sprintf("Should mend when %s fails during %s", port, kind), func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				a := newAll(t)
				for _, i := range []string{"a", "b", "c"} {
					a.temporal.put(i, i == "b", "")
				}
				op := a.pauseAll("")
				if kind == operation.ResumeSchedules {
					a.mustReview()
					op = a.resumeAll()
				}
				name := map[bool]string{true: port + " " + a.namespaceOf(a.org), false: port}[strings.HasPrefix(port, "Schedules.")]
				if port == "Schedules.Hold" || port == "Schedules.Release" {
					name += " a"
				}
				a.breaks(name, fault.ErrUnavailable)
				left, err := a.review()
				is.True(err == nil || errors.Is(err, fault.ErrUnavailable))
				if o := a.is(op); err == nil && left.Wait > 0 {
					is.True(o.Failure != "") // it says what is in the way
				}
				a.mends(name)
				a.mustReview()
				want := map[operation.Kind][]string{operation.PauseSchedules: {"a", "b", "c"}, operation.ResumeSchedules: {"b"}}[kind]
				is.Equal(a.paused(), want)
				is.Equal(a.is(op).State, operation.Succeeded)
				a.resumeAll()
				a.mustReview()
				is.Equal(a.paused(), []string{"b"})
			})
		}
	}

	t.Run("Should be done by the message in its transaction", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := newAll(t)
		pause := a.pauseAll("")
		a.forget()
		n, err := a.s.relay.Deliver(t.Context())
		is.NoErr(err)
		is.Equal(n, 1)
		is.Equal(a.count("ReviewSchedules "+a.org.String()), 1)
		a.breaks("Commit", fault.ErrUnavailable)
		_, err = a.s.schedules.ResumeAll(t.Context(), a.by, a.org, "")
		is.True(errors.Is(err, fault.ErrUnavailable))
		a.mends("Commit")
		still, err := a.store.Reads(a.org).OpenOperation(t.Context(), operation.OfSchedules())
		is.NoErr(err)
		is.Equal(still.Snapshot().ID, pause) // all of it, or nothing
	})
}

// payload is that of the messages to the keeper.
func (k *keeper) payload() outbox.SchedulesPayload {
	return outbox.SchedulesPayload{Organization: k.org}
}

// stale shows an operation as it was.
type stale struct {
	store
	op operation.Operation
}

func (s stale) Reads(o id.Org) ports.Reads { return staleReads{s.store.Reads(o), s.op} }

type staleReads struct {
	ports.Reads
	op operation.Operation
}

func (r staleReads) OpenOperation(context.Context, []operation.Kind) (operation.Operation, error) {
	return r.op, nil
}

// staleOrg shows an organization as it was.
type staleOrg struct {
	store
	row org.Org
}

func (s staleOrg) Reads(o id.Org) ports.Reads { return staleOrgReads{s.store.Reads(o), s.row} }

type staleOrgReads struct {
	ports.Reads
	row org.Org
}

func (r staleOrgReads) Org(context.Context) (org.Org, error) { return r.row, nil }
