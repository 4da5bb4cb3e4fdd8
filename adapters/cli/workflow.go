package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) workflowCommand() *cli.Command {
	return &cli.Command{
		Name: "workflow", Usage: "workflows of an organization", Category: categoryTenants,
		Description: `They run in the organization's own Temporal namespace, on workers of your own.

Example:
  bulkhead workflow start --org acme --type Greet --task-queue default --input '"Ada"'`,
		Subcommands: append([]*cli.Command{
			{
				Name: "start", Usage: "start a workflow", ArgsUsage: "--type TYPE --task-queue QUEUE",
				Flags: append([]cli.Flag{
					orgFlag(),
					&cli.StringFlag{Name: "type", Aliases: []string{"t"}, Usage: "workflow type that a worker has registered (`TYPE`)"},
					&cli.StringFlag{Name: "task-queue", Aliases: []string{"q"}, Usage: "queue that the worker serves (`QUEUE`)"},
					&cli.StringFlag{Name: "id", Usage: "workflow id; a random one if absent (`ID`)"},
					inputFlag(),
				}, startFlags()...),
				Description: `An id that is running or has run is refused, unless --conflict and --reuse say
otherwise: starting the same twice starts it once.

Examples:
  bulkhead workflow start --org acme --type Greet --task-queue default --input '"Ada"'
  bulkhead workflow start --type Charge -q billing --id charge-42 -i '{"cents":995}' -i true
  bulkhead workflow start --type Charge -q billing --id charge-42 --reuse allow_duplicate_failed_only --attempts 5`,
				Action: s.workflowStart,
			},
			{
				Name: "show", Aliases: []string{"get"}, Usage: "show a workflow", ArgsUsage: "ID", Flags: []cli.Flag{orgFlag(), runFlag()},
				Description: `Where it stands, and since when.

Example:
  bulkhead workflow show charge-42 --org acme`,
				Action: s.workflowShow,
			},
			s.workflowHistoryCommand(),
			{
				Name: "result", Usage: "print what a workflow returned", ArgsUsage: "ID",
				Flags: []cli.Flag{
					orgFlag(), runFlag(),
					&cli.DurationFlag{Name: "wait", Value: time.Minute, Usage: "how long to wait for its end; 1m if absent, 0s is not at all (`DURATION`)"},
				},
				Description: `Prints the JSON that it returned. The exit code tells how it ended: 0 completed,
7 ended without completing, 6 still running.

Examples:
  bulkhead workflow result charge-42 --org acme --wait 60s
  bulkhead workflow result charge-42 --output json`,
				Action: s.workflowResult,
			},
		}, slices.Concat(s.workflowListCommands(), s.workflowControlCommands(), []*cli.Command{s.workflowBatchCommand()})...),
	}
}

func (s *shell) workflowStart(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	if err := needed(c, "type", "task-queue"); err != nil {
		return err
	}
	in := sdk.WorkflowStart{WorkflowID: c.String("id"), Type: c.String("type"), TaskQueue: c.String("task-queue")}
	var err error
	if in.Input, err = inputs(c, "input"); err != nil {
		return err
	}
	if err := startOptions(c, &in); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	s.workflowID = in.WorkflowID
	w, err := api.StartWorkflow(c.Context, org, in)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(w)
	}
	if err := s.printWorkflow(w); err != nil {
		return err
	}
	s.say("\nNext, wait for its result:\n  bulkhead workflow result %s --org %s --wait 60s\n", quote(w.WorkflowID), quote(org))
	return nil
}

func (s *shell) workflowShow(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	w, err := api.DescribeWorkflow(c.Context, org, id, c.String("run"))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(w)
	}
	return s.printWorkflow(w)
}

func (s *shell) printWorkflow(w *sdk.Workflow) error {
	events, key := "", ""
	if w.HistoryLength > 0 {
		events = strconv.FormatInt(w.HistoryLength, 10)
	}
	if w.StartedBy.UserID != "" { // beside the user, as a query by BulkheadActor asks for the key
		key = w.StartedBy.APIKeyID
	}
	pairs := []pair{
		{"workflow", w.WorkflowID},
		{"run", w.RunID},
		{"type", w.Type},
		{"task queue", w.TaskQueue},
		{"status", string(w.Status)},
		{"started", s.moment(w.StartedAt)},
		{"closed", s.moment(w.ClosedAt)},
		{"events", events},
		{"started by", cmp.Or(w.StartedBy.UserID, w.StartedBy.APIKeyID)},
		{"with key", key},
		{"parent", w.Parent.WorkflowID},
		{"execution timeout", ofSeconds(w.ExecutionTimeoutSeconds)},
		{"run timeout", ofSeconds(w.RunTimeoutSeconds)},
	}
	pairs = append(pairs, sortedPairs("memo", w.Memo, func(v json.RawMessage) string { return string(v) })...)
	pairs = append(pairs, sortedPairs("attribute", w.SearchAttributes, func(a sdk.WorkflowSearchAttribute) string { return string(a.Value) })...)
	return s.printPairs(pairs...)
}

// ofSeconds writes a duration of the API; none is "".
func ofSeconds(n int64) string {
	if n == 0 {
		return ""
	}
	return (time.Duration(n) * time.Second).String()
}

func (s *shell) workflowResult(c *cli.Context) error {
	id, err := argument(c, "ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	s.workflowID = id
	r, err := s.awaitResult(c, api, org, id)
	if err != nil {
		return err
	}
	if asJSON(c) {
		if err := s.printJSON(r); err != nil {
			return err
		}
	}
	var output json.RawMessage
	err = r.Decode(&output)
	var ended *sdk.WorkflowError
	switch {
	case errors.As(err, &ended) && !r.Status.Closed():
		return s.notEnded(r)
	case errors.As(err, &ended):
		return &failure{code: exitWorkflow, message: ended.Error()}
	case err != nil:
		return err
	}
	if asJSON(c) || len(output) == 0 {
		return nil
	}
	_, err = fmt.Fprintf(s.env.Out, "%s\n", output)
	return err
}

// notEnded says that a workflow goes on, and what may be why.
func (s *shell) notEnded(r *sdk.WorkflowResult) *failure {
	f := &failure{
		code: exitUnavailable, message: fmt.Sprintf("workflow %s is %s", s.workflowID, r.Status), hint: "To wait longer: --wait 5m",
	}
	if r.Status == sdk.WorkflowStatusRunning {
		f.hint = "Is a worker running that serves its task queue and type? " + s.showWorkflow() + "\n" + f.hint
	}
	return f
}

// awaitResult waits until the workflow has closed or the time to wait is over,
// and then returns how it stands.
func (s *shell) awaitResult(c *cli.Context, api *sdk.Client, org, id string) (*sdk.WorkflowResult, error) {
	run := c.String("run")
	if wait := c.Duration("wait"); wait > 0 {
		ctx, cancel := context.WithTimeout(c.Context, wait)
		defer cancel()
		if s.env.ErrTerminal && !asJSON(c) {
			s.say("Waiting for %s (Ctrl-C is safe)\n", printable(id))
		}
		r, err := api.AwaitResult(ctx, org, id, run)
		if ctx.Err() == nil || c.Err() != nil {
			return r, err
		}
	}
	return api.WorkflowResult(c.Context, org, id, run, 0)
}
