package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestRequestContext(t *testing.T) {
	t.Parallel()

	type key struct{}
	begin := func(t *testing.T) (*requestContext, context.CancelFunc) {
		t.Helper()
		parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		t.Cleanup(cancel)
		e := newExchange(httptest.NewRecorder(), httptest.NewRequestWithContext(parent, http.MethodGet, "/", nil))
		t.Cleanup(e.context.end)
		return &e.context, cancel
	}
	soon, late := func() time.Time { return time.Now().Add(time.Hour) }, func() time.Time { return time.Now().Add(-time.Second) }

	for _, c := range []struct {
		name     string
		deadline func() time.Time
		do       func(c *requestContext, cancel context.CancelFunc)
		want     error
	}{
		{"Should go on", soon, func(*requestContext, context.CancelFunc) {}, nil},
		{"Should go on for who waits", soon, func(c *requestContext, _ context.CancelFunc) { c.Done() }, nil},
		{"Should end at its deadline", late, func(*requestContext, context.CancelFunc) {}, context.DeadlineExceeded},
		{"Should end at its deadline for who waits", late, func(c *requestContext, _ context.CancelFunc) { c.Done() }, context.DeadlineExceeded},
		{"Should end with the connection", soon, func(_ *requestContext, cancel context.CancelFunc) { cancel() }, context.Canceled},
		{"Should end with the connection for who waits", soon, func(c *requestContext, cancel context.CancelFunc) {
			c.Done()
			cancel()
			<-c.Done()
		}, context.Canceled},
		{"Should end with the request", soon, func(c *requestContext, _ context.CancelFunc) { c.end() }, context.Canceled},
		{"Should end with the request for who waits", soon, func(c *requestContext, _ context.CancelFunc) {
			c.Done()
			c.end()
		}, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			ctx, cancel := begin(t)
			ctx.until(c.deadline())
			child, release := context.WithCancel(ctx)
			defer release()
			c.do(ctx, cancel)
			is.True(errors.Is(ctx.Err(), c.want))
			is.True(errors.Is(context.Cause(ctx), c.want))
			if c.want != nil {
				<-ctx.Done()
				<-child.Done()
				is.True(errors.Is(child.Err(), c.want))
			}
		})
	}

	t.Run("Should hold the exchange, and what the connection's context holds", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		ctx, _ := begin(t)
		is.Equal(exchangeOf(ctx), ctx.exchange)
		is.Equal(ctx.Value(key{}), "value")
		ctx.until(soon())
		ctx.Done()
		is.Equal(ctx.Value(key{}), "value")
	})

	t.Run("Should keep a deadline of the connection that is earlier", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		parent, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e := newExchange(httptest.NewRecorder(), httptest.NewRequestWithContext(parent, http.MethodGet, "/", nil))
		defer e.context.end()
		e.context.until(soon())
		got, _ := e.context.Deadline()
		want, _ := parent.Deadline()
		is.Equal(got, want)
	})
}

// Not parallel: it counts goroutines.
func TestRequestContextGoroutines(t *testing.T) {
	t.Run("Should need no goroutine to tell contexts made of it", func(t *testing.T) {
		is := is.New(t)
		e := newExchange(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		defer e.context.end()
		e.context.until(time.Now().Add(time.Hour))
		before := runtime.NumGoroutine()
		for range 100 {
			_, cancel := context.WithCancel(&e.context)
			t.Cleanup(cancel)
		}
		is.True(runtime.NumGoroutine() < before+100)
	})
}
