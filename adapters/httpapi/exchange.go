package httpapi

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
)

// exchange is all that this package knows of one request and its answer. There
// is one of it for each request, made by the outermost middleware, so that the
// others need no context value and no writer of their own: those are what a
// short answer costs most.
//
// It is the ResponseWriter that everything inside writes to, and holds the
// context of all that the request makes anybody do.
type exchange struct {
	http.ResponseWriter
	context requestContext

	start time.Time

	requestID       [1]string // as a header has it, so that it needs no copy
	clientRequestID string    // what the client calls the request; for the log alone
	ip              netip.Addr
	endpoint        *endpoint // nil until the route is known
	actor           authz.Actor
	holder          limit.Holder // whose limits the request is held to
	further         int64        // what its items cost beside
	limitLine       [1]string    // how they stand, as a header has it

	orgRef string        // what the path calls the organization, once that is known
	org    id.Org        // which it is
	grants *authz.Grants // notes what the actor is allowed, where that is needed later

	bodiless bool // the answer has no body, as it is to HEAD

	status  int   // 0 until the answer begins
	bytes   int64 // of the body
	problem *fault.Error
	stack   []byte // of a panic
	cut     bool   // the answer could not be finished
}

// newExchange begins an exchange.
func newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	e := &exchange{ResponseWriter: w, start: time.Now(), bodiless: r.Method == http.MethodHead}
	e.context.init(r.Context(), e)
	return e
}

// exchangeKey is the one key that this package puts into a context.
type exchangeKey struct{}

// exchangeOf returns the request's exchange. Every request has one: the router
// can not be reached but through begin.
func exchangeOf(ctx context.Context) *exchange {
	e, _ := ctx.Value(exchangeKey{}).(*exchange)
	return e
}

// actorOf returns who is asking, with the origin of the request. A strict
// handler gets nothing of the request but its context, hence the context is how
// the actor reaches it; the use cases get it as an argument. Without
// authentication it is the zero Actor, which may do nothing.
func actorOf(ctx context.Context) authz.Actor {
	e := exchangeOf(ctx)
	return e.actor.From(authz.Origin{RequestID: e.requestID[0], IP: e.ip}).Noting(e.grants)
}

// route returns the pattern of the request's route; "" when it has none.
func (e *exchange) route() string {
	if e.endpoint == nil {
		return ""
	}
	return e.endpoint.route.pattern
}

// isOurs tells whether the request failed by a fault of ours or of what we
// depend on.
func (e *exchange) isOurs() bool {
	return e.status >= http.StatusInternalServerError || e.stack != nil || e.cut
}

// WriteHeader begins the answer.
func (e *exchange) WriteHeader(status int) {
	if e.status == 0 {
		e.status = status
	}
	e.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the body.
func (e *exchange) Write(b []byte) (int, error) {
	if e.status == 0 {
		e.status = http.StatusOK
	}
	n, err := e.ResponseWriter.Write(b)
	if !e.bodiless { // else it goes nowhere, whatever the connection says
		e.bytes += int64(n)
	}
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (e *exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }
