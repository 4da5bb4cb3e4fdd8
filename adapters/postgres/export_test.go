package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// DBTX is what generated queries run on.
type DBTX = dbsqlc.DBTX

// What the tests of package postgres_test see beyond the public names.
var (
	Violations   = violations
	Translate    = translate
	CheckVersion = checkVersion
)

// OutboxPID returns the process id of the server's side of the connection that
// the outbox listens on, for tests that break it.
func OutboxPID(o *Outbox) uint32 { return o.listener.conn.PgConn().PID() }

// Reading returns what the reads of an organization run on.
func Reading(db *DB, o id.Org) dbsqlc.DBTX { return db.reading(orgScope(o)) }

// Writing runs fn in a transaction of an organization.
func Writing(ctx context.Context, db *DB, o id.Org, fn func(ctx context.Context, tx dbsqlc.DBTX) error) error {
	return db.transact(ctx, orgScope(o), func(ctx context.Context, tx *work) error { return fn(ctx, tx) })
}

// WritingElsewhere runs fn in a transaction of an organization, part of which is in the
// scope of another.
func WritingElsewhere(ctx context.Context, db *DB, o, other id.Org, fn func(ctx context.Context, here, there dbsqlc.DBTX) error) error {
	return db.transact(ctx, orgScope(o), func(ctx context.Context, tx *work) error {
		return fn(ctx, tx, tx.unit.in(orgScope(other)))
	})
}

// Planned returns what the reads of an organization run on that are planned anew.
func Planned(db *DB, o id.Org) dbsqlc.DBTX { return db.planned(orgScope(o)) }

// ReadingPlatform returns what the platform's reads run on.
func ReadingPlatform(db *DB) dbsqlc.DBTX { return db.reading(platformScope) }

// SessionScoped is the recipe that we do not follow: the scope is a setting of the
// session, which outlives the use of a pooled connection.
func SessionScoped(ctx context.Context, db *DB, o id.Org, fn func(ctx context.Context, tx dbsqlc.DBTX) error) error {
	conn, err := db.app.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if !o.IsZero() {
		if _, err := conn.Exec(ctx, "SELECT set_config('app.org_id', $1, false)", o.UUID().String()); err != nil {
			return err
		}
	}
	return fn(ctx, conn)
}

// WritingPlatform runs nothing in a transaction of the platform.
func WritingPlatform(ctx context.Context, db *DB) error {
	return db.transact(ctx, platformScope, func(context.Context, *work) error { return nil })
}

// Unscoped is the way around every scope, which the package itself never takes.
func Unscoped(db *DB) dbsqlc.DBTX { return db.app }

// Spoil runs a statement on every connection that the app's pool can have, as a
// mistake that outlives its transaction would.
func Spoil(ctx context.Context, db *DB, statement string) error {
	conns := make([]*pgxpool.Conn, 0, db.app.Config().MaxConns)
	defer func() {
		for _, conn := range conns {
			conn.Release()
		}
	}()
	for range cap(conns) { // each turn gets another one, as none is released
		conn, err := db.app.Acquire(ctx)
		if err != nil {
			return err
		}
		conns = append(conns, conn)
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// Here returns how many of an organization's callers have a place in the gate or wait
// for one.
func Here(db *DB, o id.Org) int {
	s := db.gate.shard(o.UUID())
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lines[o.UUID()]; l != nil {
		return l.here
	}
	return 0
}

// Lines returns how many organizations the gate remembers.
func Lines(db *DB) int {
	n := 0
	for i := range db.gate.shards {
		s := &db.gate.shards[i]
		s.mu.Lock()
		n += len(s.lines)
		s.mu.Unlock()
	}
	return n
}

// Narrow lets fewer of an organization's callers in at once.
func Narrow(db *DB, most int) { db.gate.most = most }

// Taken returns how many connections of the app's pool are in use.
func Taken(db *DB) int { return int(db.app.Stat().AcquiredConns()) }

// ShareOf returns how many connections an organization may have of a pool of as many.
func ShareOf(maxConns int32) int64 { return newGate(maxConns).share }

// Pass goes through the gate and leaves.
func Pass(ctx context.Context, db *DB, o id.Org) error {
	p, err := db.gate.enter(ctx, orgScope(o), false)
	p.leave()
	return err
}
