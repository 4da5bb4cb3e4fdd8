package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/sdk"
)

// exitCode is what the program ends with. The numbers are a contract with the
// scripts that call it.
type exitCode int

const (
	exitOK          exitCode = 0
	exitFailure     exitCode = 1
	exitUsage       exitCode = 2
	exitNotFound    exitCode = 3
	exitDenied      exitCode = 4
	exitConflict    exitCode = 5
	exitUnavailable exitCode = 6
	exitWorkflow    exitCode = 7
	exitInterrupted exitCode = 130
)

// exitCodes says what each means; it is the help on the topic.
var exitCodes = []struct {
	code    exitCode
	meaning string
}{
	{exitOK, "done"},
	{exitFailure, "failed for a reason that has no number of its own, or not confirmed"},
	{exitUsage, "the command line is wrong, or the API refuses a value in it"},
	{exitNotFound, "there is no such thing, or it belongs to another organization"},
	{exitDenied, "the API key is missing or not valid, or may not do this"},
	{exitConflict, "the state of things does not allow it, such as a name that is taken or a quota that is used up"},
	{exitUnavailable, "the API or what it needs is away, too busy, or took too long"},
	{exitWorkflow, "the workflow has ended without completing, or its update has failed"},
	{exitInterrupted, "interrupted"},
}

// failure is an error that knows how the program should end.
type failure struct {
	code    exitCode
	message string
	hint    string     // the next step; "": none
	cause   *sdk.Error // what the API said; nil: nothing
}

// Error returns the message.
func (f *failure) Error() string { return f.message }

func usageError(message string) *failure { return &failure{code: exitUsage, message: message} }

// trouble is what is shown of an error, to programs as this JSON.
type trouble struct {
	Code       string             `json:"code,omitempty"`
	Status     int                `json:"status,omitempty"`
	Detail     string             `json:"detail"`
	Fields     []sdk.ProblemField `json:"fields,omitempty"`
	Permission string             `json:"permission,omitempty"`
	RequestID  string             `json:"request_id,omitempty"`
	RetryAfter int64              `json:"retry_after_seconds,omitempty"`
	Hint       string             `json:"hint,omitempty"`
	Exit       exitCode           `json:"exit_code"`
}

// report tells people what went wrong and what to do next, and returns the exit
// code that tells programs. Those that want JSON get all of it as JSON.
func (s *shell) report(ctx context.Context, err error, path []string) exitCode {
	if err == nil {
		return exitOK
	}
	t := s.diagnose(ctx, err, path)
	switch {
	case s.json:
		_ = writeJSON(s.env.Err, t)
	case t.Exit == exitInterrupted:
		s.say("%s\n", t.Detail) // no error: somebody wanted it
	default:
		s.explain(t)
	}
	return t.Exit
}

func (s *shell) diagnose(ctx context.Context, err error, path []string) trouble {
	if errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled) {
		return trouble{Detail: "interrupted", Exit: exitInterrupted}
	}
	var known *failure
	var problem *sdk.Error
	var transport *url.Error
	switch {
	case errors.As(err, &known):
		t := trouble{Detail: known.message, Hint: known.hint, Exit: known.code}
		if known.cause != nil {
			t.Code, t.Status, t.RequestID, t.Permission = known.cause.Code, known.cause.Status, known.cause.RequestID, known.cause.Permission
		}
		if known.code == exitUsage && known.hint == "" {
			t.Hint = fmt.Sprintf("Run %q for its usage.", strings.Join(append([]string{programName}, append(path, "--help")...), " "))
		}
		return t
	case errors.As(err, &problem):
		code, hint := s.judge(problem)
		return trouble{
			Code: problem.Code, Status: problem.Status, Detail: problem.Detail, Fields: problem.Fields, Permission: problem.Permission, RequestID: problem.RequestID,
			RetryAfter: int64(problem.RetryAfter.Round(time.Second) / time.Second), Hint: hint, Exit: code,
		}
	case errors.As(err, &transport):
		return s.unreachable(transport)
	case errors.Is(err, context.DeadlineExceeded):
		return trouble{Detail: "it took too long: " + err.Error(), Exit: exitUnavailable}
	case lacksSchema(err):
		return trouble{Detail: "the database has no schema yet", Hint: "Make it: bulkhead migrate up", Exit: exitFailure}
	}
	return trouble{Detail: err.Error(), Hint: configurationHint(err), Exit: exitFailure}
}

// undefinedTable is what Postgres calls a table that is not there.
const undefinedTable = "42P01"

// lacksSchema tells whether err is that of a database before its first migration.
// It knows Postgres by its code alone: what speaks to it is not known here.
func lacksSchema(err error) bool {
	var answer interface{ SQLState() string }
	return errors.As(err, &answer) && answer.SQLState() == undefinedTable
}

// configurationHint returns where the variables are explained, if err is about
// them. It goes by the words: whoever checks them returns a plain error.
func configurationHint(err error) string {
	if !strings.HasPrefix(err.Error(), "the configuration is not complete") {
		return ""
	}
	return `The README explains them: "Run it for real". Under "make run" they are in a file: . .data/env`
}

func (s *shell) explain(t trouble) {
	code := ""
	if t.Code != "" {
		code = s.dim(" (" + printable(t.Code) + ")")
	}
	s.say("%s %s%s\n", s.red("error:"), printableLines(t.Detail), code)
	for _, f := range t.Fields {
		s.say("  %s: %s\n", printable(strings.TrimPrefix(f.Pointer, "/")), printable(f.Detail))
	}
	if t.RequestID != "" {
		s.say("request id: %s\n", printable(t.RequestID))
	}
	if t.Hint != "" {
		s.say("%s\n", t.Hint)
	}
}

// judge returns the exit code of a problem and the next step.
func (s *shell) judge(p *sdk.Error) (exitCode, string) {
	switch p.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return exitUsage, ""
	case http.StatusUnauthorized:
		return exitDenied, "Check BULKHEAD_API_KEY: the key may be mistyped, revoked, disabled or expired, bound to other addresses than yours,\n" +
			"of a user or an organization that is suspended or deleted, or of another deployment than " + s.url + "."
	case http.StatusForbidden:
		return exitDenied, deniedHint(p)
	case http.StatusNotFound:
		if p.Code == "" {
			return exitNotFound, "Is " + s.url + " the address of Bulkhead? Set it by --url or BULKHEAD_URL."
		}
		return exitNotFound, "Check the name and --org: what belongs to another organization is not found either."
	case http.StatusConflict, http.StatusPreconditionFailed:
		return exitConflict, s.conflictHint(p.Code)
	case http.StatusTooManyRequests:
		if p.Code == limit.ErrExceeded.Code {
			return exitConflict, s.quotaHint(p)
		}
		return exitUnavailable, tryAgain(p)
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return exitUnavailable, tryAgain(p)
	}
	return exitFailure, ""
}

// deniedHint returns what the key would have to be allowed, and how to see what it is.
func deniedHint(p *sdk.Error) string {
	hint := `Run "bulkhead whoami" to see what the key may do.`
	if p.Permission != "" {
		hint = "It takes the permission " + printable(p.Permission) + ". " + hint
	}
	return hint
}

func tryAgain(p *sdk.Error) string {
	if p.RetryAfter > 0 {
		return fmt.Sprintf("Try again in %s.", p.RetryAfter)
	}
	return "Try again in a moment."
}

// quotaHint returns who can raise a quota, and how.
func (s *shell) quotaHint(p *sdk.Error) string {
	name := "LIMIT"
	if len(p.Fields) > 0 {
		name = quote(printable(p.Fields[0].Pointer))
	}
	return fmt.Sprintf("Time does not mend it. An operator can raise the quota: bulkhead org limits set %s --org %s --max N", name, quote(first(s.orgName, "ORG")))
}

// conflictHint returns how to see what is in the way.
func (s *shell) conflictHint(code string) string {
	switch code {
	case org.ErrSlugTaken.Code:
		return "Look at the one that has it: " + showOrg(s.orgName)
	case org.ErrProtected.Code:
		return "Take the protection off: bulkhead org update " + quote(s.orgName) + " --unprotect"
	case org.ErrNotActive.Code, org.ErrState.Code, org.ErrGraceOver.Code:
		return "See its state: " + showOrg(s.orgName)
	case workflow.ErrAlreadyStarted.Code:
		return "Look at it: " + s.showWorkflow() + ", or choose another --id"
	}
	return ""
}

// showOrg returns the command that shows an organization, the key's own without a name.
func showOrg(named string) string {
	if named == "" {
		return "bulkhead org show"
	}
	return "bulkhead org show " + quote(named)
}

// showWorkflow returns the command that shows the workflow which the command is about.
func (s *shell) showWorkflow() string {
	return fmt.Sprintf("bulkhead workflow show %s --org %s", quote(s.workflowID), quote(s.orgName))
}

func (s *shell) unreachable(e *url.Error) trouble {
	reason := e.Err.Error()
	if op, ok := errors.AsType[*net.OpError](e); ok && op.Err != nil {
		reason = op.Err.Error()
	}
	if e.Timeout() {
		reason = "it took too long"
	}
	return trouble{
		Detail: fmt.Sprintf("cannot reach the API at %s: %s", s.url, reason), Exit: exitUnavailable,
		Hint: `Is the server running? Start it with "make run", or say where it is by --url or BULKHEAD_URL.`,
	}
}
