package postgres_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// touch waits for the row of the organization.
const touch = "UPDATE organizations SET name = name WHERE id = $1"

// TestGateBlocked has one organization's writers wait for a lock, of which there are
// more than the pool has connections.
func TestGateBlocked(t *testing.T) {
	t.Parallel()
	const writers, connections, share = 20, 8, 2
	d := harness.Postgres(t).Database(t)
	admin := connect(t, d.AdminURL)
	busy, other := id.New[id.OrgKind](), id.New[id.OrgKind]()
	for _, o := range []id.Org{busy, other} {
		if err := fillTable(t, admin, "organizations", o.UUID()); err != nil {
			t.Fatal(err)
		}
	}
	db := openConfig(t, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL, MaxConns: connections})
	b := backend(t, d, db)

	run(t, admin, "BEGIN", "SELECT FROM organizations WHERE id = '"+busy.UUID().String()+"' FOR UPDATE")
	results := make(chan error, writers)
	for range writers {
		go func() {
			results <- postgres.Writing(t.Context(), db, busy, func(ctx context.Context, tx postgres.DBTX) error {
				_, err := tx.Exec(ctx, touch, busy.UUID())
				return err
			})
		}()
	}
	harness.Eventually(t, "all writers to be here", func() bool {
		return postgres.Here(db, busy) == writers && postgres.Taken(db) == share
	})
	soon := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), far/4)
		t.Cleanup(cancel)
		return ctx
	}

	t.Run("Should read for another organization", func(t *testing.T) {
		is := is.New(t)
		_, err := b.Store.Reads(other).Org(soon(t))
		is.NoErr(err)
	})

	t.Run("Should write for another organization", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(postgres.Writing(soon(t), db, other, func(ctx context.Context, tx postgres.DBTX) error {
			_, err := tx.Exec(ctx, touch, other.UUID())
			return err
		}))
	})

	t.Run("Should work for the platform", func(t *testing.T) {
		is := is.New(t)
		_, err := b.Platform.Org(soon(t), busy)
		is.NoErr(err)
		is.NoErr(postgres.WritingPlatform(soon(t), db))
	})

	t.Run("Should be ready, though there were no connection left", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(db.Ping(soon(t)))
		none := openConfig(t, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL, MaxConns: 1})
		is.NoErr(postgres.WritingPlatform(soon(t), none))
		is.NoErr(postgres.Writing(t.Context(), none, other, func(context.Context, postgres.DBTX) error {
			return none.Ping(soon(t))
		}))
	})

	t.Run("Should hold no more than the share, and let everybody through in the end", func(t *testing.T) {
		is := is.New(t)
		is.Equal(postgres.Taken(db), share)
		run(t, admin, "COMMIT")
		for range writers {
			is.NoErr(<-results)
		}
		is.Equal(postgres.Lines(db), 0)
	})
}

func TestGate(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	o := id.New[id.OrgKind]()
	if err := fillTable(t, connect(t, d.AdminURL), "organizations", o.UUID()); err != nil {
		t.Fatal(err)
	}
	open := func(t *testing.T) *postgres.DB {
		t.Helper()
		return openConfig(t, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL, MaxConns: 4})
	}

	t.Run("Should give an organization a quarter of the pool, and two at least", func(t *testing.T) {
		is := is.New(t)
		for pool, share := range map[int32]int64{1: 1, 2: 2, 3: 2, 8: 2, 16: 4, 100: 25} {
			is.Equal(postgres.ShareOf(pool), share)
		}
	})

	t.Run("Should let them in in their order", func(t *testing.T) {
		is := is.New(t)
		const callers = 8
		db := open(t)
		end := hold(t, db, o, 2)
		var mu sync.Mutex
		var order []int
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				_ = postgres.Writing(t.Context(), db, o, func(context.Context, postgres.DBTX) error {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
					return nil
				})
			})
			harness.Eventually(t, "the caller to stand in line", func() bool { return postgres.Here(db, o) == 2+i+1 })
		}
		end(1)
		harness.Eventually(t, "the line to end", func() bool { return postgres.Here(db, o) == 1 })
		end(1)
		all.Wait()
		is.True(slices.IsSorted(order))
		is.Equal(len(order), callers)
	})

	t.Run("Should let go of those whose time is over, without a connection", func(t *testing.T) {
		is := is.New(t)
		db := open(t)
		end := hold(t, db, o, 2)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := postgres.NewStore(db).Reads(o).Org(ctx)
		is.True(errors.Is(err, fault.ErrTimeout))
		is.True(errors.Is(postgres.Writing(ctx, db, o, nil), fault.ErrTimeout))
		left, leave := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { gone <- postgres.Writing(left, db, o, nil) }()
		harness.Eventually(t, "the caller to stand in line", func() bool { return postgres.Here(db, o) == 3 })
		leave()
		is.True(errors.Is(<-gone, context.Canceled))
		is.Equal(postgres.Here(db, o), 2)
		is.Equal(postgres.Taken(db), 2)
		end(2)
		is.Equal(postgres.Lines(db), 0)
	})

	t.Run("Should refuse when too many wait, but not what settles something", func(t *testing.T) {
		is := is.New(t)
		db := open(t)
		postgres.Narrow(db, 2)
		end := hold(t, db, o, 2)
		for _, err := range []error{
			postgres.Writing(t.Context(), db, o, nil),
			func() error { _, err := postgres.NewStore(db).Reads(o).Org(t.Context()); return err }(),
			func() error {
				_, err := seen(t.Context(), batched{postgres.Reading(db, o)}, everything)
				return err
			}(),
		} {
			is.True(errors.Is(err, postgres.ErrCrowded))
			is.Equal(fault.From(err).RetryAfter, time.Second)
		}
		settled := make(chan error, 1)
		go func() {
			settled <- postgres.NewIdempotency(db).Release(t.Context(), idempotency.Claim{Request: idempotency.Request{Org: o}})
		}()
		harness.Eventually(t, "it to stand in line", func() bool { return postgres.Here(db, o) == 3 })
		end(2)
		is.NoErr(<-settled)
		is.Equal(postgres.Lines(db), 0)
	})

	t.Run("Should never wait for a second connection while it has one", func(t *testing.T) {
		is := is.New(t)
		db := open(t)
		b := backend(t, d, db)
		is.NoErr(b.Store.WriteTx(t.Context(), o, func(ctx context.Context, _ ports.Tx) error {
			_, err := b.Store.Reads(o).Org(ctx)
			is.True(err != nil)
			is.Equal(fault.KindOf(err), fault.Internal)
			_, err = b.Platform.Org(ctx, o)
			is.Equal(fault.KindOf(err), fault.Internal)
			return nil
		}))
		is.Equal(postgres.Lines(db), 0)
	})

	t.Run("Should forget an organization whatever its callers end with", func(t *testing.T) {
		is := is.New(t)
		db := open(t)
		_ = postgres.Writing(t.Context(), db, o, func(context.Context, postgres.DBTX) error { return errors.New("refused") })
		func() {
			defer func() { _ = recover() }()
			_ = postgres.Writing(t.Context(), db, o, func(context.Context, postgres.DBTX) error { panic("in a handler") })
		}()
		r := postgres.Reading(db, o)
		_, _ = r.Exec(t.Context(), "SELECT 1/0")
		_ = r.QueryRow(t.Context(), "SELECT 'x'").Scan(new(time.Time))
		_, _ = r.Query(t.Context(), "SELECT nonsense") //nolint:gocritic // there are no rows
		rows, err := r.Query(t.Context(), "SELECT generate_series(1, 10)")
		is.NoErr(err)
		is.Equal(postgres.Here(db, o), 1) // as long as they are read
		rows.Close()
		rows.Close()
		is.Equal(postgres.Lines(db), 0)
	})
}

// hold has the organization hold n places until end is told how many to give back.
func hold(t *testing.T, db *postgres.DB, o id.Org, n int) (end func(int)) {
	t.Helper()
	release, done := make(chan struct{}), make(chan error)
	for range n {
		go func() {
			done <- postgres.Writing(t.Context(), db, o, func(context.Context, postgres.DBTX) error { <-release; return nil })
		}()
	}
	harness.Eventually(t, "the places to be taken", func() bool { return postgres.Taken(db) == n })
	return func(n int) {
		t.Helper()
		for range n {
			release <- struct{}{}
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
}

// BenchmarkGate measures what a caller pays who need not wait: of one organization, and of many.
func BenchmarkGate(b *testing.B) {
	d := harness.Postgres(b).Database(b)
	db := openConfig(b, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL})
	var orgs [64]id.Org
	for i := range orgs {
		orgs[i] = id.New[id.OrgKind]()
	}
	b.Run("one organization", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := postgres.Pass(b.Context(), db, orgs[0]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("many at once", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if err := postgres.Pass(b.Context(), db, orgs[i%len(orgs)]); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
