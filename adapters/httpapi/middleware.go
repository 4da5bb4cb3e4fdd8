package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/ports"
)

// begin gives the request its identity and its exchange. The identifier is
// always ours: one that a client chooses could be another's, and would let them
// forge entries of the log. Theirs is kept beside it when it is a plain word.
func (s *Server) begin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := newExchange(w, r)
		defer e.context.end()
		e.ip = clientIP(r, s.config.TrustedProxies)
		e.requestID[0] = newRequestID()
		if given := r.Header[requestIDHeader]; len(given) == 1 && isPlainWord(given[0]) {
			e.clientRequestID = given[0]
		}
		w.Header()[requestIDHeader] = e.requestID[:]
		next.ServeHTTP(e, r.WithContext(&e.context)) //nolint:contextcheck // it is made of the request's
	})
}

// requestIDHeader is in canonical form, to index a header without a copy.
const requestIDHeader = "X-Request-Id"

const maxClientRequestID = 128

// isPlainWord tells whether a text can stand in a log without being mistaken.
func isPlainWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && !isDigit(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return s != "" && len(s) <= maxClientRequestID
}

// newRequestID returns 26 characters of base32 with 128 random bits. They need
// to be unique, not secret, so the fast source is good enough.
func newRequestID() string {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	var out [26]byte
	hi, lo := rand.Uint64(), rand.Uint64() //nolint:gosec // unique, not secret
	for i := range out {
		out[i] = alphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(out[:])
}

// Headers of every answer. They are shared between answers: nothing appends to
// them, as a header is only ever set.
var (
	noStore    = []string{"no-store"}
	noSniff    = []string{"nosniff"}
	noContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
	noReferrer = []string{"no-referrer"}
	sameOrigin = []string{"same-origin"}
	onlyTLS    = []string{"max-age=31536000"}
)

// secureHeaders says that answers are data: never kept, never guessed at, never
// shown as a page, nor taken into a page of another origin. What may be kept, or
// is a page, says so itself. Who came over TLS is to come by nothing else.
func (s *Server) secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Cache-Control"] = noStore
		h["X-Content-Type-Options"] = noSniff
		h["Content-Security-Policy"] = noContent
		h["Referrer-Policy"] = noReferrer
		h["Cross-Origin-Resource-Policy"] = sameOrigin
		if cameOverTLS(r, s.config.TrustedProxies) {
			h["Strict-Transport-Security"] = onlyTLS
		}
		next.ServeHTTP(w, r)
	})
}

// accessLog writes one line a request, with the pattern of its route in place of
// its path, and never a header, a query or a body: none of those is ours to
// keep, and each may hold a secret. It is also where the cause of a fault of
// ours is logged, once.
func (s *Server) accessLog(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.record(r)
		next.ServeHTTP(w, r)
	})
}

// record writes the line of a request that has ended, and counts it: for the
// metrics, for the usage of whoever asked, and for the trail when it was refused.
func (s *Server) record(r *http.Request) {
	e := exchangeOf(r.Context())
	line := e.line(r)
	s.countOf(e)(line.Status, line.Took)
	refusal := fault.Internal // which is not counted apart
	if e.problem != nil {
		refusal = e.problem.Kind
		s.countRefusal(r.Context(), e)
	}
	s.usage.Count(e.actor, refusal)
	if e.isOurs() {
		s.log.LogAttrs(r.Context(), slog.LevelError, "request", append(attributes(line), e.causes()...)...)
		return
	}
	s.lines.Request(line)
}

// countOf returns what counts the requests of an operation. Those that are none
// of the contract's are counted together.
func (s *Server) countOf(e *exchange) func(int, time.Duration) {
	if e.endpoint == nil || e.endpoint.count == nil {
		return s.countOther
	}
	return e.endpoint.count
}

// otherOperation stands for all that is asked for and is no operation.
const otherOperation = "other"

// measure has every operation counted.
func (s *Server) measure(meter ports.RequestMeter) {
	s.countOther = meter.Requests(otherOperation)
	for _, e := range s.contract {
		e.count = meter.Requests(e.id)
	}
}

// countRefusal counts a request that was refused to whoever asked.
func (s *Server) countRefusal(ctx context.Context, e *exchange) {
	switch {
	case e.endpoint == nil:
	case e.problem.Kind == fault.Forbidden:
		s.refusals.Forbidden(actorOf(ctx), e.endpoint.id, e.problem.Code)
	case e.problem.Kind == fault.Unauthenticated:
		s.refusals.Unauthenticated(actorOf(ctx), e.problem)
	}
}

// methodOf returns a method for the log. One that no route could have is the
// client's text, and as long as they like.
func methodOf(r *http.Request) string {
	for _, m := range methods {
		if r.Method == m {
			return m
		}
	}
	return "other"
}

// recoverPanics turns a panic into a problem and its stack into a part of the
// request's line in the log. When the answer has begun already, it can only be
// cut off, so that nobody takes it for whole.
func recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer rescue(w, r)
		next.ServeHTTP(w, r)
	})
}

// rescue ends a panic. It is to be deferred itself: recover works nowhere else.
func rescue(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	err, isError := cause.(error)
	if isError && errors.Is(err, http.ErrAbortHandler) {
		panic(cause) // net/http's own way to cut an answer off
	}
	e := exchangeOf(r.Context())
	e.stack = debug.Stack()
	begun := e.status != 0
	// That the client is gone does not excuse a panic, hence the detached context.
	detached := r.WithContext(context.WithoutCancel(r.Context()))
	fail(w, detached, fault.ErrInternal.Because(fmt.Errorf("panic: %v", cause)))
	if begun {
		panic(http.ErrAbortHandler)
	}
}

// identify finds the operation that the route is. New has checked that there is one.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := exchangeOf(r.Context())
		e.endpoint = s.contract[route{routed(r.Method), r.Pattern}]
		e.endpoint.deprecation.announce(w.Header())
		next.ServeHTTP(w, r)
	})
}

// deadline ends the request's context after the time that any request gets, and
// after the time that this one asks to wait. Whatever a handler calls returns by
// then, whatever has become of what it waits for.
func (s *Server) deadline(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := s.config.Timeout
		x := exchangeOf(r.Context())
		e := x.endpoint
		if e.waits {
			limit += requestedWait(r)
		}
		if e.limit > limit {
			limit = e.limit
			// The connection's own deadlines are for what any request may take. Where
			// there are none, there is nothing to extend.
			connection := http.NewResponseController(w)
			_ = connection.SetReadDeadline(time.Now().Add(limit + writeGrace))
			_ = connection.SetWriteDeadline(time.Now().Add(limit + writeGrace))
		}
		x.context.until(x.start.Add(limit))
		next.ServeHTTP(w, r)
	})
}
