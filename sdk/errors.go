package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is a problem that the API answered with (RFC 9457). Get it by errors.As
// and decide by Code, which is stable; Detail is for people.
type Error struct {
	Status     int            // the HTTP status
	Code       string         // such as "org.slug_taken"; "" when something before the API answered
	Detail     string         // the problem in words
	Fields     []ProblemField // the rules that the request breaks
	Permission string         // that the API key lacks, where one alone decides; "" otherwise
	RequestID  string         // for the operator of the service
	RetryAfter time.Duration  // how long the server asks to wait; 0 when it does not say
}

// Error returns the problem in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Detail)
	if e.Code != "" {
		fmt.Fprintf(&b, " (%d %s)", e.Status, e.Code)
	} else {
		fmt.Fprintf(&b, " (%d)", e.Status)
	}
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Pointer, f.Detail)
	}
	if e.Permission != "" {
		fmt.Fprintf(&b, "; it takes %s", e.Permission)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " [request %s]", e.RequestID)
	}
	return b.String()
}

// IsNotFound tells whether the API answered that there is no such thing. What
// belongs to another organization is not found either.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsUnauthenticated tells whether the API key is missing, wrong, revoked or expired.
func IsUnauthenticated(err error) bool { return hasStatus(err, http.StatusUnauthorized) }

// IsForbidden tells whether the API key's power does not suffice.
func IsForbidden(err error) bool { return hasStatus(err, http.StatusForbidden) }

// IsConflict tells whether the state of things does not allow the request.
func IsConflict(err error) bool { return hasStatus(err, http.StatusConflict) }

// IsStale tells whether the thing has changed since the version that the request
// was meant for.
func IsStale(err error) bool { return hasStatus(err, http.StatusPreconditionFailed) }

func hasStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// problem reads an answer that is no success. It never fails: whatever stands
// between here and the API may answer in its own words, or with none.
func (c *Client) problem(status int, header http.Header, body []byte, now time.Time) *Error {
	e := &Error{
		Status:     status,
		Detail:     fmt.Sprintf("The server answered %d %s.", status, http.StatusText(status)),
		RetryAfter: retryAfter(header.Get("Retry-After"), now),
	}
	if media, _, err := mime.ParseMediaType(header.Get("Content-Type")); err != nil || media != "application/problem+json" {
		return e
	}
	var p Problem
	if json.Unmarshal(body, &p) != nil || p.Code == "" {
		return e
	}
	e.Code, e.RequestID = c.key.scrub(p.Code), c.key.scrub(p.RequestID)
	e.Permission = c.key.scrub(p.Permission)
	if p.Detail != "" {
		e.Detail = c.key.scrub(p.Detail)
	}
	for _, f := range p.Fields {
		e.Fields = append(e.Fields, ProblemField{
			Pointer: c.key.scrub(f.Pointer), Rule: c.key.scrub(f.Rule), Detail: c.key.scrub(f.Detail),
		})
	}
	return e
}

// retryAfter reads the header's two forms, seconds and a date.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}
