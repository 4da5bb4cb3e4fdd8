package httpapi

import (
	"context"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

var errTooManyWaiting = fault.Define(fault.Exhausted, "request.too_many_waiting",
	"Too many requests of the organization wait for something. Ask again when Retry-After says, or without a wait.")

// waitingRetry is what callers are advised who may not wait. Waits last for seconds
// and end all the time, where there are many.
const waitingRetry = time.Second

// waits bounds how many requests of one organization wait at a time. A request that
// waits costs more than its one unit of the rate: it asks Temporal or the database
// again and again, for as long as it lasts.
type waits struct {
	drain *drain
	most  int // of one organization

	mu  sync.Mutex
	now map[id.Org]int // those that have any
}

func newWaits(d *drain, most int) *waits { return &waits{drain: d, most: most, now: map[id.Org]int{}} }

// begin takes a place among those who wait, if there is one.
func (w *waits) begin(o id.Org) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now[o] >= w.most {
		return false
	}
	w.now[o]++
	return true
}

func (w *waits) end(o id.Org) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now[o]--; w.now[o] == 0 {
		delete(w.now, o)
	}
}

// waiting calls a use case that may wait. It fails with errTooManyWaiting, and calls
// nothing, when too many of the caller's organization wait already. When the process
// begins to shut down meanwhile, the wait ends and the use case is asked again for
// what there is: a client that waits is told the present state, not that we go.
func waiting[T any](ctx context.Context, w *waits, wait time.Duration, call func(context.Context, time.Duration) (T, error)) (T, error) {
	if wait <= 0 || w.drain.begun() {
		return call(ctx, 0)
	}
	o := exchangeOf(ctx).actor.Org()
	if !w.begin(o) {
		var none T
		return none, errTooManyWaiting.After(waitingRetry)
	}
	defer w.end(o)
	held, release := context.WithCancel(ctx)
	defer release()
	stop := context.AfterFunc(w.drain.ctx, release) //nolint:contextcheck // the wait ends with either of two contexts
	defer stop()
	got, err := call(held, wait)
	if err != nil && held.Err() != nil && ctx.Err() == nil {
		return call(ctx, 0)
	}
	return got, err
}
