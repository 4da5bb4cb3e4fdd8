package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
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

// everything forgets the organization: only the scope stands between it and the
// rows of all. One of its tables is open to the platform, the other is not.
const everything = "SELECT org_id FROM users UNION SELECT org_id FROM operations"

// seen returns whose rows a query shows.
func seen(ctx context.Context, db interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
},
) ([]uuid.UUID, error) {
	rows, err := db.Query(ctx, everything)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// TestScopeOfPooledConnections has many callers share few connections. Some of
// them leave in the middle, some panic, some have no organization; and every
// connection was spoilt by a setting that outlives its transaction.
func TestScopeOfPooledConnections(t *testing.T) {
	t.Parallel()
	const callers, turns, organizations, connections = 8, 250, 5, 4
	d := harness.Postgres(t).Database(t)
	admin := connect(t, d.AdminURL)
	orgs := make([]id.Org, organizations)
	for i := range orgs {
		orgs[i] = id.New[id.OrgKind]()
		fill(t, admin, orgs[i].UUID())
	}
	db := openConfig(t, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL, MaxConns: connections})
	spoil := "SELECT set_config('app.org_id', '" + orgs[0].UUID().String() + "', false), set_config('app.platform', 'on', false)"
	if err := postgres.Spoil(t.Context(), db, spoil); err != nil {
		t.Fatal(err)
	}

	t.Run("Should be spoilt, or the rest would prove nothing", func(t *testing.T) {
		is := is.New(t)
		got, err := seen(t.Context(), postgres.Unscoped(db))
		is.NoErr(err)
		is.True(len(got) > 0)
	})

	t.Run("Should never show a foreign row", func(t *testing.T) {
		var foreign, missing, left, panicked atomic.Int64
		check := func(o id.Org, got []uuid.UUID) {
			for _, g := range got {
				if g != o.UUID() {
					foreign.Add(1)
				}
			}
			if want := 1; !o.IsZero() && len(got) != want {
				missing.Add(1)
			}
		}
		done := make(chan struct{})
		for range callers {
			go func() {
				defer func() { done <- struct{}{} }()
				for range turns {
					o := orgs[rand.IntN(organizations)]
					if rand.IntN(10) == 0 {
						o = id.Org{} // forgot
					}
					turn(t.Context(), db, o, check, &left, &panicked)
				}
			}()
		}
		for range callers {
			<-done
		}
		is := is.New(t)
		is.Equal(foreign.Load(), int64(0))
		is.Equal(missing.Load(), int64(0))
		is.True(left.Load() > 0)
		is.True(panicked.Load() > 0)
	})

	t.Run("Should leave the connections whole", func(t *testing.T) {
		is := is.New(t)
		got, err := seen(t.Context(), postgres.Reading(db, orgs[1]))
		is.NoErr(err)
		is.Equal(got, []uuid.UUID{orgs[1].UUID()})
	})
}

// turn is one request: a read or a transaction that ends in one of the ways
// requests end.
func turn(ctx context.Context, db *postgres.DB, o id.Org, check func(id.Org, []uuid.UUID), left, panicked *atomic.Int64) {
	way := rand.IntN(5)
	if way == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(1000))*time.Microsecond)
		defer cancel()
	}
	if rand.IntN(2) == 0 {
		got, err := seen(ctx, postgres.Reading(db, o))
		if err != nil {
			left.Add(1)
			return
		}
		check(o, got)
		return
	}
	defer func() {
		if recover() != nil {
			panicked.Add(1)
		}
	}()
	err := postgres.Writing(ctx, db, o, func(ctx context.Context, tx postgres.DBTX) error {
		got, err := seen(ctx, tx)
		if err != nil {
			return err
		}
		check(o, got)
		switch way {
		case 1:
			panic("in a handler")
		case 2:
			return errors.New("refused")
		}
		return nil
	})
	if err != nil {
		left.Add(1)
	}
}

func TestReading(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	o := id.New[id.OrgKind]()
	fill(t, connect(t, d.AdminURL), o.UUID())
	db := openDB(t, d)

	t.Run("Should refuse to write outside of a transaction", func(t *testing.T) {
		is := is.New(t)
		_, err := postgres.Reading(db, o).Exec(t.Context(), "UPDATE users SET name = 'x'")
		is.Equal(sqlState(err), "25006")
	})

	t.Run("Should leave no setting on the connection", func(t *testing.T) {
		is := is.New(t)
		one := openConfig(t, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL, MaxConns: 1})
		for _, use := range []func() error{
			func() error { _, err := seen(t.Context(), postgres.Reading(one, o)); return err },
			func() error {
				return postgres.Writing(t.Context(), one, o, func(context.Context, postgres.DBTX) error { return nil })
			},
			func() error { _, err := postgres.NewPlatform(one).ActiveOrgs(t.Context()); return err },
			func() error {
				_, err := postgres.NewOutbox(one).Claim(t.Context(), time.Now(), 1, time.Minute)
				return err
			},
		} {
			is.NoErr(use())
			var org, platform, readOnly string
			is.NoErr(postgres.Unscoped(one).QueryRow(t.Context(), `SELECT current_setting('app.org_id', true),
				current_setting('app.platform', true), current_setting('transaction_read_only')`).Scan(&org, &platform, &readOnly))
			is.Equal([]string{org, platform, readOnly}, []string{"", "", "off"})
		}
	})

	t.Run("Should give the connection back however a transaction ends", func(t *testing.T) {
		is := is.New(t)
		one := openConfig(t, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL, MaxConns: 1})
		ctx, cancel := context.WithTimeout(t.Context(), far) // a connection that was lost would be waited for
		defer cancel()
		for _, end := range []func(leave func()) error{
			func(func()) error { return nil },
			func(func()) error { return errors.New("refused") },
			func(func()) error { panic("in a handler") },
			func(leave func()) error { leave(); return nil },
			func(leave func()) error { leave(); return errors.New("refused") },
			func(leave func()) error { leave(); panic("in a handler") },
		} {
			func() {
				defer func() { _ = recover() }()
				inner, leave := context.WithCancel(ctx)
				defer leave()
				_ = postgres.Writing(inner, one, o, func(context.Context, postgres.DBTX) error { return end(leave) })
			}()
			_, err := seen(ctx, postgres.Reading(one, o))
			is.NoErr(err)
		}
	})

	t.Run("Should give the connection back however a read ends", func(t *testing.T) {
		is := is.New(t)
		one := openConfig(t, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL, MaxConns: 1})
		r := postgres.Reading(one, o)
		ctx, cancel := context.WithTimeout(t.Context(), far)
		defer cancel()
		for range 3 {
			rows, err := r.Query(ctx, "SELECT generate_series(1, 10)")
			is.NoErr(err)
			is.True(rows.Next())
			rows.Close()                             // early
			_, err = r.Query(ctx, "SELECT nonsense") //nolint:gocritic // there are no rows
			is.True(err != nil)
			is.True(r.QueryRow(ctx, "SELECT 1 WHERE false").Scan(new(int)) != nil)
			is.True(r.QueryRow(ctx, "SELECT 'x'").Scan(new(time.Time)) != nil)
			is.True(r.QueryRow(ctx, "SELECT 1/0").Scan(new(int)) != nil)
			_, err = r.Exec(ctx, "SELECT 1/0")
			is.True(err != nil)
			rows, err = r.Query(ctx, "SELECT 10 / (3 - i) FROM generate_series(1, 10) AS i")
			is.NoErr(err)
			for rows.Next() {
				continue
			}
			is.True(rows.Err() != nil) // the error comes after some rows
		}
		_, err := seen(ctx, r)
		is.NoErr(err)
	})
}
