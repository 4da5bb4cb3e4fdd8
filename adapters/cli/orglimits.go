package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) orgLimitsCommand() *cli.Command {
	return &cli.Command{
		Name: "limits", Usage: "how often, and how much, an organization may",
		Description: `A rate is how often something may happen; a quota is how much there may be.

Example:
  bulkhead org limits list acme`,
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "list the limits of an organization", ArgsUsage: "[ORG]", Flags: []cli.Flag{orgFlag()},
				Description: `With what holds, and how much of it is used now. A star stands where it was set for
this organization.

Example:
  bulkhead org limits list acme`,
				Action: s.orgLimitsList,
			},
			{
				Name: "set", Usage: "set a limit", ArgsUsage: "LIMIT (--count N --period DURATION | --max N)",
				Flags: []cli.Flag{
					orgFlag(),
					&cli.Int64Flag{Name: "count", Usage: "of a rate: how often in each period (`N`)"},
					&cli.DurationFlag{Name: "period", Usage: "of a rate: the period, such as 1m (`DURATION`)"},
					&cli.Int64Flag{Name: "burst", Usage: "of a rate: how often at once; a tenth of the count if absent (`N`)"},
					&cli.Int64Flag{Name: "max", Usage: "of a quota: how much (`N`)"},
					&cli.IntFlag{Name: "warn-percent", Usage: "at what share to warn; 0 is never, 80 if absent (`PERCENT`)"},
					&cli.BoolFlag{Name: "dry-run", Usage: "count and warn, and refuse nothing"},
				},
				Description: `It holds everywhere within seconds. For operators.

Examples:
  bulkhead org limits set requests --org acme --count 6000 --period 1m --burst 600
  bulkhead org limits set users --org acme --max 50 --dry-run`,
				Action: s.orgLimitsSet,
			},
			{
				Name: "reset", Usage: "reset a limit to its default", ArgsUsage: "LIMIT", Flags: []cli.Flag{orgFlag()},
				Description: `For operators.

Example:
  bulkhead org limits reset requests --org acme`,
				Action: s.orgLimitsReset,
			},
		},
	}
}

func (s *shell) orgLimitsList(c *cli.Context) error {
	api, named, err := s.named(c)
	if err != nil {
		return err
	}
	l, err := api.Limits(c.Context, named)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(l)
	}
	var rows [][]string
	for _, o := range l.Items {
		rows = append(rows, []string{o.Name, limitWords(o.Value), own(o.Overridden), limitUsage(o), o.Description})
	}
	return s.printTable([]string{"LIMIT", "HOLDS", "OWN", "USED", "DESCRIPTION"}, rows)
}

// limitWords says what holds.
func limitWords(v sdk.LimitValue) string {
	var words string
	if v.Max != nil {
		words = strconv.FormatInt(*v.Max, 10)
	} else {
		words = fmt.Sprintf("%d in %d s, burst %d", v.Count, v.PeriodSeconds, v.Burst)
	}
	if v.Mode == sdk.LimitModeDryRun {
		words += " (dry run)"
	}
	return words
}

func own(overridden bool) string {
	if overridden {
		return "*"
	}
	return ""
}

// limitUsage says how much is used; nothing where that is not known.
func limitUsage(o sdk.OrganizationLimit) string {
	if o.Usage == (sdk.LimitUsage{}) && o.Value.Max != nil && *o.Value.Max != 0 {
		return ""
	}
	return strconv.FormatInt(o.Usage.Used, 10)
}

func (s *shell) orgLimitsSet(c *cli.Context) error {
	name, err := argument(c, "LIMIT")
	if err != nil {
		return err
	}
	var in sdk.LimitUpdate
	for flag, to := range map[string]**int64{"count": &in.Count, "burst": &in.Burst, "max": &in.Max} {
		if c.IsSet(flag) {
			*to = new(c.Int64(flag))
		}
	}
	if c.IsSet("period") {
		in.PeriodSeconds = new(int64(c.Duration("period") / time.Second))
	}
	if c.IsSet("warn-percent") {
		in.WarnPercent = new(int32(min(max(c.Int("warn-percent"), -1), 101))) // the service refuses the ends
	}
	if c.Bool("dry-run") {
		in.Mode = sdk.LimitModeDryRun
	}
	if in == (sdk.LimitUpdate{}) {
		return usageError("--count and --period are needed of a rate, --max of a quota")
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	l, err := api.SetLimit(c.Context, org, name, sdk.AnyVersion, in)
	if err != nil {
		return err
	}
	return s.printLimit(c, l)
}

func (s *shell) orgLimitsReset(c *cli.Context) error {
	name, err := argument(c, "LIMIT")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	l, err := api.ResetLimit(c.Context, org, name, sdk.AnyVersion)
	if err != nil {
		return err
	}
	return s.printLimit(c, l)
}

func (s *shell) printLimit(c *cli.Context, l *sdk.OrganizationLimit) error {
	if asJSON(c) {
		return s.printJSON(l)
	}
	return s.printPairs(
		pair{"limit", l.Name}, pair{"holds", limitWords(l.Value)}, pair{"default", limitWords(l.Default)},
		pair{"warns at", strconv.Itoa(int(l.Value.WarnPercent)) + " %"}, pair{"used", limitUsage(*l)},
	)
}
