package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/semaphore"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// ErrCrowded reports that an organization has all of its connections in use, and as
// many requests waiting for one as may.
var ErrCrowded = fault.Define(fault.Exhausted, "limit.concurrency_exceeded",
	"The organization has too many requests under way at once. Try again when Retry-After says.")

// errNested is a mistake of ours: whoever waits for a second connection while holding
// one waits for themselves, once enough do it.
var errNested = errors.New("a transaction's function used the database outside of its transaction")

const (
	// shareOfPool is the part of the pool that one organization may have: a quarter.
	shareOfPool = 4

	// leastShare lets an organization read while it writes, however small the pool.
	leastShare = 2

	// maxWaiting is how many may wait for each connection of an organization's share.
	// A read takes about a millisecond, so that the last of them still comes to its
	// turn long before its request ends, unless the others hold their connections.
	maxWaiting = 128

	// crowdedRetry is what callers are advised when there is no room to wait in.
	crowdedRetry = time.Second

	// gateShards is how many locks the gate has, so that organizations seldom meet.
	gateShards = 32
)

// gate is where an organization's requests wait for a connection, before they take
// one of the pool. No organization can have more than its share of the pool at once,
// whatever its requests wait for while they hold it: a lock of one of its rows, which
// the first of them holds, keeps its own requests waiting and nobody else's.
//
// It is this process's, as the pool is.
type gate struct {
	share  int64 // connections of one organization at once
	most   int   // callers of one organization at once, those who wait included
	spare  sync.Pool
	shards [gateShards]gateShard
}

type gateShard struct {
	mu    sync.Mutex
	lines map[uuid.UUID]*line // of the organizations that have anybody here
}

// line is one organization's callers. They come to their turn in their order.
type line struct {
	places *semaphore.Weighted
	here   int // who has a place or waits for one; guarded by the shard's lock
}

func newGate(maxConns int32) *gate {
	share := min(max(maxConns/shareOfPool, leastShare), maxConns)
	g := &gate{share: int64(share), most: int(share) * (1 + maxWaiting)}
	g.spare.New = func() any { return &line{places: semaphore.NewWeighted(g.share)} }
	for i := range g.shards {
		g.shards[i].lines = map[uuid.UUID]*line{}
	}
	return g
}

// pass is a place in the gate; the zero one is nobody's and needs no return.
type pass struct {
	gate *gate
	line *line
	org  uuid.UUID
}

// enter waits for a place among the scope's organization's, until ctx ends. It fails
// at once with ErrCrowded when too many wait already, unless it is to settle what was
// begun: those are no more than were let in to begin it. Who works for no
// organization is never held up.
func (g *gate) enter(ctx context.Context, s scope, settles bool) (pass, error) {
	if ctx.Value(inTransaction{}) != nil {
		return pass{}, errNested
	}
	if s.org == uuid.Nil {
		return pass{}, nil
	}
	l, ok := g.join(s.org, settles)
	if !ok {
		return pass{}, ErrCrowded.After(crowdedRetry)
	}
	p := pass{gate: g, line: l, org: s.org}
	if err := l.places.Acquire(ctx, 1); err != nil {
		g.part(p)
		return pass{}, err
	}
	return p, nil
}

// leave gives the place to the next in line.
func (p pass) leave() {
	if p.gate == nil {
		return
	}
	p.line.places.Release(1)
	p.gate.part(p)
}

// shard returns where an organization's line is kept. The last byte of an identifier
// is random.
func (g *gate) shard(org uuid.UUID) *gateShard { return &g.shards[org[len(org)-1]%gateShards] }

func (g *gate) join(org uuid.UUID, always bool) (*line, bool) {
	s := g.shard(org)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lines[org]
	if l == nil {
		l, _ = g.spare.Get().(*line)
		s.lines[org] = l
	}
	if l.here >= g.most && !always {
		return nil, false
	}
	l.here++
	return l, true
}

func (g *gate) part(p pass) {
	s := g.shard(p.org)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.line.here--; p.line.here == 0 {
		delete(s.lines, p.org)
		g.spare.Put(p.line)
	}
}

// inTransaction is the key under which a context says that it is a transaction's.
type inTransaction struct{}

// gatedResults gives the place back together with the connection.
type gatedResults struct {
	pgx.BatchResults
	pass pass
}

func (r *gatedResults) Close() error {
	err := r.BatchResults.Close()
	r.pass.leave()
	r.pass = pass{} // who closes twice leaves once
	return err
}

// failedResults is the answer to a batch that was not sent.
type failedResults struct{ err error }

var _ pgx.BatchResults = failedResults{}

func (r failedResults) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, r.err }
func (r failedResults) Query() (pgx.Rows, error)         { return nil, r.err }
func (r failedResults) QueryRow() pgx.Row                { return failedRow(r) }
func (r failedResults) Tx() pgx.Tx                       { return nil }
func (r failedResults) Close() error                     { return r.err }
