package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

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
			func() error { _, err := seen(t.Context(), postgres.Reading(one, o), everything); return err },
			func() error {
				return postgres.Writing(t.Context(), one, o, func(context.Context, postgres.DBTX) error { return nil })
			},
			func() error { _, err := seen(t.Context(), postgres.Planned(one, o), everything); return err },
			func() error { return postgres.WritingPlatform(t.Context(), one) },
			func() error { _, err := postgres.NewPlatform(one).ActiveOrgs(t.Context()); return err },
			func() error {
				_, err := postgres.NewOutbox(one).Claim(t.Context(), time.Now(), 1, time.Minute)
				return err
			},
		} {
			is.NoErr(use())
			var org, platform, readOnly, plans string
			is.NoErr(postgres.Unscoped(one).QueryRow(t.Context(), `SELECT current_setting('app.org_id', true), current_setting('app.platform', true),
				current_setting('transaction_read_only'), current_setting('plan_cache_mode')`).Scan(&org, &platform, &readOnly, &plans))
			is.Equal([]string{org, platform, readOnly, plans}, []string{"", "", "off", "auto"})
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
			_, err := seen(ctx, postgres.Reading(one, o), everything)
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
		_, err := seen(ctx, r, everything)
		is.NoErr(err)
	})
}
