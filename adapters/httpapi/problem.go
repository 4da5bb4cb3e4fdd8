package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/limit"
)

// The faults that only HTTP knows.
var (
	errNoRoute         = fault.Define(fault.NotFound, "request.no_route", "The API has no such path.")
	errMethod          = fault.Define(fault.Invalid, "request.method_not_allowed", "The path does not allow this method; see the header Allow.")
	errDuplicateHeader = fault.Define(fault.Invalid, "request.duplicate_header", "A header that must stand once stands in the request more than once.")
	errMediaType       = fault.Define(fault.Invalid, "request.media_type", "The body must be sent as application/json, in UTF-8 and without a content coding.")
	errUnexpectedBody  = fault.Define(fault.Invalid, "request.unexpected_body", "The operation takes no body.")
	errTooLarge        = fault.Define(fault.Invalid, "request.too_large", "The body is larger than the service accepts.")
	errBodyBroken      = fault.Define(fault.Invalid, "request.body_incomplete", "The body ended before it was complete.")
	errBodySlow        = fault.Define(fault.Invalid, "request.too_slow", "The body did not arrive in time.")
	errClientGone      = fault.Define(fault.Invalid, "request.cancelled", "The client did not wait for the answer.")
)

// statusClientGone is what the access log calls a request whose client went
// away, as nginx does: it is neither our mistake nor theirs.
const statusClientGone = 499

// statusByKind is the one table of how a fault shows in HTTP.
var statusByKind = map[fault.Kind]int{
	fault.Internal:           http.StatusInternalServerError,
	fault.Invalid:            http.StatusBadRequest,
	fault.Unauthenticated:    http.StatusUnauthorized,
	fault.Forbidden:          http.StatusForbidden,
	fault.NotFound:           http.StatusNotFound,
	fault.Conflict:           http.StatusConflict,
	fault.PreconditionFailed: http.StatusPreconditionFailed,
	fault.Exhausted:          http.StatusTooManyRequests,
	fault.Unavailable:        http.StatusServiceUnavailable,
	fault.Timeout:            http.StatusGatewayTimeout,
}

// statusByCode is for the faults of this package that HTTP has a status of
// their own for.
var statusByCode = map[string]int{
	errMethod.Code:     http.StatusMethodNotAllowed,
	errMediaType.Code:  http.StatusUnsupportedMediaType,
	errTooLarge.Code:   http.StatusRequestEntityTooLarge,
	errBodySlow.Code:   http.StatusRequestTimeout,
	errClientGone.Code: statusClientGone,

	errNoPrecondition.Code: http.StatusPreconditionRequired,
	errKeyReused.Code:      http.StatusUnprocessableEntity,
}

func statusOf(f *fault.Error) int {
	if s, ok := statusByCode[f.Code]; ok {
		return s
	}
	if s, ok := statusByKind[f.Kind]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// problemTypes is what a problem's type begins with; the code follows. It is a
// reference to the page of errors, where each code has an anchor of its name.
const problemTypes = errorsPath + "#"

// The bounds of a problem in the contract.
const (
	maxProblemFields = 100
	maxFieldLen      = 512
)

// unavailableRetry is the advice when something we depend on is away, or slow, and
// the fault has none of its own.
const unavailableRetry = time.Second

// fail answers with the problem that err is, and leaves it for the access log.
// It is the only way an error leaves this package.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	e := exchangeOf(r.Context())
	f := asFault(r.Context(), err)
	status := statusOf(f)
	e.problem = f
	if e.status != 0 {
		return // the answer has begun; the log has the fault
	}
	body, err := json.Marshal(problemOf(f, status, e.requestID[0]))
	if err != nil { // strings and numbers only: it can not fail
		panic(err)
	}
	h := w.Header()
	// What a handler had set before it failed is not true of the problem.
	h.Del("ETag")
	h.Del("Location")
	h["Cache-Control"] = noStore
	h.Set("Content-Type", "application/problem+json")
	if f.Kind == fault.Unauthenticated {
		h.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	if d := retryAfter(f); d > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone: there is nobody left to tell
}

// asFault returns the fault that err is to the caller. A context that ended says
// more than what broke because of it.
func asFault(ctx context.Context, err error) *fault.Error {
	var known *fault.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return errClientGone.Because(err)
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.DeadlineExceeded):
		return fault.ErrTimeout.Because(err)
	}
	return fault.ErrInternal.Because(err)
}

func retryAfter(f *fault.Error) time.Duration {
	if f.RetryAfter == 0 && (f.Kind == fault.Unavailable || f.Kind == fault.Timeout) {
		return unavailableRetry
	}
	return f.RetryAfter
}

func problemOf(f *fault.Error, status int, requestID string) gen.Problem {
	p := gen.Problem{
		Type: problemTypes + f.Code, Title: titleOf(status), Status: int32(status), //nolint:gosec // a status has three digits
		Code: f.Code, Detail: f.Public, RequestID: requestID,
	}
	if refused, ok := errors.AsType[*limit.RefusedError](f); ok {
		policies := refused.Policies()
		p.ViolatedPolicies = &policies
	}
	p.Permission = optional(authz.Lack(f).String())
	if len(f.Fields) == 0 {
		return p
	}
	fields := make([]gen.ProblemField, 0, min(len(f.Fields), maxProblemFields))
	for _, field := range f.Fields[:cap(fields)] {
		fields = append(fields, gen.ProblemField{
			Pointer: clip(field.Pointer, maxFieldLen), Rule: field.Rule, Detail: clip(field.Detail, maxFieldLen),
		})
	}
	p.Fields = &fields
	return p
}

func titleOf(status int) string {
	if status == statusClientGone {
		return "Client Closed Request"
	}
	return http.StatusText(status)
}

// clip cuts a text to at most limit characters.
func clip(s string, limit int) string {
	if len(s) <= limit { // no text has more characters than bytes
		return s
	}
	n := 0
	for i := range s {
		if n == limit {
			return s[:i]
		}
		n++
	}
	return s
}
