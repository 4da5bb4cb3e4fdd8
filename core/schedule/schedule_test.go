package schedule_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/schedule"
)

func valid() schedule.Schedule {
	return schedule.Schedule{
		ID: "nightly", Spec: schedule.Spec{Crons: []string{"0 3 * * *"}}, Action: schedule.Action{Type: "Report", TaskQueue: "reports"},
	}
}

func judge(is *is.I, err error, pointer, rule string) {
	is.Helper()
	if rule == "" {
		is.NoErr(err)
		return
	}
	is.True(errors.Is(err, fault.ErrInvalid))
	is.Equal(fault.From(err).Fields[0].Pointer, pointer)
	is.Equal(fault.From(err).Fields[0].Rule, rule)
}

func TestValidate(t *testing.T) {
	t.Parallel()
	hours := func(r ...schedule.Range) func(*schedule.Schedule) {
		return func(s *schedule.Schedule) { s.Spec.Calendars = []schedule.Calendar{{Hour: r}} }
	}
	every := func(e, o time.Duration) func(*schedule.Schedule) {
		return func(s *schedule.Schedule) { s.Spec.Intervals = []schedule.Interval{{Every: e, Offset: o}} }
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		change        func(*schedule.Schedule)
		pointer, rule string
	}{
		"a good one":           {func(*schedule.Schedule) {}, "", ""},
		"no id":                {func(s *schedule.Schedule) { s.ID = "" }, "/schedule_id", "required"},
		"the longest id":       {func(s *schedule.Schedule) { s.ID = strings.Repeat("a", 200) }, "", ""},
		"a long id":            {func(s *schedule.Schedule) { s.ID = strings.Repeat("a", 201) }, "/schedule_id", "max_length"},
		"an id that is a step": {func(s *schedule.Schedule) { s.ID = ".." }, "/schedule_id", "reserved"},
		"another step":         {func(s *schedule.Schedule) { s.ID = "." }, "/schedule_id", "reserved"},
		"no times":             {func(s *schedule.Schedule) { s.Spec = schedule.Spec{} }, "/spec", "required"},
		"too many crons":       {func(s *schedule.Schedule) { s.Spec.Crons = make([]string, 21) }, "/spec/crons", "max_items"},
		"too many calendars":   {func(s *schedule.Schedule) { s.Spec.Calendars = make([]schedule.Calendar, 21) }, "/spec/calendars", "max_items"},
		"too many intervals":   {func(s *schedule.Schedule) { s.Spec.Intervals = make([]schedule.Interval, 21) }, "/spec/intervals", "max_items"},
		"the whole day":        {hours(schedule.Range{Start: 0, End: 23, Step: 23}), "", ""},
		"a single hour":        {hours(schedule.Range{Start: 5}), "", ""},
		"an hour too late":     {hours(schedule.Range{Start: 1}, schedule.Range{Start: 5, End: 24}), "/spec/calendars/0/hour/1", "range"},
		"a negative hour":      {hours(schedule.Range{Start: -1, End: 2}), "/spec/calendars/0/hour/0", "range"},
		"hours that end early": {hours(schedule.Range{Start: 5, End: 4}), "/spec/calendars/0/hour/0", "range"},
		"a negative step":      {hours(schedule.Range{Start: 5, Step: -1}), "/spec/calendars/0/hour/0", "range"},
		"a large step":         {hours(schedule.Range{Start: 5, Step: 24}), "/spec/calendars/0/hour/0", "range"},
		"too many hours":       {hours(make([]schedule.Range, 61)...), "/spec/calendars/0/hour", "max_items"},
		"the day before the first": {func(s *schedule.Schedule) {
			s.Spec.Calendars = []schedule.Calendar{{DayOfMonth: []schedule.Range{{Start: 0, End: 1}}}}
		}, "/spec/calendars/0/day_of_month/0", "range"},
		"a long comment": {func(s *schedule.Schedule) {
			s.Spec.Calendars = []schedule.Calendar{{Comment: strings.Repeat("a", 201)}}
		}, "/spec/calendars/0/comment", "max_length"},
		"every second":            {every(time.Second, 0), "", ""},
		"every half second":       {every(time.Second/2, 0), "/spec/intervals/0/every_seconds", "range"},
		"a fraction":              {every(1500*time.Millisecond, 0), "/spec/intervals/0/every_seconds", "range"},
		"every eleven years":      {every(11*365*24*time.Hour, 0), "/spec/intervals/0/every_seconds", "range"},
		"the largest offset":      {every(time.Minute, 59*time.Second), "", ""},
		"an offset too large":     {every(time.Minute, time.Minute), "/spec/intervals/0/offset_seconds", "range"},
		"a negative offset":       {every(time.Minute, -time.Second), "/spec/intervals/0/offset_seconds", "range"},
		"a fraction as an offset": {every(time.Minute, time.Millisecond), "/spec/intervals/0/offset_seconds", "range"},
		"a time zone":             {func(s *schedule.Schedule) { s.Spec.TimeZone = "Europe/Berlin" }, "", ""},
		"the machine's zone":      {func(s *schedule.Schedule) { s.Spec.TimeZone = "Local" }, "/spec/time_zone", "time_zone"},
		"no such zone":            {func(s *schedule.Schedule) { s.Spec.TimeZone = "Mars/Base" }, "/spec/time_zone", "time_zone"},
		"the largest jitter":      {func(s *schedule.Schedule) { s.Spec.Jitter = schedule.MaxJitter }, "", ""},
		"a negative jitter":       {func(s *schedule.Schedule) { s.Spec.Jitter = -1 }, "/spec/jitter_seconds", "range"},
		"a large jitter":          {func(s *schedule.Schedule) { s.Spec.Jitter = schedule.MaxJitter + 1 }, "/spec/jitter_seconds", "range"},
		"a time that ends":        {func(s *schedule.Schedule) { s.Spec.StartAt, s.Spec.EndAt = now, now.Add(1) }, "", ""},
		"a time of no length":     {func(s *schedule.Schedule) { s.Spec.StartAt, s.Spec.EndAt = now, now }, "/spec/end_at", "order"},
		"no type":                 {func(s *schedule.Schedule) { s.Action.Type = "" }, "/action/type", "required"},
		"a reserved queue":        {func(s *schedule.Schedule) { s.Action.TaskQueue = "temporal-sys-x" }, "/action/task_queue", "reserved"},
		"a reserved prefix":       {func(s *schedule.Schedule) { s.Action.IDPrefix = "temporal-sys-x" }, "/action/workflow_id_prefix", "reserved"},
		"a negative execution":    {func(s *schedule.Schedule) { s.Action.ExecutionTimeout = -1 }, "/action/execution_timeout_seconds", "range"},
		"a long execution":        {func(s *schedule.Schedule) { s.Action.ExecutionTimeout = schedule.MaxTimeout + 1 }, "/action/execution_timeout_seconds", "range"},
		"a negative run":          {func(s *schedule.Schedule) { s.Action.RunTimeout = -1 }, "/action/run_timeout_seconds", "range"},
		"a long run":              {func(s *schedule.Schedule) { s.Action.RunTimeout = schedule.MaxTimeout + 1 }, "/action/run_timeout_seconds", "range"},
		"the largest input": {func(s *schedule.Schedule) {
			s.Action.Input = []json.RawMessage{make([]byte, schedule.MaxInputBytes/2), make([]byte, schedule.MaxInputBytes/2)}
		}, "", ""},
		"a byte too much in all": {func(s *schedule.Schedule) {
			s.Action.Input = []json.RawMessage{make([]byte, schedule.MaxInputBytes/2), make([]byte, schedule.MaxInputBytes/2+1)}
		}, "/action/input", "max_size"},
		"the shortest catch-up": {func(s *schedule.Schedule) { s.Policy.Catchup = schedule.MinCatchup }, "", ""},
		"a short catch-up":      {func(s *schedule.Schedule) { s.Policy.Catchup = schedule.MinCatchup - 1 }, "/policy/catchup_window_seconds", "range"},
		"a long catch-up":       {func(s *schedule.Schedule) { s.Policy.Catchup = schedule.DefaultCatchup + 1 }, "/policy/catchup_window_seconds", "range"},
		"a note":                {func(s *schedule.Schedule) { s.Note = "a holiday" }, "", ""},
		"a note of two lines":   {func(s *schedule.Schedule) { s.Note = "a\nb" }, "/note", "characters"},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			s := valid()
			c.change(&s)
			judge(is.New(t), s.Validate(), c.pointer, c.rule)
		})
	}
}

func TestCron(t *testing.T) {
	t.Parallel()
	for cron, good := range map[string]bool{
		"0 3 * * *": true, "*/15 9-17 * * mon-fri": true, "0,30 0 1 JAN,jul *": true, "@daily": true, "5/10 * * * 0-6/2": true,
		"0 3 * * * 2030": true, "0 0 3 * * * 2030-2040": true, "59 23 31 12 6": true,
		"": false, "* * * *": false, "* * * * * * * *": false, "60 * * * *": false, "* 24 * * *": false, "* * 0 * *": false, "* * 32 * *": false,
		"* * * 0 *": false, "* * * 13 *": false, "* * * * 7": false, "*/0 * * * *": false, "*/x * * * *": false, "5-0 * * * *": false,
		"5-2 * * * *": false, "a * * * *": false, "1-b * * * *": false, "-1 * * * *": false, "* * * *  *": false, " * * * * *": false,
		"@every 1h": false, "TZ=UTC * * * * *": false, "* * * * * # no": false, "@reboot": false, "1, * * * *": false,
	} {
		t.Run("Should judge "+cron, func(t *testing.T) {
			t.Parallel()
			s := valid()
			s.Spec.Crons = []string{"@daily", cron}
			rule := "cron"
			if good {
				rule = ""
			}
			judge(is.New(t), s.Validate(), "/spec/crons/1", rule)
		})
	}
	t.Run("Should refuse a long one", func(t *testing.T) {
		t.Parallel()
		s := valid()
		s.Spec.Crons = []string{strings.Repeat("1,", 100) + "1 * * * *"}
		judge(is.New(t), s.Validate(), "/spec/crons/0", "max_length")
	})
}

func TestChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change        schedule.Change
		pointer, rule string
	}{
		"nothing":      {schedule.Change{}, "", "required"},
		"a bad spec":   {schedule.Change{Spec: &schedule.Spec{}}, "/spec", "required"},
		"a bad action": {schedule.Change{Action: &schedule.Action{}}, "/action/type", "required"},
		"a bad policy": {schedule.Change{Policy: &schedule.Policy{Catchup: 1}}, "/policy/catchup_window_seconds", "range"},
		"all that is good": {schedule.Change{
			Spec: &schedule.Spec{Crons: []string{"@daily"}}, Action: &schedule.Action{Type: "T", TaskQueue: "q"}, Policy: &schedule.Policy{},
		}, "", ""},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			err := c.change.Validate()
			judge(is.New(t), err, c.pointer, c.rule)
		})
	}
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		b             schedule.Backfill
		pointer, rule string
	}{
		"a moment":       {schedule.Backfill{From: now, To: now}, "", ""},
		"the longest":    {schedule.Backfill{From: now.Add(-schedule.MaxBackfillSpan), To: now}, "", ""},
		"one too long":   {schedule.Backfill{From: now.Add(-schedule.MaxBackfillSpan - 1), To: now}, "/end_at", "max_span"},
		"no beginning":   {schedule.Backfill{To: now}, "/start_at", "required"},
		"no end":         {schedule.Backfill{From: now}, "/end_at", "required"},
		"an end before":  {schedule.Backfill{From: now, To: now.Add(-1)}, "/end_at", "order"},
		"a time to come": {schedule.Backfill{From: now, To: now.Add(1)}, "/end_at", "past"},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			judge(is.New(t), c.b.Validate(now), c.pointer, c.rule)
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()

	t.Run("Should read every overlap, and none for nothing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, o := range schedule.Overlaps() {
			got, err := schedule.ParseOverlap("/overlap", o.String())
			is.NoErr(err)
			is.Equal(got, o)
		}
		got, err := schedule.ParseOverlap("/overlap", "")
		is.NoErr(err)
		is.Equal(got, schedule.Overlap{})
		_, err = schedule.ParseOverlap("/overlap", "sometimes")
		judge(is, err, "/overlap", "enum")
	})

	t.Run("Should find nothing under an id that cannot exist", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.NoErr(schedule.CheckID("nightly"))
		for _, bad := range []string{"", " a", "a\x00", strings.Repeat("a", 201), "temporal-sys-x"} {
			is.Equal(schedule.CheckID(bad), error(fault.ErrNotFound)) // the very answer for an absent one
		}
	})
}
