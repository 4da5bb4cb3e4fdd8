package cli

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func TestScheduleUpdate(t *testing.T) {
	t.Parallel()
	was := nightlySchedule
	was.Spec.JitterSeconds = 30
	for args, want := range map[string]string{
		"--cron @daily":                               `{"spec":{"crons":["@daily"],"jitter_seconds":30,"time_zone":"Europe/Berlin"}}`,
		"--cron @daily --time-zone UTC":               `{"spec":{"crons":["@daily"],"jitter_seconds":30,"time_zone":"UTC"}}`,
		"--every 1h --jitter 5s":                      `{"spec":{"intervals":[{"every_seconds":3600}],"jitter_seconds":5,"time_zone":"Europe/Berlin"}}`,
		"--cron @daily --jitter 0s --time-zone Japan": `{"spec":{"crons":["@daily"],"time_zone":"Japan"}}`,
	} {
		t.Run("Should keep the time zone and the jitter that it does not name: "+args, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			w.answer("GET /organizations/acme/schedules/nightly", 200, was)
			code, _, _ := w.run(append([]string{"schedule", "update", "nightly", "--org", "acme"}, strings.Fields(args)...)...)
			is.Equal(code, 0)
			is.Equal(w.last().body, want)
		})
	}
}

func TestSchedulePaused(t *testing.T) {
	t.Parallel()
	t.Run("Should show no next times of a schedule that is paused", func(t *testing.T) {
		is := is.New(t)
		for _, paused := range []bool{true, false} {
			w := newWorld(t)
			v := nightlySchedule
			v.Paused = paused
			w.answer("GET /organizations/acme/schedules/nightly", 200, v)
			_, out, _ := w.run("schedule", "show", "nightly", "--org", "acme")
			is.Equal(strings.Contains(out, "state         paused"), paused)
			is.Equal(strings.Contains(out, "\nnext"), !paused)
		}
	})
}

func TestWorkflowUpdate(t *testing.T) {
	t.Parallel()
	for status, want := range map[sdk.WorkflowUpdateStatus]int{
		sdk.WorkflowUpdateStatusFailed: 7, sdk.WorkflowUpdateStatusCompleted: 0, sdk.WorkflowUpdateStatusAccepted: 0,
	} {
		t.Run("Should tell by the exit code that an update is "+string(status), func(t *testing.T) {
			is := is.New(t)
			for _, format := range []string{"table", "json"} {
				w := newWorld(t)
				u := sdk.WorkflowUpdate{WorkflowID: "greet-1", RunID: runID, UpdateID: "u1", Status: status}
				if want != 0 {
					u.Failure.Message = "the amount is odd"
				}
				w.answer("POST /organizations/acme/workflows/greet-1/update", 200, u)
				code, out, err := w.run("workflow", "update", "greet-1", "--org", "acme", "--name", "approve", "-o", format)
				is.Equal(code, want)
				is.True(strings.Contains(out, string(status))) // all of it is printed as well
				is.Equal(strings.Contains(err, "the update has failed: the amount is odd"), want != 0)
			}
		})
	}
}

func TestWorkflowReset(t *testing.T) {
	t.Parallel()
	t.Run("Should refuse places that contradict each other", func(t *testing.T) {
		is := is.New(t)
		for flags, want := range map[string]string{
			"--to first_workflow_task --event 4": "--to and --event exclude each other",
			"--event 0":                          "--event is a number above 0",
		} {
			w := newWorld(t)
			code, _, err := w.run(append(strings.Fields("workflow reset greet-1 --org acme --reason x --yes"), strings.Fields(flags)...)...)
			is.Equal(code, 2)
			is.True(strings.Contains(err, want))
			is.Equal(len(w.asked()), 0)
		}
	})
}
