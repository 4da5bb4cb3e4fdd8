package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
)

const (
	schedulesURL = acmeURL + "/schedules"
	goodSchedule = `{"schedule_id":"nightly","spec":{"crons":["0 3 * * *"]},"action":{"type":"Report","task_queue":"reports"}}`
)

// wholeSchedule is a schedule with everything that it can hold.
var wholeSchedule = schedule.Schedule{
	ID: "nightly",
	Spec: schedule.Spec{
		Calendars: []schedule.Calendar{{
			Second: []schedule.Range{{Start: 1, End: 2, Step: 1}}, Minute: []schedule.Range{{Start: 3, End: 9, Step: 3}},
			Hour: []schedule.Range{{Start: 4, End: 4, Step: 1}}, DayOfMonth: []schedule.Range{{Start: 5, End: 6, Step: 1}},
			Month: []schedule.Range{{Start: 7, End: 8, Step: 1}}, Year: []schedule.Range{{Start: 2030, End: 2040, Step: 2}},
			DayOfWeek: []schedule.Range{{Start: 1, End: 5, Step: 1}}, Comment: "now and then",
		}},
		Intervals: []schedule.Interval{{Every: time.Hour, Offset: time.Minute}},
		Crons:     []string{"0 3 * * *"},
		TimeZone:  "Europe/Berlin", Jitter: time.Second, StartAt: now, EndAt: now.Add(time.Hour),
	},
	Action: schedule.Action{
		IDPrefix: "report", Type: "Report", TaskQueue: "reports", Input: []json.RawMessage{json.RawMessage(`{"n":1}`)},
		ExecutionTimeout: 2 * time.Hour, RunTimeout: time.Hour,
	},
	Policy: schedule.Policy{Overlap: schedule.BufferAll, Catchup: time.Minute, PauseOnFailure: true},
	Paused: true, Note: "a holiday",
}

// scheduling is what schedules were last told.
type scheduling struct {
	made     schedule.Schedule
	version  int64 // what the last change was meant for
	change   schedule.Change
	note     string
	after    string // which page was asked for
	overlap  schedule.Overlap
	backfill schedule.Backfill
}

// scheduler knows one schedule, and notes what it is told.
type scheduler struct{ *memory }

func (s scheduler) Create(_ context.Context, _ string, _ authz.Actor, in schedule.Schedule) error {
	s.planned.made = in
	return nil
}

func (scheduler) Describe(_ context.Context, _, scheduleID string) (schedule.Status, error) {
	if scheduleID != wholeSchedule.ID {
		return schedule.Status{}, schedule.ErrNotFound
	}
	return schedule.Status{
		Schedule: wholeSchedule, Version: 3, Next: []time.Time{now}, CreatedAt: now, UpdatedAt: now,
		Recent: []schedule.Run{{ScheduledAt: now, StartedAt: now, WorkflowID: "report-1", RunID: "run"}},
	}, nil
}

func (s scheduler) List(_ context.Context, _ string, r page.TokenRequest) (page.TokenPage[schedule.Summary], error) {
	s.planned.after = string(r.Token)
	listed := page.TokenPage[schedule.Summary]{
		Items: []schedule.Summary{{ID: "nightly", Type: "Report", Paused: true, Note: "a holiday", Next: []time.Time{now}}},
	}
	if len(r.Token) == 0 { // a second page is the last one
		listed.Next = []byte("here")
	}
	return listed, nil
}

func (s scheduler) Update(_ context.Context, _ string, _ authz.Actor, _ string, version int64, c schedule.Change) error {
	s.planned.version, s.planned.change = version, c
	return nil
}

func (s scheduler) Pause(_ context.Context, _, _, note string) error {
	s.planned.note = "paused: " + note
	return nil
}

func (s scheduler) Unpause(_ context.Context, _, _, note string) error {
	s.planned.note = "resumed: " + note
	return nil
}

func (scheduler) Hold(context.Context, string, string, string) error { return nil }

func (scheduler) Release(context.Context, string, string, string, string) (bool, error) {
	return true, nil
}

func (s scheduler) Trigger(_ context.Context, _, _ string, o schedule.Overlap) error {
	s.planned.overlap = o
	return nil
}

func (s scheduler) Backfill(_ context.Context, _, _ string, b schedule.Backfill, _ func(n int) error) (int, error) {
	s.planned.backfill = b
	return 7, nil
}

func (scheduler) DeleteAll(context.Context, string) error { return nil }

func (s scheduler) Delete(_ context.Context, _, _ string, version int64) error {
	s.planned.version = version
	return nil
}

func TestSchedules(t *testing.T) {
	t.Parallel()

	t.Run("Should create what it shows", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		shown := b.do(request("GET", schedulesURL+"/nightly", b.admin, ""))
		var body map[string]any
		is.NoErr(json.Unmarshal(shown.Body.Bytes(), &body))
		is.Equal(body["etag"], shown.Header().Get("ETag"))
		for _, only := range []string{"next_at", "recent", "created_at", "updated_at", "etag"} {
			is.True(body[only] != nil)
			delete(body, only)
		}
		again, err := json.Marshal(body)
		is.NoErr(err)
		made := b.do(request("POST", schedulesURL, b.admin, string(again)))
		is.Equal(made.Code, http.StatusCreated)
		is.Equal(made.Header().Get("Location"), "/api/v0/organizations/"+b.acme.ID().String()+"/schedules/nightly")
		is.Equal(made.Header().Get("ETag"), shown.Header().Get("ETag"))
		is.Equal(b.memory.planned.made, wholeSchedule)
	})

	t.Run("Should change what is named, of the version that was shown", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		change := request("PATCH", schedulesURL+"/nightly", b.admin, `{"action":{"type":"Other","task_queue":"others"},"policy":{"overlap":"skip"}}`)
		is.Equal(b.do(change).Code, http.StatusPreconditionRequired)
		change = request("PATCH", schedulesURL+"/nightly", b.admin, `{"action":{"type":"Other","task_queue":"others"},"policy":{"overlap":"skip"}}`)
		change.Header.Set("If-Match", b.do(request("GET", schedulesURL+"/nightly", b.admin, "")).Header().Get("ETag"))
		is.Equal(b.do(change).Code, http.StatusOK)
		is.Equal(b.memory.planned.version, int64(3))
		is.Equal(*b.memory.planned.change.Action, schedule.Action{Type: "Other", TaskQueue: "others"})
		is.Equal(*b.memory.planned.change.Policy, schedule.Policy{Overlap: schedule.Skip})
		is.Equal(b.memory.planned.change.Spec, nil)
		bare := request("DELETE", schedulesURL+"/nightly", b.admin, "")
		is.Equal(b.do(bare).Code, http.StatusPreconditionRequired)
		foreign := request("DELETE", schedulesURL+"/nightly", b.admin, "")
		foreign.Header.Set("If-Match", `"3.made-up"`)
		is.Equal(b.do(foreign).Code, http.StatusPreconditionFailed)
	})

	t.Run("Should page by a cursor of this list alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		var list struct {
			Items      []map[string]any `json:"items"`
			NextCursor string           `json:"next_cursor"`
		}
		is.NoErr(json.Unmarshal(b.do(request("GET", schedulesURL, b.admin, "")).Body.Bytes(), &list))
		is.Equal(len(list.Items), 1)
		is.Equal(b.do(request("GET", schedulesURL+"?cursor="+list.NextCursor, b.admin, "")).Code, http.StatusOK)
		is.Equal(b.memory.planned.after, "here")
		is.Equal(b.do(request("GET", schedulesURL+"?cursor="+list.NextCursor+"A", b.admin, "")).Code, http.StatusBadRequest)
		is.Equal(b.do(request("GET", usersURL+"?cursor="+list.NextCursor, b.admin, "")).Code, http.StatusBadRequest)
	})

	t.Run("Should pass on notes, overlaps and times", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		is.Equal(b.call("pauseSchedule").Code, http.StatusOK)
		is.Equal(b.memory.planned.note, "paused: a holiday")
		is.Equal(b.call("resumeSchedule").Code, http.StatusOK)
		is.Equal(b.memory.planned.note, "resumed: ")
		is.Equal(b.do(request("POST", schedulesURL+"/nightly/trigger", b.admin, `{"overlap":"cancel_other"}`)).Code, http.StatusNoContent)
		is.Equal(b.memory.planned.overlap, schedule.CancelOther)
		filled := b.call("backfillSchedule")
		is.Equal(filled.Code, http.StatusOK)
		is.Equal(filled.Body.String(), `{"workflows":7}`+"\n")
		is.Equal(b.memory.planned.backfill.To.Sub(b.memory.planned.backfill.From), 24*time.Hour)
	})

	t.Run("Should name the field that breaks a rule", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for body, pointer := range map[string]string{
			`{"spec":{"crons":["61 * * * *"]},"action":{"type":"T","task_queue":"q"}}`:                               "/spec/crons/0",
			`{"spec":{"intervals":[{"every_seconds":5,"offset_seconds":5}]},"action":{"type":"T","task_queue":"q"}}`: "/spec/intervals/0/offset_seconds",
			`{"spec":{"calendars":[{"hour":[{"start":9,"end":25}]}]},"action":{"type":"T","task_queue":"q"}}`:        "/spec/calendars/0/hour/0",
			`{"spec":{},"action":{"type":"T","task_queue":"q"}}`:                                                     "/spec",
			`{"spec":{"crons":["@daily"],"time_zone":"Mars/Base"},"action":{"type":"T","task_queue":"q"}}`:           "/spec/time_zone",
			`{"spec":{"crons":["@daily"]},"action":{"type":"T","task_queue":"temporal-sys-x"}}`:                      "/action/task_queue",
		} {
			t.Run("Should refuse "+pointer, func(t *testing.T) {
				is := is.New(t)
				var problem struct {
					Fields []struct {
						Pointer string `json:"pointer"`
					} `json:"fields"`
				}
				w := b.do(request("POST", schedulesURL, b.admin, body))
				is.Equal(w.Code, http.StatusBadRequest)
				is.NoErr(json.Unmarshal(w.Body.Bytes(), &problem))
				is.Equal(problem.Fields[0].Pointer, pointer)
			})
		}
	})
}
