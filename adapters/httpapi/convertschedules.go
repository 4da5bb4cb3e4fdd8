package httpapi

import (
	"encoding/json"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/schedule"
)

// toSchedule shows a schedule, without the tag of its version.
func toSchedule(s schedule.Status) gen.Schedule {
	return gen.Schedule{
		ScheduleID: s.ID, Spec: toScheduleSpec(s.Spec), Action: toScheduleAction(s.Action), Policy: toSchedulePolicy(s.Policy),
		Paused: s.Paused, Note: optional(s.Note), NextAt: each(s.Next, utc), Recent: each(s.Recent, toScheduleRun),
		CreatedAt: s.CreatedAt, UpdatedAt: optional(s.UpdatedAt),
	}
}

func utc(t time.Time) time.Time { return t.UTC() }

func toScheduleSummary(s schedule.Summary) gen.ScheduleSummary {
	return gen.ScheduleSummary{
		ScheduleID: s.ID, Type: s.Type, Paused: s.Paused, Note: optional(s.Note), NextAt: each(s.Next, utc), Recent: each(s.Recent, toScheduleRun),
	}
}

func toScheduleRun(r schedule.Run) gen.ScheduleRun {
	return gen.ScheduleRun{WorkflowID: r.WorkflowID, RunID: r.RunID, ScheduledAt: r.ScheduledAt, StartedAt: r.StartedAt}
}

func toScheduleSpec(s schedule.Spec) gen.ScheduleSpec {
	return gen.ScheduleSpec{
		Calendars: list(each(s.Calendars, toScheduleCalendar)), Intervals: list(each(s.Intervals, toScheduleInterval)), Crons: list(s.Crons),
		TimeZone: optional(s.TimeZone), JitterSeconds: inSeconds(s.Jitter), StartAt: optional(s.StartAt), EndAt: optional(s.EndAt),
	}
}

// list is nil for an empty list, which the contract may leave out.
func list[T any](items []T) *[]T {
	if len(items) == 0 {
		return nil
	}
	return &items
}

// inSeconds is nil for none.
func inSeconds(d time.Duration) *int64 { return optional(int64(d / time.Second)) }

func toScheduleCalendar(c schedule.Calendar) gen.ScheduleCalendar {
	ranges := func(in []schedule.Range) *[]gen.ScheduleRange { return list(each(in, toScheduleRange)) }
	return gen.ScheduleCalendar{
		Second: ranges(c.Second), Minute: ranges(c.Minute), Hour: ranges(c.Hour), DayOfMonth: ranges(c.DayOfMonth),
		Month: ranges(c.Month), Year: ranges(c.Year), DayOfWeek: ranges(c.DayOfWeek), Comment: optional(c.Comment),
	}
}

func toScheduleRange(r schedule.Range) gen.ScheduleRange {
	return gen.ScheduleRange{Start: r.Start, End: &r.End, Step: &r.Step}
}

func toScheduleInterval(i schedule.Interval) gen.ScheduleInterval {
	return gen.ScheduleInterval{EverySeconds: int64(i.Every / time.Second), OffsetSeconds: inSeconds(i.Offset)}
}

func toScheduleAction(a schedule.Action) gen.ScheduleAction {
	return gen.ScheduleAction{
		WorkflowIDPrefix: optional(a.IDPrefix), Type: a.Type, TaskQueue: a.TaskQueue, Input: list(a.Input),
		ExecutionTimeoutSeconds: inSeconds(a.ExecutionTimeout), RunTimeoutSeconds: inSeconds(a.RunTimeout),
	}
}

func toSchedulePolicy(p schedule.Policy) gen.SchedulePolicy {
	return gen.SchedulePolicy{
		Overlap: optional(gen.ScheduleOverlap(p.Overlap.String())), CatchupWindowSeconds: inSeconds(p.Catchup), PauseOnFailure: &p.PauseOnFailure,
	}
}

func fromScheduleCreate(in gen.ScheduleCreate) (schedule.Schedule, error) {
	policy, err := fromSchedulePolicy(orZero(in.Policy))
	if err != nil {
		return schedule.Schedule{}, err
	}
	return schedule.Schedule{
		ID: orZero(in.ScheduleID), Spec: fromScheduleSpec(in.Spec), Action: fromScheduleAction(in.Action), Policy: policy,
		Paused: orZero(in.Paused), Note: orZero(in.Note),
	}, nil
}

func fromScheduleUpdate(in gen.ScheduleUpdate) (schedule.Change, error) {
	var c schedule.Change
	if in.Spec != nil {
		c.Spec = new(fromScheduleSpec(*in.Spec))
	}
	if in.Action != nil {
		c.Action = new(fromScheduleAction(*in.Action))
	}
	if in.Policy != nil {
		policy, err := fromSchedulePolicy(*in.Policy)
		if err != nil {
			return schedule.Change{}, err
		}
		c.Policy = &policy
	}
	return c, nil
}

func fromScheduleSpec(in gen.ScheduleSpec) schedule.Spec {
	return schedule.Spec{
		Calendars: each(orZero(in.Calendars), fromScheduleCalendar), Intervals: each(orZero(in.Intervals), fromScheduleInterval),
		Crons: orZero(in.Crons), TimeZone: orZero(in.TimeZone), Jitter: ofSeconds(in.JitterSeconds),
		StartAt: orZero(in.StartAt), EndAt: orZero(in.EndAt),
	}
}

// ofSeconds is the way back from inSeconds.
func ofSeconds(n *int64) time.Duration { return time.Duration(orZero(n)) * time.Second }

func fromScheduleCalendar(in gen.ScheduleCalendar) schedule.Calendar {
	ranges := func(in *[]gen.ScheduleRange) []schedule.Range { return each(orZero(in), fromScheduleRange) }
	return schedule.Calendar{
		Second: ranges(in.Second), Minute: ranges(in.Minute), Hour: ranges(in.Hour), DayOfMonth: ranges(in.DayOfMonth),
		Month: ranges(in.Month), Year: ranges(in.Year), DayOfWeek: ranges(in.DayOfWeek), Comment: orZero(in.Comment),
	}
}

func fromScheduleRange(in gen.ScheduleRange) schedule.Range {
	return schedule.Range{Start: in.Start, End: orZero(in.End), Step: orZero(in.Step)}
}

func fromScheduleInterval(in gen.ScheduleInterval) schedule.Interval {
	return schedule.Interval{Every: ofSeconds(&in.EverySeconds), Offset: ofSeconds(in.OffsetSeconds)}
}

func fromScheduleAction(in gen.ScheduleAction) schedule.Action {
	return schedule.Action{
		IDPrefix: orZero(in.WorkflowIDPrefix), Type: in.Type, TaskQueue: in.TaskQueue, Input: orZero[[]json.RawMessage](in.Input),
		ExecutionTimeout: ofSeconds(in.ExecutionTimeoutSeconds), RunTimeout: ofSeconds(in.RunTimeoutSeconds),
	}
}

func fromSchedulePolicy(in gen.SchedulePolicy) (schedule.Policy, error) {
	overlap, err := fromOverlap(in.Overlap)
	if err != nil {
		return schedule.Policy{}, err
	}
	return schedule.Policy{Overlap: overlap, Catchup: ofSeconds(in.CatchupWindowSeconds), PauseOnFailure: orZero(in.PauseOnFailure)}, nil
}

func fromOverlap(in *gen.ScheduleOverlap) (schedule.Overlap, error) {
	return schedule.ParseOverlap("/overlap", string(orZero(in)))
}
