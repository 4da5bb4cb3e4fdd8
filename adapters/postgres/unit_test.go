package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// TestUnit checks what could go wrong as a transaction begins with its first statement
// and is committed together with its last ones.
func TestUnit(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	o := id.New[id.OrgKind]()
	admin := connect(t, d.AdminURL)
	fill(t, admin, o.UUID())
	count := func(t *testing.T) (n int) {
		t.Helper()
		if err := admin.QueryRow(t.Context(), "SELECT count(*) FROM audit_events WHERE org_id = $1", o.UUID()).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	entry := func() audit.Entry {
		return audit.Accepted(o, time.Now(), authz.Bootstrap, audit.UserCreated, "user", "u", nil)
	}
	// one is a single connection, each of whose sessions works for o by mistake.
	one := openConfig(t, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL, MaxConns: 1})
	if err := postgres.Spoil(t.Context(), one, "SELECT set_config('app.org_id', '"+o.UUID().String()+"', false)"); err != nil {
		t.Fatal(err)
	}

	t.Run("Should send nothing more when it could not begin", func(t *testing.T) {
		is := is.New(t)
		before := count(t)
		for _, wrong := range []string{"SELECT nonsense", "SELECT 1/0", "SELECT $1::uuid"} {
			err := postgres.Writing(t.Context(), one, o, func(ctx context.Context, tx postgres.DBTX) error {
				var args []any
				if wrong == "SELECT $1::uuid" {
					args = append(args, make(chan int)) // can not even be sent
				}
				_, err := tx.Exec(ctx, wrong, args...)
				is.True(err != nil)
				_, err = tx.Exec(ctx, "UPDATE users SET name = 'outside'")
				is.True(err != nil)
				return nil
			})
			is.True(err != nil) // who does not mind is told at the end
		}
		is.Equal(count(t), before)
		var outside int
		is.NoErr(admin.QueryRow(t.Context(), "SELECT count(*) FROM users WHERE name = 'outside'").Scan(&outside))
		is.Equal(outside, 0)
	})

	t.Run("Should send nothing more when the transaction was ended behind its back", func(t *testing.T) {
		is := is.New(t)
		err := postgres.Writing(t.Context(), one, o, func(ctx context.Context, tx postgres.DBTX) error {
			_, err := tx.Exec(ctx, "COMMIT")
			is.NoErr(err)
			_, err = tx.Exec(ctx, "UPDATE users SET name = 'outside'")
			return err
		})
		is.True(err != nil)
		var outside int
		is.NoErr(admin.QueryRow(t.Context(), "SELECT count(*) FROM users WHERE name = 'outside'").Scan(&outside))
		is.Equal(outside, 0)
	})

	t.Run("Should see its own organization after an answer for another scope", func(t *testing.T) {
		is := is.New(t)
		other := id.New[id.OrgKind]()
		fill(t, admin, other.UUID())
		is.NoErr(postgres.WritingElsewhere(t.Context(), one, o, other, func(ctx context.Context, here, there postgres.DBTX) error {
			got, err := seen(ctx, here, everything)
			is.NoErr(err)
			is.Equal(got, []uuid.UUID{o.UUID()})
			tag, err := there.Exec(ctx, "UPDATE users SET name = name WHERE org_id = $1", other.UUID())
			is.NoErr(err)
			is.Equal(tag.RowsAffected(), int64(1))
			got, err = seen(ctx, here, everything)
			is.Equal(got, []uuid.UUID{o.UUID()})
			return err
		}))
	})

	t.Run("Should commit nothing when what waited for the commit fails", func(t *testing.T) {
		is := is.New(t)
		before, twice := count(t), entry()
		err := postgres.NewStore(one).WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			return errors.Join(tx.Audit.Append(ctx, entry()), tx.Audit.Append(ctx, twice), tx.Audit.Append(ctx, twice))
		})
		is.Equal(sqlState(err), "23505")
		is.Equal(count(t), before)
		_, err = seen(t.Context(), postgres.Reading(one, o), everything)
		is.NoErr(err)
		is.Equal(postgres.Taken(one), 0)
	})

	t.Run("Should say that the database is away, and not ask again, when the answer to the commit is lost", func(t *testing.T) {
		is := is.New(t)
		p := newProxy(t, parseURL(t, d.AppURL).Host)
		p.up(false)
		through := parseURL(t, d.AppURL)
		through.Host = p.address
		store := postgres.NewStore(openConfig(t, postgres.Config{URL: through.String(), AuthURL: d.AuthURL, MaxConns: 1}))
		appends := func(ctx context.Context, tx ports.Tx) error { return tx.Audit.Append(ctx, entry()) }
		is.NoErr(store.WriteTx(t.Context(), o, appends)) // what it says is prepared
		before, runs := count(t), 0
		err := store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			runs++
			p.swallow()
			return appends(ctx, tx)
		})
		is.True(errors.Is(err, fault.ErrUnavailable))
		is.Equal(runs, 1)
		harness.Eventually(t, "what was sent to be done", func() bool { return count(t) == before+1 })
	})
}
