package porttest

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/ports"
)

// SchedulesSetup is an implementation under test, with the world it needs.
type SchedulesSetup struct {
	Schedules ports.Schedules
	Namespace string // a tenant's
	Other     string // another tenant's, without schedules
	Absent    string // nobody's
	// Started returns the workflows of a type that were started, and by whom each is
	// recorded to be, by their ids.
	Started func(t *testing.T, workflowType string) map[string]string
}

// schedules is one run of the suite.
type schedules struct {
	SchedulesSetup
	by authz.Actor
}

// Schedules is the contract of ports.Schedules.
func Schedules(t *testing.T, setup SchedulesSetup) {
	s := schedules{setup, aMember()}
	for name, test := range map[string]func(*testing.T){
		"Should describe what it made":                                   s.describes,
		"Should start by the clock, for whoever made it":                 s.starts,
		"Should make one of an id, and of a claimed request":             s.createsOnce,
		"Should list in pages":                                           s.lists,
		"Should change what is named, of the version that is meant":      s.updates,
		"Should pause and go on with a note":                             s.pauses,
		"Should hold what runs, and release what nobody has taken over":  s.holds,
		"Should start now what it is asked to":                           s.triggers,
		"Should make up for the times that are asked for, within bounds": s.backfills,
		"Should delete the version that is meant":                        s.deletes,
		"Should find nothing of what is absent or another's":             s.absent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// rarely is a schedule that starts nothing while a test lasts.
func rarely() schedule.Schedule {
	return schedule.Schedule{
		ID: "suite/" + uuid.NewString(), Spec: schedule.Spec{Intervals: []schedule.Interval{{Every: 1000 * time.Hour, Offset: time.Hour}}},
		Action: schedule.Action{Type: "T-" + uuid.NewString(), TaskQueue: "q"},
	}
}

func (s schedules) make(t *testing.T, in schedule.Schedule) schedule.Schedule {
	t.Helper()
	if err := s.Schedules.Create(t.Context(), s.Namespace, s.by, in); err != nil {
		t.Fatalf("create %s: %v", in.ID, err)
	}
	return in
}

func (s schedules) status(t *testing.T, scheduleID string) schedule.Status {
	t.Helper()
	got, err := s.Schedules.Describe(t.Context(), s.Namespace, scheduleID)
	if err != nil {
		t.Fatalf("describe %s: %v", scheduleID, err)
	}
	return got
}

func (s schedules) describes(t *testing.T) {
	is := is.New(t)
	in := rarely()
	in.Spec = schedule.Spec{
		Calendars: []schedule.Calendar{{Hour: []schedule.Range{{Start: 9, End: 17, Step: 4}}, Year: []schedule.Range{{Start: 2090}}, Comment: "nine to five"}},
		Intervals: []schedule.Interval{{Every: 1000 * time.Hour, Offset: time.Hour}},
		Crons:     []string{"30 4 1 jan *"},
		TimeZone:  "Europe/Berlin", Jitter: time.Minute,
		StartAt: time.Date(2080, 1, 1, 0, 0, 0, 0, time.UTC), EndAt: time.Date(2095, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	in.Action.Input = []json.RawMessage{json.RawMessage(`{"n":1152921504606846977}`), json.RawMessage(`null`)}
	in.Action.IDPrefix, in.Action.ExecutionTimeout, in.Action.RunTimeout = "prefix", time.Hour, time.Minute
	in.Policy = schedule.Policy{Overlap: schedule.BufferOne, Catchup: time.Hour, PauseOnFailure: true}
	in.Paused, in.Note = true, "not yet"
	s.make(t, in)
	got := s.status(t, in.ID)
	is.Equal(got.Action, in.Action)
	is.Equal(got.Policy, in.Policy)
	is.True(got.Paused)
	is.Equal(got.Note, "not yet")
	is.True(got.Version > 0)
	is.Equal(got.Spec.TimeZone, "Europe/Berlin")
	is.Equal(got.Spec.Jitter, time.Minute)
	is.True(got.Spec.StartAt.Equal(in.Spec.StartAt) && got.Spec.EndAt.Equal(in.Spec.EndAt))
	is.Equal(got.Spec.Intervals, in.Spec.Intervals)
	i := slices.IndexFunc(got.Spec.Calendars, func(c schedule.Calendar) bool { return c.Comment == "nine to five" })
	is.True(i >= 0)
	nine := got.Spec.Calendars[i]
	is.Equal(nine.Hour, []schedule.Range{{Start: 9, End: 17, Step: 4}})
	is.Equal(nine.Minute, []schedule.Range{{Start: 0, End: 0, Step: 1}})
	is.Equal(nine.DayOfMonth, []schedule.Range{{Start: 1, End: 31, Step: 1}})
	// A cron is shown as it was given: as itself, or as the comment of the calendar that it means.
	is.True(slices.Contains(got.Spec.Crons, "30 4 1 jan *") ||
		slices.ContainsFunc(got.Spec.Calendars, func(c schedule.Calendar) bool { return c.Comment == "30 4 1 jan *" }))
	is.True(!got.CreatedAt.IsZero())
	is.Equal(len(got.Recent), 0)
}

func (s schedules) starts(t *testing.T) {
	is := is.New(t)
	in := rarely()
	in.Spec.Intervals = []schedule.Interval{{Every: time.Second}}
	in.Policy.Overlap = schedule.AllowAll
	s.make(t, in)
	defer func() { is.NoErr(s.Schedules.Delete(t.Context(), s.Namespace, in.ID, 0)) }()
	s.until(t, "two were started", func() bool { return len(s.status(t, in.ID).Recent) >= 2 })
	run := s.status(t, in.ID).Recent[0]
	is.True(strings.HasPrefix(run.WorkflowID, in.ID))
	is.True(run.RunID != "" && !run.ScheduledAt.IsZero() && !run.StartedAt.IsZero())
	is.True(len(s.status(t, in.ID).Next) > 0)
	s.until(t, "it is recorded who", func() bool { return s.Started(t, in.Action.Type)[run.WorkflowID] == s.by.Subject() })
}

func (s schedules) createsOnce(t *testing.T) {
	is := is.New(t)
	in := s.make(t, rarely())
	is.True(errors.Is(s.Schedules.Create(t.Context(), s.Namespace, s.by, in), schedule.ErrExists))
	is.True(fault.IsKind(s.Schedules.Create(t.Context(), s.Namespace, authz.Actor{}, rarely()), fault.Unauthenticated))

	in = rarely()
	claimed := idempotency.With(t.Context(), idempotency.Claim{
		Request: idempotency.Request{Org: id.New[id.OrgKind](), Operation: "createSchedule"}, Token: uuid.New(),
	})
	is.NoErr(s.Schedules.Create(claimed, s.Namespace, s.by, in))
	is.NoErr(s.Schedules.Create(claimed, s.Namespace, s.by, in)) // the same request
	is.True(errors.Is(s.Schedules.Create(t.Context(), s.Namespace, s.by, in), schedule.ErrExists))
}

func (s schedules) lists(t *testing.T) {
	is := is.New(t)
	want := []string{s.make(t, rarely()).ID, s.make(t, rarely()).ID, s.make(t, rarely()).ID}
	all := func() (found []schedule.Summary) {
		for after := []byte(nil); ; {
			p, err := s.Schedules.List(t.Context(), s.Namespace, page.TokenRequest{Limit: 2, Token: after})
			is.NoErr(err)
			is.True(len(p.Items) <= 2)
			found = append(found, p.Items...)
			if after = p.Next; after == nil {
				return found
			}
		}
	}
	s.until(t, "all are listed", func() bool {
		found := all()
		return !slices.ContainsFunc(want, func(i string) bool {
			return !slices.ContainsFunc(found, func(f schedule.Summary) bool { return f.ID == i && f.Type != "" && !f.Paused })
		})
	})
	other, err := s.Schedules.List(t.Context(), s.Other, page.TokenRequest{Limit: 2})
	is.NoErr(err)
	is.Equal(len(other.Items), 0)
}

func (s schedules) updates(t *testing.T) {
	is := is.New(t)
	in := rarely()
	in.Policy.Overlap = schedule.BufferOne
	s.make(t, in)
	first := s.status(t, in.ID)
	is.NoErr(s.Schedules.Update(t.Context(), s.Namespace, s.by, in.ID, first.Version, schedule.Change{
		Spec: &schedule.Spec{Intervals: []schedule.Interval{{Every: 2000 * time.Hour}}},
	}))
	second := s.status(t, in.ID)
	is.Equal(second.Spec.Intervals[0].Every, 2000*time.Hour)
	is.Equal(second.Action, first.Action) // what is not named stays
	is.Equal(second.Policy, first.Policy)
	is.True(second.Version > first.Version)

	change := schedule.Change{Action: &schedule.Action{Type: "Other", TaskQueue: "other"}, Policy: &schedule.Policy{PauseOnFailure: true}}
	is.True(errors.Is(s.Schedules.Update(t.Context(), s.Namespace, s.by, in.ID, first.Version, change), fault.ErrStale))
	is.Equal(s.status(t, in.ID).Action.Type, in.Action.Type)
	is.NoErr(s.Schedules.Update(t.Context(), s.Namespace, s.by, in.ID, 0, change))
	third := s.status(t, in.ID)
	is.Equal(third.Action.Type, "Other")
	is.Equal(third.Policy, schedule.Policy{Overlap: schedule.Skip, Catchup: schedule.DefaultCatchup, PauseOnFailure: true})
}

func (s schedules) pauses(t *testing.T) {
	is := is.New(t)
	in := s.make(t, rarely())
	first := s.status(t, in.ID)
	is.NoErr(s.Schedules.Pause(t.Context(), s.Namespace, in.ID, "a holiday"))
	paused := s.status(t, in.ID)
	is.True(paused.Paused)
	is.Equal(paused.Note, "a holiday")
	is.True(paused.Version > first.Version)
	is.NoErr(s.Schedules.Pause(t.Context(), s.Namespace, in.ID, ""))
	is.True(s.status(t, in.ID).Paused)
	is.NoErr(s.Schedules.Unpause(t.Context(), s.Namespace, in.ID, ""))
	is.True(!s.status(t, in.ID).Paused)
	is.NoErr(s.Schedules.Unpause(t.Context(), s.Namespace, in.ID, "back"))
	is.Equal(s.status(t, in.ID).Note, "back")
}

func (s schedules) holds(t *testing.T) {
	is := is.New(t)
	in := s.make(t, rarely())
	release := func(mark string, runs bool) {
		t.Helper()
		found, err := s.Schedules.Release(t.Context(), s.Namespace, in.ID, mark, "released")
		is.NoErr(err)
		is.Equal(found, runs)
	}
	release("[a]", true) // it is not paused at all
	is.Equal(s.status(t, in.ID).Note, "")
	is.NoErr(s.Schedules.Hold(t.Context(), s.Namespace, in.ID, "held [a]"))
	is.NoErr(s.Schedules.Hold(t.Context(), s.Namespace, in.ID, "held [b]"))
	held := s.status(t, in.ID)
	is.True(held.Paused)
	is.Equal(held.Note, "held [a]") // whoever came first
	release("[b]", false)
	is.Equal(s.status(t, in.ID).Version, held.Version)
	release("[a]", true)
	release("[a]", true) // as who is not sure of having done it
	released := s.status(t, in.ID)
	is.True(!released.Paused)
	is.Equal(released.Note, "released")
	is.NoErr(s.Schedules.Pause(t.Context(), s.Namespace, in.ID, "a holiday"))
	is.NoErr(s.Schedules.Hold(t.Context(), s.Namespace, in.ID, "held [c]"))
	is.Equal(s.status(t, in.ID).Note, "a holiday")
}

func (s schedules) triggers(t *testing.T) {
	is := is.New(t)
	in := rarely()
	in.Paused = true
	s.make(t, in)
	is.NoErr(s.Schedules.Trigger(t.Context(), s.Namespace, in.ID, schedule.AllowAll))
	s.until(t, "it was started", func() bool { return len(s.Started(t, in.Action.Type)) == 1 })
	s.until(t, "the second is over, which the id of what was started tells", passed(t, time.Second))
	is.NoErr(s.Schedules.Trigger(t.Context(), s.Namespace, in.ID, schedule.Overlap{}))
	is.NoErr(s.Schedules.Trigger(t.Context(), s.Namespace, in.ID, schedule.AllowAll))
	s.until(t, "it was started again", func() bool { return len(s.Started(t, in.Action.Type)) == 2 })
	is.True(s.status(t, in.ID).Paused)
}

// admitted lets any number of workflows be started.
func admitted(int) error { return nil }

func (s schedules) backfills(t *testing.T) {
	is := is.New(t)
	in := rarely()
	in.Spec.Intervals = []schedule.Interval{{Every: time.Hour}}
	in.Paused = true
	s.make(t, in)
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	_, err := s.Schedules.Backfill(t.Context(), s.Namespace, in.ID, schedule.Backfill{From: at, To: at.Add(2 * time.Hour)}, func(n int) error {
		is.Equal(n, 3)
		return limit.ErrExceeded
	})
	is.True(errors.Is(err, limit.ErrExceeded)) // and nothing is started: what follows counts
	n, err := s.Schedules.Backfill(t.Context(), s.Namespace, in.ID, schedule.Backfill{From: at, To: at.Add(2 * time.Hour), Overlap: schedule.AllowAll}, admitted)
	is.NoErr(err)
	is.Equal(n, 3) // both ends included
	s.until(t, "all are started", func() bool { return len(s.Started(t, in.Action.Type)) == 3 })
	n, err = s.Schedules.Backfill(t.Context(), s.Namespace, in.ID, schedule.Backfill{From: at.Add(time.Minute), To: at.Add(2 * time.Minute)}, admitted)
	is.NoErr(err)
	is.Equal(n, 0)
	_, err = s.Schedules.Backfill(t.Context(), s.Namespace, in.ID, schedule.Backfill{From: at.Add(-schedule.MaxBackfillRuns * time.Hour), To: at}, admitted)
	is.True(errors.Is(err, fault.ErrInvalid))
	is.Equal(fault.From(err).Fields[0].Rule, "max_runs")
}

func (s schedules) deletes(t *testing.T) {
	is := is.New(t)
	in := s.make(t, rarely())
	first := s.status(t, in.ID).Version
	is.NoErr(s.Schedules.Pause(t.Context(), s.Namespace, in.ID, ""))
	is.True(errors.Is(s.Schedules.Delete(t.Context(), s.Namespace, in.ID, first), fault.ErrStale))
	is.NoErr(s.Schedules.Delete(t.Context(), s.Namespace, in.ID, s.status(t, in.ID).Version))
	_, err := s.Schedules.Describe(t.Context(), s.Namespace, in.ID)
	is.True(errors.Is(err, schedule.ErrNotFound))
	is.True(errors.Is(s.Schedules.Delete(t.Context(), s.Namespace, in.ID, 0), schedule.ErrNotFound))
	is.NoErr(s.Schedules.Create(t.Context(), s.Namespace, s.by, in)) // the id is free again
}

func (s schedules) absent(t *testing.T) {
	in := s.make(t, rarely())
	now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, at := range map[string][2]string{
		"unknown id": {s.Namespace, "suite/" + uuid.NewString()}, "other namespace": {s.Other, in.ID}, "unknown namespace": {s.Absent, in.ID},
	} {
		t.Run("Should not find an "+name, func(t *testing.T) {
			is := is.New(t)
			_, err := s.Schedules.Describe(t.Context(), at[0], at[1])
			is.True(errors.Is(err, schedule.ErrNotFound))
			_, err = s.Schedules.Backfill(t.Context(), at[0], at[1], schedule.Backfill{From: now.Add(-time.Hour), To: now}, admitted)
			is.True(errors.Is(err, schedule.ErrNotFound))
			_, err = s.Schedules.Release(t.Context(), at[0], at[1], "held", "released")
			is.True(errors.Is(err, schedule.ErrNotFound))
			for _, err := range []error{
				s.Schedules.Update(t.Context(), at[0], s.by, at[1], 0, schedule.Change{Policy: &schedule.Policy{}}),
				s.Schedules.Pause(t.Context(), at[0], at[1], ""),
				s.Schedules.Unpause(t.Context(), at[0], at[1], ""),
				s.Schedules.Hold(t.Context(), at[0], at[1], "held"),
				s.Schedules.Trigger(t.Context(), at[0], at[1], schedule.Skip),
				s.Schedules.Delete(t.Context(), at[0], at[1], 0),
			} {
				is.True(errors.Is(err, schedule.ErrNotFound))
			}
		})
	}
	t.Run("Should make and list nothing in an unknown namespace", func(t *testing.T) {
		is := is.New(t)
		is.True(errors.Is(s.Schedules.Create(t.Context(), s.Absent, s.by, rarely()), schedule.ErrNotFound))
		_, err := s.Schedules.List(t.Context(), s.Absent, page.TokenRequest{Limit: 2})
		is.True(errors.Is(err, schedule.ErrNotFound))
	})
}

// until waits for what must come true.
func (schedules) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := passed(t, waitLimit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if late() {
			t.Fatalf("still waiting: %s", what)
		}
		<-tick.C
	}
}
