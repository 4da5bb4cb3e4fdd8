package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// importSize is how many users go into one request.
const importSize = 1000

func (s *shell) userImportCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "add many users from a CSV file", ArgsUsage: "FILE",
		Flags: []cli.Flag{
			orgFlag(),
			&cli.StringFlag{Name: "role", Usage: "the `ROLE` of users without one in the file"},
			&cli.BoolFlag{Name: "atomic", Usage: "all or nothing; at most 1,000 users"},
		},
		Description: `The first line names the columns: email, and name and role if there are any. A line that
can not be added is reported and keeps no other from being added, unless --atomic is given.
FILE may be - for the standard input.

Example:
  bulkhead user import people.csv --org acme --role member`,
		Action: s.userImport,
	}
}

func (s *shell) userImport(c *cli.Context) error {
	file, err := argument(c, "FILE")
	if err != nil {
		return err
	}
	operations, err := s.readUsers(file, c.String("role"))
	if err != nil {
		return err
	}
	if len(operations) == 0 {
		return usageError("the file names no user")
	}
	if c.Bool("atomic") && len(operations) > importSize {
		return usageError("--atomic takes at most 1,000 users")
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	total := sdk.UserBulkResult{Applied: true, Items: []sdk.UserBulkItem{}}
	for part := range slices.Chunk(operations, importSize) {
		r, err := api.BulkUsers(c.Context, org, sdk.UserBulk{Operations: part, Atomic: c.Bool("atomic")})
		if err != nil {
			return err
		}
		total.Applied = total.Applied && r.Applied
		total.Succeeded, total.Failed = total.Succeeded+r.Succeeded, total.Failed+r.Failed
		total.Items = append(total.Items, r.Items...)
		s.say("%d of %d\n", len(total.Items), len(operations))
	}
	return s.printImport(c, operations, total)
}

// readUsers reads the file, and checks what can be checked without the API.
func (s *shell) readUsers(file, role string) ([]sdk.UserBulkOperation, error) {
	in := s.env.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, usageError(err.Error())
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	r := csv.NewReader(in)
	header, err := r.Read()
	if err != nil {
		return nil, usageError("the file has no line that names the columns: " + err.Error())
	}
	for _, column := range header {
		if !slices.Contains([]string{"email", "name", "role"}, column) {
			return nil, usageError("the column " + quote(column) + " is not one of email, name and role")
		}
	}
	if !slices.Contains(header, "email") {
		return nil, usageError("the file has no column email")
	}
	var out []sdk.UserBulkOperation
	for {
		line, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, usageError(err.Error())
		}
		op := sdk.UserBulkOperation{Op: sdk.UserBulkOperationOpAdd, Role: role}
		for i, column := range header {
			switch {
			case column == "email":
				op.Email = line[i]
			case column == "name":
				op.Name = line[i]
			case line[i] != "":
				op.Role = line[i]
			}
		}
		if op.Role == "" {
			return nil, usageError(fmt.Sprintf("line %d has no role, and there is no --role", len(out)+2))
		}
		out = append(out, op)
	}
}

// printImport tells what became of the lines. A failure is one of the command,
// too.
func (s *shell) printImport(c *cli.Context, operations []sdk.UserBulkOperation, total sdk.UserBulkResult) error {
	if asJSON(c) {
		if err := s.printJSON(total); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for i, item := range total.Items {
			rows = append(rows, []string{strconv.Itoa(i + 2), operations[i].Email, string(item.Status), item.Problem.Code})
		}
		if err := s.printTable([]string{"LINE", "USER", "STATUS", "PROBLEM"}, rows); err != nil {
			return err
		}
	}
	if c.Bool("atomic") && !total.Applied {
		return &failure{code: exitFailure, message: fmt.Sprintf("none of %d was added: %s", len(operations), refusedLines(operations, total.Items))}
	}
	if total.Failed > 0 {
		return &failure{code: exitFailure, message: fmt.Sprintf("%d of %d users could not be added", total.Failed, len(operations))}
	}
	return nil
}

// namedLines is how many lines of an import an error names.
const namedLines = 5

// refusedLines names the lines that could not be added, and why.
func refusedLines(operations []sdk.UserBulkOperation, items []sdk.UserBulkItem) string {
	var named []string
	refused := 0
	for i, item := range items {
		if item.Status != sdk.UserBulkItemStatusFailed {
			continue
		}
		if refused++; refused <= namedLines {
			named = append(named, fmt.Sprintf("line %d (%s) failed, %s", i+2, operations[i].Email, item.Problem.Code))
		}
	}
	if more := refused - namedLines; more > 0 {
		named = append(named, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(named, "; ")
}
