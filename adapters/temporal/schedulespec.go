package temporal

import (
	"encoding/json"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	schedulepb "go.temporal.io/api/schedule/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/bulkheadhq/bulkhead/core/schedule"
)

func specProto(s schedule.Spec) *schedulepb.ScheduleSpec {
	out := &schedulepb.ScheduleSpec{TimezoneName: s.TimeZone, Jitter: timeout(s.Jitter), StartTime: moment(s.StartAt), EndTime: moment(s.EndAt)}
	for i := range s.Calendars {
		c := &s.Calendars[i]
		out.StructuredCalendar = append(out.StructuredCalendar, &schedulepb.StructuredCalendarSpec{
			Second: rangesProto(c.Second, 0, 0), Minute: rangesProto(c.Minute, 0, 0), Hour: rangesProto(c.Hour, 0, 0),
			DayOfMonth: rangesProto(c.DayOfMonth, 1, 31), Month: rangesProto(c.Month, 1, 12), DayOfWeek: rangesProto(c.DayOfWeek, 0, 6),
			Year: years(c.Year), Comment: c.Comment,
		})
	}
	for _, v := range s.Intervals {
		out.Interval = append(out.Interval, &schedulepb.IntervalSpec{Interval: durationpb.New(v.Every), Phase: timeout(v.Offset)})
	}
	for _, c := range s.Crons {
		// Temporal keeps the calendar that a cron means, and of the cron itself only what follows "#".
		out.CronString = append(out.CronString, c+" # "+c)
	}
	return out
}

// rangesProto fills in what a field without ranges means: Temporal would match nothing.
func rangesProto(in []schedule.Range, first, last int32) []*schedulepb.Range {
	if len(in) == 0 {
		return []*schedulepb.Range{{Start: first, End: last, Step: 1}}
	}
	out := make([]*schedulepb.Range, len(in))
	for i, r := range in {
		out[i] = &schedulepb.Range{Start: r.Start, End: max(r.End, r.Start), Step: max(r.Step, 1)}
	}
	return out
}

// years is nil for every year.
func years(in []schedule.Range) []*schedulepb.Range {
	if len(in) == 0 {
		return nil
	}
	return rangesProto(in, 0, 0)
}

func specOf(p *schedulepb.ScheduleSpec) schedule.Spec {
	s := schedule.Spec{
		TimeZone: p.GetTimezoneName(), Jitter: p.GetJitter().AsDuration(),
		StartAt: instant(p.GetStartTime()), EndAt: instant(p.GetEndTime()), Crons: p.GetCronString(),
	}
	for _, c := range p.GetStructuredCalendar() {
		s.Calendars = append(s.Calendars, schedule.Calendar{
			Second: rangesOf(c.GetSecond()), Minute: rangesOf(c.GetMinute()), Hour: rangesOf(c.GetHour()),
			DayOfMonth: rangesOf(c.GetDayOfMonth()), Month: rangesOf(c.GetMonth()), Year: rangesOf(c.GetYear()),
			DayOfWeek: rangesOf(c.GetDayOfWeek()), Comment: c.GetComment(),
		})
	}
	for _, v := range p.GetInterval() {
		s.Intervals = append(s.Intervals, schedule.Interval{Every: v.GetInterval().AsDuration(), Offset: v.GetPhase().AsDuration()})
	}
	return s
}

func rangesOf(in []*schedulepb.Range) []schedule.Range {
	out := make([]schedule.Range, 0, len(in))
	for _, r := range in {
		out = append(out, schedule.Range{Start: r.GetStart(), End: max(r.GetEnd(), r.GetStart()), Step: max(r.GetStep(), 1)})
	}
	return out
}

// setAction writes what a tenant says of an action, and leaves the rest of it, which
// another client may have set, as it is.
func setAction(into *workflowpb.NewWorkflowExecutionInfo, scheduleID string, a schedule.Action) {
	if a.IDPrefix == "" {
		a.IDPrefix = scheduleID
	}
	into.WorkflowId = a.IDPrefix
	into.WorkflowType = &commonpb.WorkflowType{Name: a.Type}
	into.TaskQueue = &taskqueuepb.TaskQueue{Name: a.TaskQueue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
	into.Input = encodeInput(a.Input)
	into.WorkflowExecutionTimeout, into.WorkflowRunTimeout = timeout(a.ExecutionTimeout), timeout(a.RunTimeout)
}

func actionOf(p *workflowpb.NewWorkflowExecutionInfo) (schedule.Action, error) {
	a := schedule.Action{
		IDPrefix: p.GetWorkflowId(), Type: p.GetWorkflowType().GetName(), TaskQueue: p.GetTaskQueue().GetName(),
		ExecutionTimeout: p.GetWorkflowExecutionTimeout().AsDuration(), RunTimeout: p.GetWorkflowRunTimeout().AsDuration(),
	}
	for _, v := range p.GetInput().GetPayloads() {
		text, err := decodePayload(v)
		if err != nil {
			return schedule.Action{}, err
		}
		if text == nil {
			text = json.RawMessage("null")
		}
		a.Input = append(a.Input, text)
	}
	return a, nil
}

// overlaps is how Temporal numbers what to do about an overlap.
var overlaps = map[schedule.Overlap]enumspb.ScheduleOverlapPolicy{
	schedule.Skip:           enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
	schedule.BufferOne:      enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE,
	schedule.BufferAll:      enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL,
	schedule.CancelOther:    enumspb.SCHEDULE_OVERLAP_POLICY_CANCEL_OTHER,
	schedule.TerminateOther: enumspb.SCHEDULE_OVERLAP_POLICY_TERMINATE_OTHER,
	schedule.AllowAll:       enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
}

func overlapOf(p enumspb.ScheduleOverlapPolicy) schedule.Overlap {
	for o, number := range overlaps {
		if number == p {
			return o
		}
	}
	return schedule.Skip
}

func policyOf(p *schedulepb.SchedulePolicies) schedule.Policy {
	return schedule.Policy{
		Overlap: overlapOf(p.GetOverlapPolicy()), Catchup: p.GetCatchupWindow().AsDuration(), PauseOnFailure: p.GetPauseOnFailure(),
	}
}

func setPolicy(into *schedulepb.SchedulePolicies, p schedule.Policy) {
	if p.Overlap == (schedule.Overlap{}) {
		p.Overlap = schedule.Skip
	}
	if p.Catchup == 0 {
		p.Catchup = schedule.DefaultCatchup
	}
	into.OverlapPolicy, into.CatchupWindow, into.PauseOnFailure = overlaps[p.Overlap], durationpb.New(p.Catchup), p.PauseOnFailure
}

func runsOf(in []*schedulepb.ScheduleActionResult) []schedule.Run {
	out := make([]schedule.Run, 0, len(in))
	for _, r := range in {
		out = append(out, schedule.Run{
			ScheduledAt: instant(r.GetScheduleTime()), StartedAt: instant(r.GetActualTime()),
			WorkflowID: r.GetStartWorkflowResult().GetWorkflowId(), RunID: r.GetStartWorkflowResult().GetRunId(),
		})
	}
	return out
}

// moment returns nil for the zero time.
func moment(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// instant is the way back.
func instant(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func instants(in []*timestamppb.Timestamp) []time.Time {
	out := make([]time.Time, 0, len(in))
	for _, t := range in {
		out = append(out, t.AsTime())
	}
	return out
}
