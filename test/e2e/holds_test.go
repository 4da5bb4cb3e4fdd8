package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.temporal.io/sdk/client"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// planned is a schedule as Temporal itself sees it.
type planned struct {
	paused  bool
	note    string
	actions int // that it has taken
}

// asPlanned returns what shows a tenant's schedule as Temporal itself does.
func asPlanned(t *testing.T, s *harness.Stack, tenant harness.Tenant) func(id string) planned {
	t.Helper()
	temporal := dial(t, &sdk.Token{Token: s.SystemToken(t), TemporalAddress: s.Temporal.Address}, tenant.Org.Namespace)
	return func(id string) planned {
		found, err := temporal.ScheduleClient().GetHandle(t.Context(), id).Describe(t.Context())
		if err != nil {
			t.Fatalf("describe %s: %v", id, err)
		}
		return planned{found.Schedule.State.Paused, found.Schedule.State.Note, found.Info.NumActions + found.Info.NumActionsSkippedOverlap}
	}
}

// checkSuspension suspends a tenant that has a schedule made by Bulkhead, one made at
// Temporal itself, and one that it has paused itself, and lets it go on.
func checkSuspension(t *testing.T, s *harness.Stack, tenant harness.Tenant) {
	t.Helper()
	is := is.New(t)
	operator, org := s.Operator(t), tenant.Org.Slug
	everySecond := sdk.ScheduleSpec{Intervals: []sdk.ScheduleInterval{{EverySeconds: 1}}}
	action := sdk.ScheduleAction{Type: "Any", TaskQueue: "any"}
	all := sdk.SchedulePolicy{Overlap: sdk.ScheduleOverlapAllowAll}
	_, err := tenant.Client.CreateSchedule(t.Context(), org, sdk.ScheduleCreate{ScheduleID: "made", Spec: everySecond, Action: action, Policy: all})
	is.NoErr(err)
	_, err = tenant.Client.CreateSchedule(t.Context(), org, sdk.ScheduleCreate{
		ScheduleID: "own", Spec: everySecond, Action: action, Policy: all, Paused: true, Note: "by hand",
	})
	is.NoErr(err)
	token, err := tenant.Client.Token(t.Context(), sdk.TokenRequest{Access: sdk.TokenRequestAccessWrite})
	is.NoErr(err)
	_, err = dial(t, token, tenant.Org.Namespace).ScheduleClient().Create(t.Context(), client.ScheduleOptions{
		ID: "direct", Spec: client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Second}}},
		Action: &client.ScheduleWorkflowAction{ID: "direct", Workflow: "Any", TaskQueue: "any"},
	})
	is.NoErr(err)

	of := asPlanned(t, s, tenant)
	running := []string{"made", "direct"}
	each := func(what string, ok func(planned) bool) {
		t.Helper()
		for _, id := range running {
			harness.Eventually(t, id+" "+what, func() bool { return ok(of(id)) })
		}
	}
	each("fires", func(p planned) bool { return p.actions > 0 })

	_, err = operator.SuspendOrganization(t.Context(), org, "unpaid")
	is.NoErr(err)
	each("is held", func(p planned) bool { return p.paused && strings.Contains(p.note, "[bulkhead-hold suspension ") })
	before, since := map[string]int{"made": of("made").actions, "direct": of("direct").actions}, time.Now()
	harness.Eventually(t, "two of their times have passed", func() bool { return time.Since(since) > 2500*time.Millisecond })
	each("fires no more", func(p planned) bool { return p.paused })
	for id, actions := range before {
		is.True(of(id).actions <= actions+1) // what was under way when it was paused
	}
	is.Equal(of("own"), planned{paused: true, note: "by hand"})

	_, err = operator.ResumeOrganization(t.Context(), org)
	is.NoErr(err)
	each("goes on", func(p planned) bool { return !p.paused })
	for _, id := range running {
		at := of(id).actions
		harness.Eventually(t, id+" fires again", func() bool { return of(id).actions > at })
	}
	is.Equal(of("own"), planned{paused: true, note: "by hand"})
	shown, err := tenant.Client.Schedule(t.Context(), org, "made")
	is.NoErr(err)
	is.True(!shown.Paused && strings.HasPrefix(shown.Note, "Resumed by Bulkhead"))
}

// checkPausingAll pauses all schedules of the tenant of checkSuspension, through a
// suspension, and lets them go on but what somebody has touched.
func checkPausingAll(t *testing.T, s *harness.Stack, tenant harness.Tenant) {
	t.Helper()
	is := is.New(t)
	operator, org, of := s.Operator(t), tenant.Org.Slug, asPlanned(t, s, tenant)
	done := func(op *sdk.Operation, err error) *sdk.Operation {
		t.Helper()
		is.NoErr(err)
		op, err = tenant.Client.AwaitOperation(t.Context(), op.ID, nil)
		is.NoErr(err)
		return op
	}
	_, err := tenant.Client.CreateSchedule(t.Context(), org, sdk.ScheduleCreate{
		ScheduleID: "touched", Spec: sdk.ScheduleSpec{Intervals: []sdk.ScheduleInterval{{EverySeconds: 3600}}}, Action: sdk.ScheduleAction{Type: "Any", TaskQueue: "any"},
	})
	is.NoErr(err)
	own := of("own")
	pause := done(tenant.Client.PauseAllSchedules(t.Context(), org, "Until the migration is over."))
	is.Equal(pause.Kind, "schedules.pause")
	is.Equal(pause.Step, "schedules_paused")
	is.Equal(pause.Note, "Until the migration is over.")
	for _, id := range []string{"made", "direct", "touched"} { // each before the operation has ended
		is.True(of(id).paused)
		is.True(strings.HasPrefix(of(id).note, "Until the migration is over. ") && strings.Contains(of(id).note, "[bulkhead-hold bulk "))
	}
	is.Equal(of("own"), own)

	_, err = tenant.Client.ResumeSchedule(t.Context(), org, "direct", "by hand")
	is.NoErr(err)
	_, err = tenant.Client.PauseSchedule(t.Context(), org, "touched", "by hand")
	is.NoErr(err)
	_, err = operator.SuspendOrganization(t.Context(), org, "unpaid")
	is.NoErr(err)
	_, err = operator.ResumeAllSchedules(t.Context(), org, "")
	is.True(sdk.IsConflict(err)) // the organization is not active
	harness.Eventually(t, "what was let go on is held", func() bool { return of("direct").paused })
	_, err = operator.ResumeOrganization(t.Context(), org)
	is.NoErr(err)
	harness.Eventually(t, "what was let go on goes on", func() bool { return !of("direct").paused })
	is.True(of("made").paused)

	resume := done(tenant.Client.ResumeAllSchedules(t.Context(), org, ""))
	is.Equal(resume.Step, "schedules_resumed")
	is.Equal(of("made").note, "Resumed by Bulkhead with all that it had paused.")
	is.True(!of("made").paused && !of("direct").paused)
	is.True(of("touched").paused && of("touched").note == "by hand")
	is.Equal(of("own"), own)
}
