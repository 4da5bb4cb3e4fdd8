package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) scheduleCommand() *cli.Command {
	note := &cli.StringFlag{Name: "note", Usage: "why, for people (`TEXT`)"}
	overlap := &cli.StringFlag{Name: "overlap", Usage: "while one still runs: skip, buffer_one, buffer_all, allow_all, … (`POLICY`)"}
	when := func(zone, jitter string) []cli.Flag {
		return []cli.Flag{
			&cli.StringSliceFlag{Name: "cron", Usage: "5 fields, or a name such as @daily; repeat for more (`CRON`)"},
			&cli.DurationFlag{Name: "every", Usage: "start every so often, such as 15m (`DURATION`)"},
			&cli.StringFlag{Name: "time-zone", Usage: "of the crons, such as Europe/Berlin; " + zone + " if absent (`ZONE`)"},
			&cli.DurationFlag{Name: "jitter", Usage: "be late by a random part of it; " + jitter + " if absent (`DURATION`)"},
		}
	}
	what := []cli.Flag{
		&cli.StringFlag{Name: "type", Aliases: []string{"t"}, Usage: "workflow type that a worker has registered (`TYPE`)"},
		&cli.StringFlag{Name: "task-queue", Aliases: []string{"q"}, Usage: "queue that the worker serves (`QUEUE`)"},
		&cli.StringSliceFlag{Name: "input", Aliases: []string{"i"}, Usage: "an argument, as JSON; repeat for more, in order (`JSON`)"},
		overlap,
	}
	return &cli.Command{
		Name: "schedule", Usage: "schedules of an organization", Category: categoryTenants,
		Description: `A schedule starts a workflow again and again, in the organization's own Temporal
namespace.

Example:
  bulkhead schedule create nightly --org acme --cron "0 3 * * *" --type Report -q reports`,
		Subcommands: []*cli.Command{
			{
				Name: "create", Usage: "make a schedule", ArgsUsage: "ID --type TYPE --task-queue QUEUE",
				Flags: slices.Concat([]cli.Flag{orgFlag()}, when("UTC", "never"), what, []cli.Flag{
					&cli.BoolFlag{Name: "paused", Usage: "start nothing until it is resumed"}, note,
					&cli.BoolFlag{Name: "pause-on-failure", Usage: "pause when a workflow fails"},
				}),
				Description: `An id that is taken is refused.

Examples:
  bulkhead schedule create nightly --org acme --cron "0 3 * * *" --type Report -q reports
  bulkhead schedule create sync --every 15m --type Sync -q sync -i '{"full":false}' --overlap buffer_one`,
				Action: s.scheduleCreate,
			},
			{
				Name: "list", Usage: "list schedules", Flags: []cli.Flag{orgFlag(), limitFlag("schedules to list", 0)},
				Description: `What has just changed may be shown a moment late.

Example:
  bulkhead schedule list --org acme`,
				Action: s.scheduleList,
			},
			{
				Name: "show", Aliases: []string{"get"}, Usage: "show a schedule", ArgsUsage: "ID", Flags: []cli.Flag{orgFlag()},
				Description: `With its next times and what it has started last. All of it: --output json.

Example:
  bulkhead schedule show nightly --org acme`,
				Action: s.scheduleShow,
			},
			{
				Name: "update", Usage: "change when or what a schedule starts", ArgsUsage: "ID",
				Flags: slices.Concat([]cli.Flag{orgFlag()}, when("the present one", "as it is"), what),
				Description: `With --cron or --every the times are other ones altogether, in the same time zone and
with the same jitter. --type and --task-queue belong together, and the input is what
stands beside them.

Examples:
  bulkhead schedule update nightly --org acme --cron "30 4 * * *" --time-zone Europe/Berlin
  bulkhead schedule update nightly --overlap allow_all`,
				Action: s.scheduleUpdate,
			},
			{
				Name: "pause", Usage: "stop a schedule, or all of them", ArgsUsage: "ID | --all", Flags: slices.Concat([]cli.Flag{orgFlag(), note}, allFlags()),
				Description: `What runs, runs on. With --all every schedule that runs is paused, and no one that is
made later; it asks before, unless --yes.

Examples:
  bulkhead schedule pause nightly --org acme --note "until the migration is over"
  bulkhead schedule pause --all --org acme`,
				Action: s.schedulePause,
			},
			{
				Name: "resume", Usage: "let a schedule go on, or all that were paused with --all", ArgsUsage: "ID | --all", Flags: slices.Concat([]cli.Flag{orgFlag(), note}, allFlags()),
				Description: `What was missed meanwhile is not made up for: see bulkhead schedule backfill. With --all
exactly those go on that pause --all has paused, and that nobody has touched since.

Examples:
  bulkhead schedule resume nightly --org acme
  bulkhead schedule resume --all --org acme`,
				Action: s.scheduleResume,
			},
			{
				Name: "trigger", Usage: "start a schedule's workflow now", ArgsUsage: "ID", Flags: []cli.Flag{orgFlag(), overlap},
				Description: `Also when it is paused.

Example:
  bulkhead schedule trigger nightly --org acme`,
				Action: s.scheduleTrigger,
			},
			{
				Name: "backfill", Usage: "start what a schedule would have started", ArgsUsage: "ID --from TIME --to TIME",
				Flags: []cli.Flag{
					orgFlag(), overlap,
					&cli.StringFlag{Name: "from", Usage: "begin of the time (`TIME`)"}, &cli.StringFlag{Name: "to", Usage: "end of the time, not in the future (`TIME`)"},
				},
				Description: `Both ends are included; 500 workflows at most. Without --overlap the schedule's own
holds, and skip would start one of them.

Example:
  bulkhead schedule backfill nightly --from 2026-01-01T00:00:00Z --to 2026-01-08T00:00:00Z --overlap buffer_all`,
				Action: s.scheduleBackfill,
			},
			{
				Name: "delete", Usage: "delete a schedule", ArgsUsage: "ID", Flags: []cli.Flag{orgFlag(), yesFlag()},
				Description: `Asks before, unless --yes. What it has started runs on.

Example:
  bulkhead schedule delete nightly --org acme`,
				Action: s.scheduleDelete,
			},
		},
	}
}

// specFlags reads when; nil when nothing says so.
func specFlags(c *cli.Context) (*sdk.ScheduleSpec, error) {
	spec := sdk.ScheduleSpec{Crons: c.StringSlice("cron"), TimeZone: c.String("time-zone"), JitterSeconds: int64(c.Duration("jitter") / time.Second)}
	if c.IsSet("every") {
		if c.Duration("every") < time.Second {
			return nil, usageError("--every must be a second or more")
		}
		spec.Intervals = []sdk.ScheduleInterval{{EverySeconds: int64(c.Duration("every") / time.Second)}}
	}
	if len(spec.Crons)+len(spec.Intervals) > 0 {
		return &spec, nil
	}
	if c.IsSet("time-zone") || c.IsSet("jitter") {
		return nil, usageError("--time-zone and --jitter stand beside --cron or --every")
	}
	return nil, nil
}

// actionFlags reads what; nil when nothing says so.
func actionFlags(c *cli.Context) (*sdk.ScheduleAction, error) {
	if !c.IsSet("type") && !c.IsSet("task-queue") && !c.IsSet("input") {
		return nil, nil
	}
	if err := needed(c, "type", "task-queue"); err != nil {
		return nil, err
	}
	action := sdk.ScheduleAction{Type: c.String("type"), TaskQueue: c.String("task-queue")}
	for _, text := range c.StringSlice("input") {
		if !json.Valid([]byte(text)) {
			e := usageError(fmt.Sprintf("--input %s is not JSON", quote(text)))
			e.hint = fmt.Sprintf("If it is a text: --input %s", quote(strconv.Quote(text)))
			return nil, e
		}
		action.Input = append(action.Input, json.RawMessage(text))
	}
	return &action, nil
}

func (s *shell) scheduleCreate(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	if err := needed(c, "type", "task-queue"); err != nil {
		return err
	}
	spec, err := specFlags(c)
	if err != nil {
		return err
	}
	if spec == nil {
		return usageError("when? --cron or --every is needed")
	}
	action, err := actionFlags(c)
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	made, err := api.CreateSchedule(c.Context, org, sdk.ScheduleCreate{
		ScheduleID: id, Spec: *spec, Action: *action, Paused: c.Bool("paused"), Note: c.String("note"),
		Policy: sdk.SchedulePolicy{Overlap: sdk.ScheduleOverlap(c.String("overlap")), PauseOnFailure: c.Bool("pause-on-failure")},
	})
	if err != nil {
		return err
	}
	return s.printSchedule(c, made)
}

func (s *shell) scheduleList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	all, err := collect(c, api.AllSchedules(c.Context, org))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(sdk.ScheduleList{Items: all})
	}
	var rows [][]string
	for _, v := range all {
		next := ""
		if len(v.NextAt) > 0 && !v.Paused {
			next = s.moment(v.NextAt[0])
		}
		rows = append(rows, []string{v.ScheduleID, v.Type, scheduleState(v.Paused), next, v.Note})
	}
	return s.printTable([]string{"SCHEDULE", "TYPE", "STATE", "NEXT", "NOTE"}, rows)
}

func scheduleState(paused bool) string {
	if paused {
		return "paused"
	}
	return "running"
}

func (s *shell) scheduleShow(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	found, err := api.Schedule(c.Context, org, id)
	if err != nil {
		return err
	}
	return s.printSchedule(c, found)
}

func (s *shell) printSchedule(c *cli.Context, v *sdk.Schedule) error {
	if asJSON(c) {
		return s.printJSON(v)
	}
	var when, next, last []string
	when = append(when, v.Spec.Crons...)
	for _, k := range v.Spec.Calendars {
		when = append(when, first(k.Comment, "a calendar"))
	}
	for _, i := range v.Spec.Intervals {
		when = append(when, "every "+(time.Duration(i.EverySeconds)*time.Second).String())
	}
	for _, t := range v.NextAt[:min(3, len(v.NextAt))] {
		if !v.Paused { // what would be next is not
			next = append(next, s.moment(t))
		}
	}
	for _, r := range v.Recent[max(0, len(v.Recent)-3):] {
		last = append(last, r.WorkflowID)
	}
	return s.printPairs(
		pair{"schedule", v.ScheduleID}, pair{"type", v.Action.Type}, pair{"task queue", v.Action.TaskQueue}, pair{"when", strings.Join(when, ", ")},
		pair{"time zone", v.Spec.TimeZone}, pair{"overlap", string(v.Policy.Overlap)}, pair{"state", scheduleState(v.Paused)}, pair{"note", v.Note},
		pair{"next", strings.Join(next, ", ")}, pair{"started last", strings.Join(last, ", ")},
	)
}

func (s *shell) scheduleUpdate(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	spec, err := specFlags(c)
	if err != nil {
		return err
	}
	action, err := actionFlags(c)
	if err != nil {
		return err
	}
	var in sdk.ScheduleUpdate
	if action != nil {
		in.Action = *action
	}
	if spec == nil && action == nil && !c.IsSet("overlap") {
		return usageError("what is to change? Name a flag, such as --cron")
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	was, err := api.Schedule(c.Context, org, id)
	if err != nil {
		return err
	}
	if spec != nil {
		if in.Spec = *spec; !c.IsSet("time-zone") {
			in.Spec.TimeZone = was.Spec.TimeZone
		}
		if !c.IsSet("jitter") {
			in.Spec.JitterSeconds = was.Spec.JitterSeconds
		}
	}
	if c.IsSet("overlap") {
		in.Policy = was.Policy // what no flag names stays
		in.Policy.Overlap = sdk.ScheduleOverlap(c.String("overlap"))
	}
	changed, err := api.UpdateSchedule(c.Context, org, id, was.Etag, in)
	if err != nil {
		return err
	}
	return s.printSchedule(c, changed)
}

func (s *shell) schedulePause(c *cli.Context) error { return s.scheduleMove(c, true) }

func (s *shell) scheduleResume(c *cli.Context) error { return s.scheduleMove(c, false) }

func (s *shell) scheduleMove(c *cli.Context, pause bool) error {
	if c.Bool("all") {
		return s.scheduleMoveAll(c, pause)
	}
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	move := api.ResumeSchedule
	if pause {
		move = api.PauseSchedule
	}
	moved, err := move(c.Context, org, id, c.String("note"))
	if err != nil {
		return err
	}
	return s.printSchedule(c, moved)
}

func (s *shell) scheduleTrigger(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	if err := api.TriggerSchedule(c.Context, org, id, sdk.ScheduleOverlap(c.String("overlap"))); err != nil {
		return err
	}
	return s.scheduleDone(c, id, "triggered")
}

func (s *shell) scheduleDone(c *cli.Context, id, state string) error {
	if asJSON(c) {
		return s.printJSON(struct{}{})
	}
	return s.printPairs(pair{"schedule", id}, pair{"state", state})
}

func (s *shell) scheduleBackfill(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	if err := needed(c, "from", "to"); err != nil {
		return err
	}
	in := sdk.ScheduleBackfill{Overlap: sdk.ScheduleOverlap(c.String("overlap"))}
	for flag, at := range map[string]*time.Time{"from": &in.StartAt, "to": &in.EndAt} {
		if *at, err = time.Parse(time.RFC3339, c.String(flag)); err != nil {
			return usageError(fmt.Sprintf("--%s is no time such as 2026-01-31T12:00:00Z", flag))
		}
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	n, err := api.BackfillSchedule(c.Context, org, id, in)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(sdk.ScheduleBackfilled{Workflows: int32(n)}) //nolint:gosec // 500 at most
	}
	return s.printPairs(pair{"schedule", id}, pair{"workflows", strconv.Itoa(n)})
}

func (s *shell) scheduleDelete(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	version := sdk.AnyVersion
	if !c.Bool("yes") {
		v, err := api.Schedule(c.Context, org, id)
		if err != nil {
			return err
		}
		version = v.Etag // what is deleted is what was asked about
		if err := s.confirm(c, fmt.Sprintf("Delete schedule %s of %s?", printable(id), org)); err != nil {
			return err
		}
	}
	if err := api.DeleteSchedule(c.Context, org, id, version); err != nil {
		return err
	}
	return s.scheduleDone(c, id, "deleted")
}
