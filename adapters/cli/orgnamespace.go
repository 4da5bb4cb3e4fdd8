package cli

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// orgNamespaceCommands are the commands about an organization's Temporal namespace.
func (s *shell) orgNamespaceCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "diff", Usage: "compare an organization's Temporal namespace with how it must be", ArgsUsage: "[ORG]",
			Flags: []cli.Flag{orgFlag()},
			Description: `Ends with 1 when there is a difference, so that a script can tell.

Examples:
  bulkhead org diff acme
  bulkhead org diff acme --output json`,
			Action: s.orgDiff,
		},
		{
			Name: "reconcile", Usage: "repair an organization's Temporal namespace", ArgsUsage: "[ORG]",
			Flags: []cli.Flag{orgFlag()},
			Description: `Makes it as it must be, now. The worker does so by itself, but only every few minutes.
Nothing is deleted. Ends with 1 when something is left that takes a person.

Examples:
  bulkhead org reconcile acme`,
			Action: s.orgReconcile,
		},
		{
			Name: "doctor", Usage: "prove that an organization works", ArgsUsage: "[ORG]",
			Flags: []cli.Flag{orgFlag(), &cli.StringSliceFlag{Name: "task-queue", Aliases: []string{"q"}, Usage: "where to look for workers, besides those that are found; repeat for more (`QUEUE`)"}},
			Description: `Checks its state, its namespace, a data-plane token, a workflow's way from its start to
its end, of which nothing is left, and the workers on the task queues of what runs and is
scheduled. Ends with 1 when a check has failed.

Examples:
  bulkhead org doctor acme
  bulkhead org doctor acme --task-queue orders`,
			Action: s.orgDoctor,
		},
	}
}

func (s *shell) orgDiff(c *cli.Context) error {
	api, org, err := s.named(c)
	if err != nil {
		return err
	}
	n, err := api.Namespace(c.Context, org)
	if err != nil {
		return err
	}
	return s.printNamespace(c, n)
}

func (s *shell) orgReconcile(c *cli.Context) error {
	api, org, err := s.named(c)
	if err != nil {
		return err
	}
	n, err := api.ReconcileNamespace(c.Context, org)
	if err != nil {
		return err
	}
	return s.printNamespace(c, n)
}

// printNamespace prints a namespace and its drift, which is a failure.
func (s *shell) printNamespace(c *cli.Context, n *sdk.Namespace) error {
	if asJSON(c) {
		if err := s.printJSON(n); err != nil {
			return err
		}
		return s.drifted(n)
	}
	retention := ""
	if n.RetentionSeconds > 0 {
		retention = (time.Duration(n.RetentionSeconds) * time.Second).String()
	}
	if err := s.printPairs(pair{"namespace", n.Name}, pair{"status", string(n.Status)}, pair{"retention", retention}); err != nil || len(n.Drift) == 0 {
		return err
	}
	var rows [][]string
	for _, d := range n.Drift {
		rows = append(rows, []string{d.Field, first(d.Want, "-"), first(d.Have, "-"), first(d.Repair, "reconcile")})
	}
	if _, err := fmt.Fprintln(s.env.Out); err != nil {
		return err
	}
	if err := s.printTable([]string{"FIELD", "MUST BE", "IS", "REPAIR"}, rows); err != nil {
		return err
	}
	return s.drifted(n)
}

// drifted fails when the namespace is not as it must be, and names the next step.
func (s *shell) drifted(n *sdk.Namespace) error {
	if len(n.Drift) == 0 {
		return nil
	}
	f := &failure{code: exitFailure, message: "the namespace is not as it must be"}
	for _, d := range n.Drift {
		if d.Repairable {
			f.hint = "Repair it: bulkhead org reconcile " + quote(s.orgName)
		}
	}
	return f
}

func (s *shell) orgDoctor(c *cli.Context) error {
	api, org, err := s.named(c)
	if err != nil {
		return err
	}
	found, err := api.ExamineOrganization(c.Context, org, c.StringSlice("task-queue")...)
	if err != nil {
		return err
	}
	if err := s.printExamination(c, found); err != nil {
		return err
	}
	if !found.Healthy {
		return &failure{code: exitFailure, message: "the organization does not work as it must"}
	}
	return nil
}

func (s *shell) printExamination(c *cli.Context, found *sdk.Examination) error {
	if asJSON(c) {
		return s.printJSON(found)
	}
	var rows [][]string
	for _, check := range found.Checks {
		took := (time.Duration(check.DurationMs) * time.Millisecond).String()
		rows = append(rows, []string{s.mark(check.Status), check.Name, took, check.Detail, first(check.Repair, "-")})
	}
	return s.printTable([]string{"", "CHECK", "TOOK", "FOUND", "REPAIR"}, rows)
}

// mark is the sign of a status where people see it, and its word elsewhere.
func (s *shell) mark(status sdk.ExaminationCheckStatus) string {
	if !s.env.OutTerminal {
		return string(status)
	}
	switch status {
	case sdk.ExaminationCheckStatusOk:
		return "✓"
	case sdk.ExaminationCheckStatusFailed:
		return "✗"
	case sdk.ExaminationCheckStatusWarning:
		return "!"
	}
	return "-"
}
