package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

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
	{exitConflict, "the state of things does not allow it, such as a name that is taken"},
	{exitUnavailable, "the API or what it needs is away, too busy, or took too long"},
	{exitWorkflow, "the workflow has ended without completing"},
	{exitInterrupted, "interrupted"},
}

// failure is an error that knows how the program should end.
type failure struct {
	code    exitCode
	message string
	hint    string // the next step; "": none
}

// Error returns the message.
func (f *failure) Error() string { return f.message }

func usageError(message string) *failure { return &failure{code: exitUsage, message: message} }

// report tells people what went wrong and what to do next, and returns the exit
// code that tells programs.
func (s *shell) report(ctx context.Context, err error, path []string) exitCode {
	if err == nil {
		return exitOK
	}
	if errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled) {
		s.say("interrupted\n")
		return exitInterrupted
	}
	var known *failure
	var problem *sdk.Error
	var transport *url.Error
	switch {
	case errors.As(err, &known) && known.code == exitInterrupted:
		s.say("%s\n", known.message) // no error: somebody wanted it
		return exitInterrupted
	case errors.As(err, &known):
		if known.code == exitUsage && known.hint == "" {
			known.hint = fmt.Sprintf("Run %q for its usage.", strings.Join(append([]string{programName}, append(path, "--help")...), " "))
		}
		s.explain(known.message, nil, "", known.hint)
		return known.code
	case errors.As(err, &problem):
		code, hint := s.judge(problem)
		s.explain(printable(problem.Detail), problem.Fields, problem.RequestID, hint)
		return code
	case errors.As(err, &transport):
		return s.unreachable(transport)
	case errors.Is(err, context.DeadlineExceeded):
		s.explain("it took too long: "+err.Error(), nil, "", "")
		return exitUnavailable
	}
	s.explain(err.Error(), nil, "", configurationHint(err))
	return exitFailure
}

// configurationHint returns where the variables are explained, if err is about
// them. It goes by the words: whoever checks them returns a plain error.
func configurationHint(err error) string {
	if !strings.HasPrefix(err.Error(), "the configuration is not complete") {
		return ""
	}
	return `The README explains them: "Run it for real". Under "make run" they are in a file: . .data/env`
}

func (s *shell) explain(message string, fields []sdk.ProblemField, requestID, hint string) {
	s.say("%s %s\n", s.red("error:"), printableLines(message))
	for _, f := range fields {
		s.say("  %s: %s\n", printable(strings.TrimPrefix(f.Pointer, "/")), printable(f.Detail))
	}
	if requestID != "" {
		s.say("request id: %s\n", printable(requestID))
	}
	if hint != "" {
		s.say("%s\n", hint)
	}
}

// judge returns the exit code of a problem and the next step.
func (s *shell) judge(p *sdk.Error) (exitCode, string) {
	switch p.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return exitUsage, ""
	case http.StatusUnauthorized:
		return exitDenied, "Check BULKHEAD_API_KEY: the key may be mistyped, revoked or expired, or of another deployment than " + s.url + "."
	case http.StatusForbidden:
		return exitDenied, `Run "bulkhead whoami" to see what the key may do.`
	case http.StatusNotFound:
		if p.Code == "" {
			return exitNotFound, "Is " + s.url + " the address of Bulkhead? Set it by --url or BULKHEAD_URL."
		}
		return exitNotFound, "Check the name and --org: what belongs to another organization is not found either."
	case http.StatusConflict, http.StatusPreconditionFailed:
		return exitConflict, s.conflictHint(p.Code)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if p.RetryAfter > 0 {
			return exitUnavailable, fmt.Sprintf("Try again in %s.", p.RetryAfter)
		}
		return exitUnavailable, "Try again in a moment."
	}
	return exitFailure, ""
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

func (s *shell) unreachable(e *url.Error) exitCode {
	reason := e.Err.Error()
	if op, ok := errors.AsType[*net.OpError](e); ok && op.Err != nil {
		reason = op.Err.Error()
	}
	if e.Timeout() {
		reason = "it took too long"
	}
	s.explain(fmt.Sprintf("cannot reach the API at %s: %s", s.url, reason), nil, "",
		`Is the server running? Start it with "make run", or say where it is by --url or BULKHEAD_URL.`)
	return exitUnavailable
}
