package cli

import (
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) orgUsageCommand() *cli.Command {
	return &cli.Command{
		Name: "usage", Usage: "show how much was asked of the API", ArgsUsage: "[ORG]",
		Flags: []cli.Flag{
			orgFlag(),
			&cli.StringFlag{Name: "by", Usage: "what to sum by: key, hour or day; key if absent (`WHAT`)"},
			&cli.StringFlag{Name: "since", Usage: "the earliest time: a date and time, or how long ago, such as 24h or 30d; 24h if absent (`TIME`)"},
			&cli.StringFlag{Name: "until", Usage: "the end of the time, in the same forms; now if absent (`TIME`)"},
			limitFlag("sums to list", 0),
		},
		Description: `Requests, and those among them that were refused (403) and limited (429). What was
asked in the last seconds is not counted yet. Days are of UTC.

Examples:
  bulkhead org usage acme
  bulkhead org usage --org acme --by day --since 30d`,
		Action: s.orgUsage,
	}
}

func (s *shell) orgUsage(c *cli.Context) error {
	f := sdk.UsageFilter{By: sdk.UsageGrouping(c.String("by"))}
	var err error
	if f.From, err = s.point(c, "since"); err != nil {
		return err
	}
	if f.To, err = s.point(c, "until"); err != nil {
		return err
	}
	api, org, err := s.named(c)
	if err != nil {
		return err
	}
	all, err := collect(c, api.AllUsage(c.Context, org, f))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(sdk.UsageList{Items: all})
	}
	what := "KEY"
	var rows [][]string
	for _, u := range all {
		of := u.APIKeyID
		if of == "" {
			what, of = "START", s.moment(u.Start)
		}
		rows = append(rows, []string{of, strconv.FormatInt(u.Requests, 10), strconv.FormatInt(u.Refused, 10), strconv.FormatInt(u.Limited, 10)})
	}
	return s.printTable([]string{what, "REQUESTS", "REFUSED", "LIMITED"}, rows)
}
