package cli

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) operationCommand() *cli.Command {
	return &cli.Command{
		Name: "operation", Usage: "long-running work, and how far it has come", Category: categoryTenants,
		Description: `Preparing an organization takes a moment, and deleting one may take days: each is an
operation that can be followed.

Example:
  bulkhead operation list --org acme`,
		Subcommands: []*cli.Command{
			{
				Name: "show", Aliases: []string{"get"}, Usage: "show an operation", ArgsUsage: "OPERATION_ID",
				Description: `Its state, the last step that it has completed, and what is in the way of the next.

Example:
  bulkhead operation show op_01h455vb4pex5vsknk084sn02q`,
				Action: s.operationShow,
			},
			{
				Name: "list", Usage: "list an organization's operations", Flags: []cli.Flag{orgFlag(), limitFlag("operations to list", 0)},
				Description: `All of them, ended ones too, oldest first.

Example:
  bulkhead operation list --org acme`,
				Action: s.operationList,
			},
			{
				Name: "wait", Usage: "wait until an operation has ended", ArgsUsage: "OPERATION_ID", Flags: []cli.Flag{timeoutFlag()},
				Description: `Shows each step. Ends with 1 when the operation fails. Interrupting it does not stop
the operation.

Example:
  bulkhead operation wait op_01h455vb4pex5vsknk084sn02q --timeout 1h`,
				Action: s.operationWait,
			},
			{
				Name: "retry", Usage: "try a failed operation again", ArgsUsage: "OPERATION_ID",
				Flags: []cli.Flag{&cli.BoolFlag{Name: "no-wait", Usage: "do not wait until it has ended"}, timeoutFlag()},
				Description: `The attempt is an operation of its own, which is followed to its end.

Example:
  bulkhead operation retry op_01h455vb4pex5vsknk084sn02q`,
				Action: s.operationRetry,
			},
		},
	}
}

func timeoutFlag() cli.Flag {
	return &cli.DurationFlag{Name: "timeout", Usage: "how long to wait; 5m if absent (`DURATION`)", Value: provisionTimeout}
}

// operation returns the client and the operation that a command is about.
func (s *shell) operation(c *cli.Context) (*sdk.Client, string, error) {
	id, err := argument(c, "OPERATION_ID")
	if err != nil {
		return nil, "", err
	}
	api, err := s.client(c)
	return api, id, err
}

func (s *shell) operationShow(c *cli.Context) error {
	api, id, err := s.operation(c)
	if err != nil {
		return err
	}
	op, err := api.Operation(c.Context, id, 0)
	if err != nil {
		return err
	}
	return s.printOperation(c, op)
}

func (s *shell) operationList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	all, err := collect(c, api.AllOperations(c.Context, org))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(sdk.OperationList{Items: all})
	}
	var rows [][]string
	for _, o := range all {
		rows = append(rows, []string{o.ID, o.Kind, string(o.State), o.Step, s.ago(o.CreatedAt), o.Failure})
	}
	return s.printTable([]string{"ID", "KIND", "STATE", "STEP", "BEGUN", "FAILURE"}, rows)
}

func (s *shell) operationWait(c *cli.Context) error {
	api, id, err := s.operation(c)
	if err != nil {
		return err
	}
	op, err := s.await(c, api, id, "Waiting for operation "+id)
	if err != nil {
		return err
	}
	return s.printOperation(c, op)
}

func (s *shell) operationRetry(c *cli.Context) error {
	api, id, err := s.operation(c)
	if err != nil {
		return err
	}
	op, err := api.RetryOperation(c.Context, id)
	if err != nil {
		return err
	}
	if !c.Bool("no-wait") {
		if op, err = s.await(c, api, op.ID, "Trying again as operation "+op.ID); err != nil {
			return err
		}
	}
	return s.printOperation(c, op)
}

// await follows an operation to its end, no longer than --timeout says.
func (s *shell) await(c *cli.Context, api *sdk.Client, id, title string) (*sdk.Operation, error) {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	p := s.newProgress(asJSON(c), title)
	op, err := api.AwaitOperation(ctx, id, p.report)
	p.end(err == nil)
	var failed *sdk.OperationError
	switch {
	case errors.As(err, &failed) && failed.Operation.State == sdk.OperationStateCanceled:
		return nil, &failure{code: exitFailure, message: "the operation was canceled: " + failed.Operation.Failure}
	case errors.As(err, &failed):
		return nil, &failure{
			code: exitFailure, message: "the operation failed: " + hindrance(failed.Operation),
			hint: "When the cause is mended, try again: bulkhead operation retry " + quote(id),
		}
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && c.Err() == nil:
		return nil, &failure{
			code: exitUnavailable, message: "the operation has not ended yet; the work goes on",
			hint: "Wait for it again: bulkhead operation wait " + quote(id),
		}
	case err != nil && errors.Is(c.Err(), context.Canceled):
		return nil, &failure{code: exitInterrupted, message: "interrupted; the work goes on: bulkhead operation wait " + quote(id)}
	}
	return op, err
}

func (s *shell) printOperation(c *cli.Context, o *sdk.Operation) error {
	if asJSON(c) {
		return s.printJSON(o)
	}
	return s.printPairs(
		pair{"operation", o.ID}, pair{"kind", o.Kind}, pair{"organization", o.OrganizationID}, pair{"state", string(o.State)},
		pair{"step", o.Step}, pair{"failed attempts", amount(o.Attempts)}, pair{"failure", o.Failure}, pair{"failure code", o.FailureCode}, pair{"note", o.Note}, pair{"another attempt at", o.RetryOf},
		pair{"begun", s.moment(o.CreatedAt)}, pair{"ended", s.moment(o.FinishedAt)},
	)
}
