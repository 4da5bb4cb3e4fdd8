package apidoc

var nightly = map[string]string{"org": "acme", "schedule_id": "nightly"}

var schedules = []step{
	{
		op: "createSchedule", as: "ada", path: acme, status: 201, keep: map[string]string{"nightly etag": "ETag"},
		body: `{"schedule_id": "nightly", "spec": {"crons": ["0 3 * * *"], "time_zone": "Europe/Berlin"}, "action": {"type": "Greet", "task_queue": "default", "input": ["Ada"]}}`,
	},
	{
		op: "createSchedule", as: "ada", path: acme, status: 400, note: "What breaks a rule is named:",
		body: `{"spec": {"crons": ["0 25 * * *"]}, "action": {"type": "Greet", "task_queue": "default"}}`,
	},
	{op: "listSchedules", as: "ada", path: acme, query: "limit=5", until: "nightly"},
	{op: "getSchedule", as: "ada", path: nightly},
	{
		op: "updateSchedule", as: "ada", path: nightly, header: map[string]string{"If-Match": "{nightly etag}"},
		body: `{"policy": {"overlap": "buffer_one", "pause_on_failure": true}}`,
	},
	{op: "pauseSchedule", as: "ada", path: nightly, body: `{"note": "Until the migration is over."}`},
	{op: "resumeSchedule", as: "ada", path: nightly, body: `{"note": "The migration is over."}`},
	{
		op: "pauseAllSchedules", as: "ada", path: acme, status: 202, body: `{"note": "Until the database is back."}`,
		keep: map[string]string{"pausing": "/id"},
	},
	{
		op: "getOperation", as: "ada", path: map[string]string{"operation": "{pausing}"}, until: `"state":"succeeded"`,
		note: "What was asked of all schedules is done step by step:",
	},
	{op: "resumeAllSchedules", as: "ada", path: acme, status: 202, body: `{"note": "It is back."}`, keep: map[string]string{"resuming": "/id"}},
	// What these start appears among the recent actions some time later, and is shown by no step.
	{op: "triggerSchedule", as: "ada", path: nightly, status: 204},
	{
		op: "backfillSchedule", as: "ada", path: nightly,
		body: `{"start_at": "2025-01-01T00:00:00Z", "end_at": "2025-01-03T00:00:00Z", "overlap": "buffer_all"}`,
	},
	{op: "deleteSchedule", as: "ada", path: nightly, status: 204, header: map[string]string{"If-Match": "*"}},
}
