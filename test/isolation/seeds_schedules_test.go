package isolation

import "testing"

var _ = add(seeds{
	"createSchedule": {Body: func(*party) map[string]any {
		return map[string]any{"schedule_id": "made-" + unique, "spec": aMillennium, "action": map[string]any{"type": "Made", "task_queue": "made"}}
	}},
	"listSchedules":      {Make: makeSchedule},
	"getSchedule":        {Make: makeSchedule},
	"updateSchedule":     {Make: makeSchedule, Body: func(*party) map[string]any { return map[string]any{"policy": map[string]any{"overlap": "skip"}} }},
	"deleteSchedule":     {Make: makeSchedule},
	"pauseSchedule":      {Make: makeSchedule, Body: func(*party) map[string]any { return map[string]any{"note": "made"} }},
	"resumeSchedule":     {Make: makeSchedule, Body: func(*party) map[string]any { return map[string]any{"note": "made"} }},
	"pauseAllSchedules":  {Make: makeSchedule, Body: func(*party) map[string]any { return map[string]any{"note": "made"} }},
	"resumeAllSchedules": {Make: makeSchedule, Body: func(*party) map[string]any { return map[string]any{"note": "made"} }},
	"triggerSchedule": {Make: makeSchedule, Body: func(*party) map[string]any {
		return map[string]any{"overlap": "skip"}
	}},
	"backfillSchedule": {Make: makeSchedule, Body: func(*party) map[string]any {
		return map[string]any{"start_at": "2020-01-01T00:00:00Z", "end_at": "2020-01-02T00:00:00Z"}
	}},
})

// aMillennium starts nothing while the test runs.
var aMillennium = map[string]any{"calendars": []any{map[string]any{"year": []any{map[string]any{"start": 2099}}}}}

// makeSchedule makes a schedule of the party's, which starts nothing by itself.
func makeSchedule(t testing.TB, w *world, p *party) map[string]string {
	t.Helper()
	made := w.call(t, p.key, "POST", "/api/v0/organizations/"+p.ID+"/schedules", map[string]any{
		"schedule_id": p.word("schedule id"), "spec": aMillennium, "note": p.word("schedule note"),
		"action": map[string]any{"type": p.word("schedule type"), "task_queue": p.word("schedule queue"), "input": []any{p.word("schedule input")}},
	})
	return map[string]string{"schedule_id": text(made, "schedule_id")}
}
