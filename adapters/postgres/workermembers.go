package postgres

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/pool"
	"github.com/bulkheadhq/bulkhead/ports"
)

// assignmentsChannel is where the triggers of migration 019 say that workers may be
// assigned something else.
const assignmentsChannel = "bulkhead_assignments"

// WorkerMembers is where the members of worker pools are kept.
type WorkerMembers struct {
	db       *DB
	listener *listener
}

var _ ports.WorkerMembers = (*WorkerMembers)(nil)

// NewWorkerMembers returns the members that a database holds. It holds a connection of
// its own from the first Wait until Close.
func NewWorkerMembers(db *DB) *WorkerMembers {
	return &WorkerMembers{db: db, listener: newListener(db.listen, assignmentsChannel)}
}

// Hold implements ports.WorkerMembers, in one statement.
func (m *WorkerMembers) Hold(ctx context.Context, pool, member string, lease time.Duration) error {
	return queries.WorkerMemberHold(ctx, m.db.writing(scope{}), &dbsqlc.WorkerMemberHoldParams{
		Pool: pool, Member: member, LeaseSeconds: lease.Seconds(),
	})
}

// Leave implements ports.WorkerMembers.
func (m *WorkerMembers) Leave(ctx context.Context, pool, member string) error {
	return queries.WorkerMemberLeave(ctx, m.db.writing(scope{}), &dbsqlc.WorkerMemberLeaveParams{Pool: pool, Member: member})
}

// Leases implements ports.WorkerMembers.
func (m *WorkerMembers) Leases(ctx context.Context) ([]pool.Lease, error) {
	rows, err := queries.WorkerMemberLeases(ctx, m.db.reading(scope{}))
	if err != nil {
		return nil, err
	}
	out := make([]pool.Lease, len(rows))
	for i, r := range rows {
		out[i] = pool.Lease{Pool: r.Pool, Member: r.Member, EndsAt: r.ExpiresAt, HasEnded: r.HasEnded}
	}
	return out, nil
}

// All implements ports.WorkerMembers.
func (m *WorkerMembers) All(ctx context.Context) (map[string][]string, error) {
	rows, err := queries.WorkerMemberList(ctx, m.db.reading(scope{}))
	if err != nil {
		return nil, err
	}
	out := make(map[string][]string)
	for _, r := range rows {
		out[r.Pool] = append(out[r.Pool], r.Member)
	}
	return out, nil
}

// Wait implements ports.WorkerMembers. While the database is away it returns after
// limit, and as soon as the database is back.
func (m *WorkerMembers) Wait(ctx context.Context, limit time.Duration) error {
	return m.listener.wait(ctx, limit)
}

// Close ends the connection that Wait holds.
func (m *WorkerMembers) Close(ctx context.Context) error { return m.listener.close(ctx) }
