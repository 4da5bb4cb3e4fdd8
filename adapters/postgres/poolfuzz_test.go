package postgres_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// fuzzTransactions is a million where isolation is proved, and less in everyday
// life.
var fuzzTransactions = flag.Int64("fuzz-transactions", 20_000, "how many transactions TestPoolFuzz makes")

// everything forgets the organization: only the scope stands between it and the
// rows of all. One of its tables is open to the platform, the other is not.
const everything = "SELECT org_id FROM users UNION SELECT org_id FROM operations"

// seen returns whose rows a query shows.
func seen(ctx context.Context, db interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, query string,
) ([]uuid.UUID, error) {
	rows, err := db.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// TestPoolFuzz has many callers share few connections. Some of them leave in the
// middle, some panic, some have no organization, some are the platform; and every
// connection was spoilt, and is again, by settings that outlive their transaction.
func TestPoolFuzz(t *testing.T) {
	t.Parallel()
	f := newFuzz(t)

	t.Run("Should be spoilt, or the rest would prove nothing", func(t *testing.T) {
		is := is.New(t)
		got, err := seen(t.Context(), postgres.Unscoped(f.db), everything)
		is.NoErr(err)
		is.True(len(got) > 0)
	})

	t.Run("Should never show or change a foreign row", func(t *testing.T) {
		is := is.New(t)
		f.run(t, *fuzzTransactions, f.turn)
		t.Logf("%d transactions: %d foreign rows; %d were left or refused, %d panicked, %d forgot, %d were the platform's, spoilt %d times",
			*fuzzTransactions, f.foreign.Load(), f.left.Load(), f.panicked.Load(), f.forgot.Load(), f.platform.Load(), f.spoilt.Load())
		is.Equal(f.foreign.Load(), int64(0))
		is.Equal(f.missing.Load(), int64(0)) // the own row was seen each time
		for _, happened := range []int64{f.left.Load(), f.panicked.Load(), f.forgot.Load(), f.platform.Load(), f.spoilt.Load(), f.wrote.Load()} {
			is.True(happened > 0)
		}
		is.Equal(f.mislabelled(t), 0)
	})

	t.Run("Should leave the connections whole", func(t *testing.T) {
		is := is.New(t)
		got, err := seen(t.Context(), postgres.Reading(f.db, f.orgs[1]), everything)
		is.NoErr(err)
		is.Equal(got, []uuid.UUID{f.orgs[1].UUID()})
	})
}

// TestPoolFuzzControl does the same with a scope that is the session's.
func TestPoolFuzzControl(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	f := newFuzz(t)
	f.run(t, 2_000, func(ctx context.Context) {
		o := f.organization()
		_ = postgres.SessionScoped(ctx, f.db, o, func(ctx context.Context, tx postgres.DBTX) error {
			got, err := seen(ctx, tx, everything)
			f.check(o, got, err)
			return err
		})
	})
	is.True(f.foreign.Load() > 0) // or TestPoolFuzz could not have failed
}

// fuzz is a pool, whom it serves, and what was seen.
type fuzz struct {
	db    *postgres.DB
	admin *pgx.Conn
	orgs  []id.Org
	spoil string
	turns sync.Mutex // one at a time spoils

	foreign, missing, left, panicked, forgot, platform, spoilt, wrote atomic.Int64
}

func newFuzz(t *testing.T) *fuzz {
	t.Helper()
	const organizations, connections = 5, 4
	d := harness.Postgres(t).Database(t)
	f := &fuzz{admin: connect(t, d.AdminURL), db: openConfig(t, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL, MaxConns: connections})}
	for range organizations {
		o := id.New[id.OrgKind]()
		fill(t, f.admin, o.UUID())
		f.orgs = append(f.orgs, o)
	}
	f.spoil = "SELECT set_config('app.org_id', '" + f.orgs[0].UUID().String() + "', false), set_config('app.platform', 'on', false)"
	if err := postgres.Spoil(t.Context(), f.db, f.spoil); err != nil {
		t.Fatal(err)
	}
	return f
}

// run has callers take turns, until there were n of them.
func (f *fuzz) run(t *testing.T, n int64, turn func(ctx context.Context)) {
	t.Helper()
	const callers = 8
	var left atomic.Int64
	left.Store(n)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				turn(t.Context())
			}
		})
	}
	all.Wait()
}

// organization is whose turn it is; the zero id is a caller who forgot.
func (f *fuzz) organization() id.Org {
	if rand.IntN(10) == 0 {
		f.forgot.Add(1)
		return id.Org{}
	}
	return f.orgs[rand.IntN(len(f.orgs))]
}

func (f *fuzz) check(o id.Org, got []uuid.UUID, err error) {
	if err != nil {
		f.left.Add(1)
		return
	}
	for _, g := range got {
		if g != o.UUID() {
			f.foreign.Add(1)
		}
	}
	if !o.IsZero() && len(got) != 1 {
		f.missing.Add(1)
	}
}

// turn is one request: a read or a transaction that ends in one of the ways
// requests end.
func (f *fuzz) turn(ctx context.Context) {
	if rand.IntN(1000) == 0 && f.turns.TryLock() {
		defer f.turns.Unlock()
		if postgres.Spoil(ctx, f.db, f.spoil) == nil {
			f.spoilt.Add(1)
		}
		return
	}
	way := rand.IntN(6)
	if way == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(1000))*time.Microsecond)
		defer cancel()
	}
	o := f.organization()
	switch rand.IntN(6) {
	case 0:
		got, err := seen(ctx, postgres.ReadingPlatform(f.db), "SELECT org_id FROM users")
		f.check(id.Org{}, got, err)
		f.platform.Add(1)
	case 1:
		got, err := seen(ctx, postgres.Planned(f.db, o), everything)
		f.check(o, got, err)
	case 2:
		got, err := seen(ctx, postgres.Reading(f.db, o), everything)
		f.check(o, got, err)
	case 3:
		got, err := seen(ctx, batched{postgres.Reading(f.db, o)}, everything)
		f.check(o, got, err)
	default:
		f.write(ctx, o, way)
	}
}

// batched asks as a part of a batch.
type batched struct{ postgres.DBTX }

func (b batched) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	var batch pgx.Batch
	batch.Queue(sql, args...)
	results := b.SendBatch(ctx, &batch)
	rows, err := results.Query()
	if err != nil {
		_ = results.Close() // fails with the same error
		return nil, err
	}
	return batchedRows{rows, results}, nil
}

// batchedRows end the batch when they end.
type batchedRows struct {
	pgx.Rows
	results pgx.BatchResults
}

func (r batchedRows) Close() {
	r.Rows.Close()
	_ = r.results.Close()
}

// write is a transaction that reads and changes whatever it can.
func (f *fuzz) write(ctx context.Context, o id.Org, way int) {
	defer func() {
		if recover() != nil {
			f.panicked.Add(1)
		}
	}()
	err := postgres.Writing(ctx, f.db, o, func(ctx context.Context, tx postgres.DBTX) error {
		got, err := seen(ctx, tx, everything)
		if err != nil {
			return err
		}
		f.check(o, got, nil)
		switch way {
		case 1:
			panic("in a handler")
		case 2:
			return errors.New("refused")
		case 3:
			changed, err := tx.Exec(ctx, "UPDATE users SET name = $1", o.UUID().String())
			if changed.RowsAffected() > 1 {
				f.foreign.Add(changed.RowsAffected() - 1)
			}
			f.wrote.Add(changed.RowsAffected())
			return err
		}
		return nil
	})
	if err != nil {
		f.left.Add(1)
	}
}

// mislabelled counts the users whom another's transaction has written.
func (f *fuzz) mislabelled(t *testing.T) (n int) {
	t.Helper()
	err := f.admin.QueryRow(t.Context(), "SELECT count(*) FROM users WHERE name NOT IN ('Ada', org_id::text)").Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
