package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/sleep"
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
func (db *DB) transact(ctx context.Context, s scope, fn func(ctx context.Context, tx *work) error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := db.attempt(ctx, s, fn)
		if attempt == maxAttempts || !isRepeatable(err) {
			return err
		}
		if !sleep.For(ctx, rand.N(pause)) { //nolint:gosec // jitter, not a secret
			return translate(ctx, ctx.Err())
		}
		pause *= 2
	}
}

// work is what a transaction's function works with: the statements that it waits for
// run on it, the others on later.
type work struct {
	dbsqlc.DBTX
	later dbsqlc.DBTX
	unit  *unit
}

// attempt runs fn in one transaction. An error of fn comes back as it is; that
// of a rollback is joined to it, that of the commit is returned. A panic passes
// through, after the rollback.
func (db *DB) attempt(ctx context.Context, s scope, fn func(ctx context.Context, tx *work) error) (err error) {
	pass, err := db.gate.enter(ctx, s, false)
	if err != nil {
		return translate(ctx, err)
	}
	defer pass.leave()
	conn, err := db.app.Acquire(ctx)
	if err != nil {
		return translate(ctx, err)
	}
	defer conn.Release()
	u := &unit{conn: conn, own: s}
	ended := false
	defer func() {
		if ended {
			return
		}
		if rollbackErr := u.rollback(ctx); rollbackErr != nil {
			err = errors.Join(err, fmt.Errorf("roll back: %w", rollbackErr))
		}
	}()
	if err := fn(context.WithValue(ctx, inTransaction{}, true), &work{DBTX: guarded{u}, later: u.later(), unit: u}); err != nil {
		return err
	}
	err = u.commit(ctx)
	ended = err == nil
	return translate(ctx, err)
}
