package usecase_test

import (
	"context"
	"errors"
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
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
)

// backfilled is how many workflows any backfill would start.
const backfilled = 3

var (
	nightly = schedule.Schedule{
		ID: "nightly", Spec: schedule.Spec{Crons: []string{"0 3 * * *"}}, Action: schedule.Action{Type: "Report", TaskQueue: "reports"},
	}
	lastHour = schedule.Backfill{
		From: time.Date(2026, 1, 2, 2, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), Overlap: schedule.AllowAll,
	}
)

// scheduler is the schedules of Temporal. It decides nothing, as the rest of temporal.
type scheduler struct{ *temporal }

func (d scheduler) Create(_ context.Context, namespace string, by authz.Actor, s schedule.Schedule) error {
	d.schedules, d.starters = append(d.schedules, s), append(d.starters, by)
	return d.remote("Schedules.Create " + namespace)
}

func (d scheduler) Describe(_ context.Context, namespace, scheduleID string) (schedule.Status, error) {
	is := schedule.Schedule{ID: scheduleID, Action: d.does}
	for _, s := range d.planned {
		if s.ID == scheduleID {
			is = s
		}
	}
	return schedule.Status{Schedule: is, Version: 1}, d.remote("Schedules.Describe " + namespace)
}

func (d scheduler) List(_ context.Context, namespace string, r page.TokenRequest) (out page.TokenPage[schedule.Summary], _ error) {
	for i, s := range d.planned {
		if i == r.Limit {
			out.Next = []byte("more")
			break
		}
		out.Items = append(out.Items, schedule.Summary{ID: s.ID})
	}
	return out, d.remote("Schedules.List " + namespace)
}

func (d scheduler) Update(_ context.Context, namespace string, by authz.Actor, _ string, _ int64, _ schedule.Change) error {
	d.starters = append(d.starters, by)
	return d.remote("Schedules.Update " + namespace)
}

func (d scheduler) Pause(_ context.Context, namespace, _, note string) error {
	return d.remote("Schedules.Pause " + namespace + " " + note)
}

func (d scheduler) Unpause(_ context.Context, namespace, _, note string) error {
	return d.remote("Schedules.Unpause " + namespace + " " + note)
}

func (d scheduler) Hold(_ context.Context, namespace, scheduleID, _ string) error {
	return d.remote("Schedules.Hold " + namespace + " " + scheduleID)
}

func (d scheduler) Release(_ context.Context, namespace, scheduleID, _, _ string) (bool, error) {
	return true, d.remote("Schedules.Release " + namespace + " " + scheduleID)
}

func (d scheduler) Trigger(_ context.Context, namespace, _ string, _ schedule.Overlap) error {
	return d.remote("Schedules.Trigger " + namespace)
}

func (d scheduler) Backfill(_ context.Context, namespace, _ string, _ schedule.Backfill, admit func(n int) error) (int, error) {
	if err := admit(backfilled); err != nil {
		return 0, err
	}
	return backfilled, d.remote("Schedules.Backfill " + namespace)
}

func (d scheduler) DeleteAll(_ context.Context, namespace string) error {
	return d.remote("Schedules.DeleteAll " + namespace)
}

func (d scheduler) Delete(_ context.Context, namespace, _ string, _ int64) error {
	return d.remote("Schedules.Delete " + namespace)
}

// scheduleWrites is every use case that changes something in Temporal.
var scheduleWrites = map[string]struct {
	action audit.Action
	remote string
	call   func(s services, ctx context.Context, by authz.Actor, o id.Org) error
}{
	"Create":   {audit.ScheduleCreateRequested, "Create", account["schedules.Create"].call},
	"Update":   {audit.ScheduleUpdateRequested, "Update", account["schedules.Update"].call},
	"Pause":    {audit.SchedulePauseRequested, "Pause", account["schedules.Pause"].call},
	"Resume":   {audit.ScheduleResumeRequested, "Unpause", account["schedules.Resume"].call},
	"Trigger":  {audit.ScheduleTriggerRequested, "Trigger", account["schedules.Trigger"].call},
	"Backfill": {audit.ScheduleBackfillRequested, "Backfill", account["schedules.Backfill"].call},
	"Delete":   {audit.ScheduleDeleteRequested, "Delete", account["schedules.Delete"].call},
}

func TestSchedules(t *testing.T) {
	t.Parallel()

	for name, write := range scheduleWrites {
		t.Run("Should stand in the trail before it is done, in the organization's namespace: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			o := w.addOrg("own", org.Active)
			by := holder(o, authz.Member)
			is.NoErr(write.call(newServices(w), t.Context(), by, o))
			seen := 0
			called := slices.DeleteFunc(w.called(), func(c string) bool { // what is found out besides changes nothing
				if c == "Reads.Org" {
					seen++
				}
				return c == "Schedules.Describe "+w.namespaceOf(o) || c == "Buckets.Take" || strings.HasPrefix(c, "Count ") || (c == "Reads.Org" && seen > 1)
			})
			remote := slices.IndexFunc(called, func(c string) bool { return strings.HasPrefix(c, "Schedules.") })
			is.Equal(called[0], "Reads.Org")
			is.Equal(called[1], "WriteTx")
			is.Equal(called[remote-1], "Audit.Append")
			is.True(strings.HasPrefix(called[remote], "Schedules."+write.remote+" "+w.namespaceOf(o)))
			is.Equal(len(slices.DeleteFunc(called, func(c string) bool { return !strings.HasPrefix(c, "Schedules.") })), 1)
			trail := w.trail()
			is.Equal(len(trail), 1)
			is.Equal(trail[0].Action, write.action.String())
			is.Equal(trail[0].Org, o)
			is.Equal(trail[0].ResourceType, "schedule")
			is.Equal(trail[0].ResourceID, "nightly")
			is.Equal(trail[0].Actor, whoIs(by))
		})

		t.Run("Should do nothing that nobody can account for: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			for _, port := range []string{"Reads.Org", "WriteTx", "Audit.Append", "Commit"} {
				w := newWorld(t)
				w.breaks(port, fault.ErrUnavailable)
				o := w.addOrg("own", org.Active)
				is.True(errors.Is(write.call(newServices(w), t.Context(), holder(o, authz.Member), o), fault.ErrUnavailable))
				is.True(!slices.ContainsFunc(w.called(), func(c string) bool { return strings.HasPrefix(c, "Schedules."+write.remote) }))
			}
		})

		t.Run("Should ask nothing of an organization that is not active: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			w.addSystem()
			s := newServices(w)
			for _, state := range []org.State{org.Provisioning, org.Suspended, org.Deleting} {
				o := w.addOrg("org-"+state.String(), state)
				is.True(errors.Is(write.call(s, t.Context(), holder(id.SystemOrg, authz.Operator), o), org.ErrNotActive))
			}
			is.True(errors.Is(write.call(s, t.Context(), holder(id.SystemOrg, authz.Operator), id.SystemOrg), org.ErrReserved))
			is.True(!slices.Contains(w.called(), "WriteTx"))
		})
	}

	for name, write := range scheduleWrites {
		if name == "Create" {
			continue
		}
		t.Run("Should leave no trace of what is not there: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			o := w.addOrg("own", org.Active)
			w.breaks("Schedules.Describe "+w.namespaceOf(o), schedule.ErrNotFound)
			is.True(errors.Is(write.call(newServices(w), t.Context(), holder(o, authz.Member), o), schedule.ErrNotFound))
			is.Equal(len(w.trail()), 0)
			is.True(!slices.Contains(w.called(), "WriteTx"))
		})
	}

	t.Run("Should write nothing down for a version that is gone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s, by := newServices(w), holder(o, authz.Member)
		_, err := s.schedules.Update(t.Context(), by, o, "nightly", 7, schedule.Change{Policy: &schedule.Policy{}})
		is.True(errors.Is(err, fault.ErrStale))
		is.True(errors.Is(s.schedules.Delete(t.Context(), by, o, "nightly", 7), fault.ErrStale))
		is.True(!slices.Contains(w.called(), "WriteTx"))
	})

	t.Run("Should choose an id for whoever names none, a new one each time", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s := newServices(w)
		unnamed := nightly
		unnamed.ID = ""
		a, err := s.schedules.Create(t.Context(), holder(o, authz.Member), o, unnamed)
		is.NoErr(err)
		b, err := s.schedules.Create(t.Context(), holder(o, authz.Member), o, unnamed)
		is.NoErr(err)
		is.True(strings.HasPrefix(a.ID, "sch-") && a.ID != b.ID)
		is.Equal(w.temporal.schedules[0].ID, a.ID)
	})

	t.Run("Should refuse a broken rule before anything is asked", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s, by := newServices(w), holder(o, authz.Member)
		bad := nightly
		bad.Spec = schedule.Spec{}
		_, err := s.schedules.Create(t.Context(), by, o, bad)
		is.True(errors.Is(err, fault.ErrInvalid))
		_, err = s.schedules.Update(t.Context(), by, o, "nightly", 0, schedule.Change{})
		is.True(errors.Is(err, fault.ErrInvalid))
		_, err = s.schedules.Pause(t.Context(), by, o, "nightly", " ")
		is.True(errors.Is(err, fault.ErrInvalid))
		_, err = s.schedules.Backfill(t.Context(), by, o, "nightly", schedule.Backfill{})
		is.True(errors.Is(err, fault.ErrInvalid))
		_, err = s.schedules.Get(t.Context(), by, o, " ")
		is.True(errors.Is(err, schedule.ErrNotFound))
		is.Equal(len(w.called()), 0)
	})
}
