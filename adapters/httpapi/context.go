package httpapi

import (
	"context"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
)

// requestContext is the context of a request: the connection's, with the
// exchange, what the router knows, and a deadline. It is a part of the exchange,
// so that a request costs one context rather than four, and it starts a timer
// only when somebody waits for it: what is answered from memory never does.
type requestContext struct {
	parent   context.Context
	exchange *exchange

	routed   chi.Context
	patterns [1]string // room for what routed holds, but for requests with more
	keys     [2]string
	values   [2]string

	mu       sync.Mutex
	deadline time.Time       // zero: that of the parent
	timed    context.Context // nil until somebody waits
	cancel   context.CancelFunc
	ended    bool
}

var _ context.Context = (*requestContext)(nil)

// init makes the context that of an exchange.
func (c *requestContext) init(parent context.Context, e *exchange) {
	c.parent, c.exchange = parent, e
	c.routed.RoutePatterns = c.patterns[:0]
	c.routed.URLParams.Keys, c.routed.URLParams.Values = c.keys[:0], c.values[:0]
}

// until sets the deadline. Nobody may have waited before.
func (c *requestContext) until(deadline time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = deadline
}

// end cancels the context: the request is answered.
func (c *requestContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
}

// Deadline implements context.Context.
func (c *requestContext) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	theirs, ok := c.parent.Deadline()
	if c.deadline.IsZero() || (ok && theirs.Before(c.deadline)) {
		return theirs, ok
	}
	return c.deadline, true
}

// Done implements context.Context.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wait().Done()
}

// wait returns the context that has the timer. c.mu is held.
func (c *requestContext) wait() context.Context {
	if c.timed == nil {
		if c.deadline.IsZero() {
			c.timed, c.cancel = context.WithCancel(c.parent)
		} else {
			c.timed, c.cancel = context.WithDeadline(c.parent, c.deadline)
		}
		if c.ended {
			c.cancel()
		}
	}
	return c.timed
}

// Err implements context.Context.
func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	late := !c.deadline.IsZero() && !time.Now().Before(c.deadline)
	if c.timed == nil && !c.ended && !late {
		return c.parent.Err()
	}
	return c.wait().Err()
}

// Value implements context.Context. Contexts made of this one find the one with
// the timer by it, and so need no goroutine to learn of its end.
func (c *requestContext) Value(key any) any {
	switch key {
	case exchangeKey{}:
		return c.exchange
	case chi.RouteCtxKey:
		return &c.routed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed != nil {
		return c.timed.Value(key)
	}
	return c.parent.Value(key)
}
