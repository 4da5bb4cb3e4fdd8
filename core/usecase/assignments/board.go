package assignments

import (
	"context"
	"sync"

	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/pool"
)

// roster is what the platform's workers have in common: the organizations that are
// served, and who serves them.
type roster struct {
	orgs    []org.Snapshot
	members map[string][]string
}

// of returns the organizations that a question is about.
func (r roster) of(q Question) []org.Snapshot {
	if q.Pool == "" && q.Member == "" {
		return r.orgs
	}
	share := pool.NewShare(q.Member, r.members[q.Pool], q.Replicas)
	var out []org.Snapshot
	for i := range r.orgs {
		o := &r.orgs[i]
		if (q.Pool == "" || o.WorkerPool == q.Pool) && (q.Member == "" || share.Has(o.ID)) {
			out = append(out, *o)
		}
	}
	return out
}

// board is where workers wait for changes. Its page is turned whenever there may have
// been one, and then the roster is read once for all who waited: what a change costs
// the database does not grow with the number of workers.
type board struct {
	fetch func(context.Context) (roster, error)

	mu      sync.Mutex
	current page
	shared  *reading // of those who waited; nil: nobody has
}

// page is the time between two changes.
type page struct {
	number uint64
	turned chan struct{} // closed when the next begins
}

// reading is one that began within a page, or at its beginning.
type reading struct {
	in     uint64
	done   chan struct{}
	roster roster
	err    error
}

func newBoard(fetch func(context.Context) (roster, error)) *board {
	return &board{fetch: fetch, current: page{turned: make(chan struct{})}}
}

func (b *board) page() page {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.current
}

// turn ends the page.
func (b *board) turn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.current.turned)
	b.current = page{number: b.current.number + 1, turned: make(chan struct{})}
}

// read returns the roster as it was at some time since the page began.
func (b *board) read(ctx context.Context, since page) (roster, error) {
	r := b.share(ctx, since)
	select {
	case <-r.done:
		return r.roster, r.err
	case <-ctx.Done():
		return roster{}, ctx.Err()
	}
}

// share returns a reading that began since the page did, and begins it if there is
// none. It serves all who wait for it, so it outlives who began it.
func (b *board) share(ctx context.Context, since page) *reading {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shared == nil || b.shared.in < since.number {
		r := &reading{in: b.current.number, done: make(chan struct{})}
		b.shared = r
		ctx = context.WithoutCancel(ctx)
		go func() {
			defer close(r.done)
			r.roster, r.err = b.fetch(ctx)
		}()
	}
	return b.shared
}
