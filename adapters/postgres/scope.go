package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// scope is for whom a transaction works: one organization, the platform, or
// (the zero value) nobody, who sees no tenant's row.
type scope struct {
	org      uuid.UUID
	platform bool
}

func orgScope(o id.Org) scope { return scope{org: o.UUID()} }

var platformScope = scope{platform: true}

// settings are the values of app.org_id and app.platform. The empty string is
// what the policies take for "none".
func (s scope) settings() (org, platform string) {
	if s.org != uuid.Nil {
		org = s.org.String()
	}
	if s.platform {
		platform = "on"
	}
	return org, platform
}

// setScope states both settings until the transaction ends.
const setScope = `SELECT set_config('app.org_id', $1, true), set_config('app.platform', $2, true)`

// setReadScope lets the transaction change nothing as well: writes belong into
// a transaction that can be rolled back.
const setReadScope = setScope + `, set_config('transaction_read_only', 'on', true)`

// setPlannedScope has the statement planned for its values each time as well.
const setPlannedScope = setReadScope + `, set_config('plan_cache_mode', 'force_custom_plan', true)`

// scoped runs single statements in a scope. The scope and the statement are
// pipelined: one round trip, one implicit transaction, and nothing is left on
// the connection afterwards.
type scoped struct {
	pool     *pgxpool.Pool
	gate     *gate
	scope    scope
	setScope string
	settles  bool // what was begun, so that it is never refused for want of room
}

var _ dbsqlc.DBTX = scoped{}

// reading returns what single reads of the scope run on.
func (db *DB) reading(s scope) dbsqlc.DBTX {
	return guarded{scoped{pool: db.app, gate: db.gate, scope: s, setScope: setReadScope}}
}

// writing returns what single writes of the scope run on.
func (db *DB) writing(s scope) dbsqlc.DBTX {
	return guarded{scoped{pool: db.app, gate: db.gate, scope: s, setScope: setScope}}
}

// settling returns what single writes of the scope run on that note how something
// ended which has begun already.
func (db *DB) settling(s scope) dbsqlc.DBTX {
	return guarded{scoped{pool: db.app, gate: db.gate, scope: s, setScope: setScope, settles: true}}
}

// planned returns what single reads of the scope run on whose plan depends on
// their values: on which filters are given.
func (db *DB) planned(s scope) dbsqlc.DBTX {
	return guarded{scoped{pool: db.app, gate: db.gate, scope: s, setScope: setPlannedScope}}
}

// send sends both statements and reads the answer to the first.
func (s scoped) send(ctx context.Context, sql string, args []any) (pgx.BatchResults, error) {
	org, platform := s.scope.settings()
	var batch pgx.Batch
	batch.Queue(s.setScope, org, platform)
	batch.Queue(sql, args...)
	results := s.pipeline(ctx, &batch)
	if _, err := results.Exec(); err != nil {
		_ = results.Close() // fails with the same error
		return nil, err
	}
	return results, nil
}

// pipeline sends a batch on a connection of the organization's share. Both are given
// back when the results are closed.
func (s scoped) pipeline(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	pass, err := s.gate.enter(ctx, s.scope, s.settles)
	if err != nil {
		return failedResults{err}
	}
	return &gatedResults{BatchResults: s.pool.SendBatch(ctx, b), pass: pass}
}

// Exec implements dbsqlc.DBTX.
func (s scoped) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	results, err := s.send(ctx, sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := results.Exec()
	if closeErr := results.Close(); err == nil {
		err = closeErr // the implicit commit
	}
	return tag, err
}

// Query implements dbsqlc.DBTX.
func (s scoped) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	results, err := s.send(ctx, sql, args)
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
func (s scoped) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	results, err := s.send(ctx, sql, args)
	if err != nil {
		return failedRow{err}
	}
	return batchRow{results}
}

// SendBatch implements dbsqlc.DBTX: the statements are one implicit transaction.
func (s scoped) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	org, platform := s.scope.settings()
	var batch pgx.Batch
	batch.Queue(s.setScope, org, platform)
	batch.QueuedQueries = append(batch.QueuedQueries, b.QueuedQueries...)
	results := s.pipeline(ctx, &batch)
	_, _ = results.Exec() // when it fails, so do all that follow
	return results
}

// batchRows gives the connection back when its rows are read or closed.
type batchRows struct {
	pgx.Rows
	results pgx.BatchResults
	ended   bool
	err     error
}

func (r *batchRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.end()
	return false
}

func (r *batchRows) Close() {
	r.Rows.Close()
	r.end()
}

func (r *batchRows) end() {
	if !r.ended {
		r.ended = true
		r.err = r.results.Close()
	}
}

func (r *batchRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

// batchRow is the answer of one row to the second statement of a batch.
type batchRow struct{ results pgx.BatchResults }

func (r batchRow) Scan(dest ...any) error {
	err := r.results.QueryRow().Scan(dest...)
	if closeErr := r.results.Close(); err == nil {
		err = closeErr
	}
	return err
}

// failedRow is the answer to a statement that could not be sent.
type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
