package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
)

const (
	// maxAttempts bounds how often a transaction that lost against another one
	// is run.
	maxAttempts = 6

	// firstPause is doubled with each attempt; what is slept is a random part of it,
	// so that transactions that met do not meet again.
	firstPause = 10 * time.Millisecond

	// rollbackTimeout bounds the rollback, which must be tried even when the
	// caller has gone.
	rollbackTimeout = 5 * time.Second
)

// transact runs fn in a transaction of the scope, again when it was the victim
// of a deadlock or could not be serialized. It is the outermost level: nothing
// inside a transaction repeats anything.
func (db *DB) transact(ctx context.Context, s scope, fn func(ctx context.Context, tx dbsqlc.DBTX) error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := db.attempt(ctx, s, fn)
		if attempt == maxAttempts || !isRepeatable(err) {
			return err
		}
		if waitErr := wait(ctx, rand.N(pause)); waitErr != nil { //nolint:gosec // jitter, not a secret
			return translate(ctx, waitErr)
		}
		pause *= 2
	}
}

// attempt runs fn in one transaction. An error of fn comes back as it is; that
// of a rollback is joined to it, that of the commit is returned. A panic passes
// through, after the rollback.
func (db *DB) attempt(ctx context.Context, s scope, fn func(ctx context.Context, tx dbsqlc.DBTX) error) (err error) {
	pass, err := db.gate.enter(ctx, s, false)
	if err != nil {
		return translate(ctx, err)
	}
	defer pass.leave()
	tx, err := db.app.BeginTx(ctx, pgx.TxOptions{BeginQuery: s.begin()})
	if err != nil {
		return translate(ctx, err)
	}
	ended := false
	defer func() {
		if ended {
			return
		}
		if rollbackErr := rollback(ctx, tx); rollbackErr != nil {
			err = errors.Join(err, fmt.Errorf("roll back: %w", rollbackErr))
		}
	}()
	if err := fn(context.WithValue(ctx, inTransaction{}, true), guarded{tx}); err != nil {
		return err
	}
	ended = true // a commit that fails has rolled back, or the connection is closed
	return translate(ctx, tx.Commit(ctx))
}

// rollback ends a transaction that was not committed. On a connection that is
// gone the server has done so by itself.
func rollback(ctx context.Context, tx pgx.Tx) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	gone := tx.Conn().IsClosed()
	err := tx.Rollback(ctx)
	if gone {
		return nil
	}
	return translate(ctx, err)
}

// wait waits for d, or fails with ctx's error.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
