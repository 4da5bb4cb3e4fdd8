package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
)

// Mistakes of ours, and what must never be: statements that run outside of their
// transaction.
var (
	errNotBegun = errors.New("the transaction has ended, or never began")
	errNoAnswer = errors.New("a statement that is sent with the commit has no answer")
)

// unit is a transaction that begins with its first statement and ends with its last:
// BEGIN and the scope are sent ahead of the first one, and what waits for the commit
// is sent together with it. A transaction of nothing but such statements is one round
// trip, another one no more than its statements and the commit. What an attempt has to
// say to the server is in the same order as ever.
//
// Like every scope, that of a unit is the transaction's, and gone with it.
type unit struct {
	conn  *pgxpool.Conn
	own   scope
	set   scope // as the transaction has it by now
	begun bool
	err   error // why it could not begin: nothing may be sent any more
	last  []*pgx.QueuedQuery
}

var _ dbsqlc.DBTX = (*unit)(nil)

// send sends statements of the scope, and reads the answers to what has to be sent
// ahead of them.
func (u *unit) send(ctx context.Context, s scope, statements ...*pgx.QueuedQuery) (pgx.BatchResults, error) {
	if u.err != nil {
		return nil, u.err
	}
	if u.begun && u.conn.Conn().PgConn().TxStatus() == 'I' {
		return nil, errNotBegun
	}
	var b pgx.Batch
	if !u.begun {
		b.Queue("BEGIN")
	}
	if !u.begun || u.set != s {
		org, platform := s.settings()
		b.Queue(setScope, org, platform)
	}
	leading := b.Len()
	b.QueuedQueries = append(b.QueuedQueries, statements...)
	results := u.conn.SendBatch(ctx, &b)
	for range leading {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // fails with the same error
			u.err = err
			return nil, err
		}
	}
	u.begun, u.set = true, s
	return results, nil
}

// Exec implements dbsqlc.DBTX.
func (u *unit) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return u.exec(ctx, u.own, sql, args...)
}

// exec runs a statement in a scope, which the next one need not have.
func (u *unit) exec(ctx context.Context, s scope, sql string, args ...any) (pgconn.CommandTag, error) {
	results, err := u.send(ctx, s, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := results.Exec()
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	return tag, err
}

// Query implements dbsqlc.DBTX.
func (u *unit) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	results, err := u.send(ctx, u.own, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	if err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close()
		return nil, err
	}
	return &batchRows{Rows: rows, results: results}, nil
}

// QueryRow implements dbsqlc.DBTX.
func (u *unit) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	results, err := u.send(ctx, u.own, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	if err != nil {
		return failedRow{err}
	}
	return batchRow{results}
}

// SendBatch implements dbsqlc.DBTX.
func (u *unit) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	results, err := u.send(ctx, u.own, b.QueuedQueries...)
	if err != nil {
		return failedResults{err}
	}
	return results
}

// commit sends what waits for it and the commit. Whatever it fails with, a success
// that nobody was told of is possible only where the answer to the commit itself was
// lost. Of a transaction in which nothing was asked the commit asks, so that no
// success is claimed in the name of a database that is away.
func (u *unit) commit(ctx context.Context) error {
	b := pgx.Batch{QueuedQueries: u.last}
	u.last = nil
	commit := b.Queue("COMMIT")
	s := u.set
	if len(b.QueuedQueries) > 1 || !u.begun {
		s = u.own
	}
	var tag pgconn.CommandTag
	commit.Exec(func(t pgconn.CommandTag) error { tag = t; return nil })
	results, err := u.send(ctx, s, b.QueuedQueries...)
	if err != nil {
		return err
	}
	if err := results.Close(); err != nil {
		return err
	}
	if tag.String() != "COMMIT" {
		return pgx.ErrTxCommitRollback // a statement has failed before, and nobody minded
	}
	return nil
}

// rollback ends a transaction that was not committed, if it has begun. On a connection
// that is gone the server has done so by itself. One that can not be rolled back is
// closed.
func (u *unit) rollback(ctx context.Context) error {
	conn := u.conn.Conn()
	if conn.IsClosed() || (conn.PgConn().TxStatus() == 'I' && !conn.PgConn().IsBusy()) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, err := conn.Exec(ctx, "ROLLBACK")
	if err != nil {
		_ = conn.Close(ctx) // it fails as the rollback did
	}
	return translate(ctx, err)
}

// in returns what single statements of another scope run on, within the same
// transaction.
func (u *unit) in(s scope) dbsqlc.DBTX { return guarded{elsewhere{u, s}} }

// elsewhere is a unit in another scope. Only changes are asked for there.
type elsewhere struct {
	*unit
	scope scope
}

// Exec implements dbsqlc.DBTX.
func (e elsewhere) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return e.exec(ctx, e.scope, sql, args...)
}

// later returns what statements run on that nothing waits for: they are sent with the
// commit, in their order, and what the database has against one is an error of the
// commit.
func (u *unit) later() dbsqlc.DBTX { return later{u} }

type later struct{ unit *unit }

// Exec implements dbsqlc.DBTX.
func (l later) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	l.unit.last = append(l.unit.last, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	return pgconn.CommandTag{}, nil
}

// Query implements dbsqlc.DBTX.
func (later) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errNoAnswer }

// QueryRow implements dbsqlc.DBTX.
func (later) QueryRow(context.Context, string, ...any) pgx.Row { return failedRow{errNoAnswer} }

// SendBatch implements dbsqlc.DBTX.
func (later) SendBatch(context.Context, *pgx.Batch) pgx.BatchResults {
	return failedResults{errNoAnswer}
}
