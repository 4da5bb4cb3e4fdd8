package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// TestOutboxGathers has a decision and a claim meet over the message that is to stand
// for the decision.
func TestOutboxGathers(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	admin := connect(t, d.AdminURL)
	b := backend(t, d, openConfig(t, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL}))
	const gate = 4711
	run(
		t, admin,
		`CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END'`,
		`CREATE CONSTRAINT TRIGGER gate AFTER UPDATE ON organizations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gate()`,
	)
	now := time.Now()
	due := now.Add(time.Hour)
	setup := func(t *testing.T) (id.Org, outbox.Message) {
		t.Helper()
		o := id.New[id.OrgKind]()
		fill(t, admin, o.UUID())
		run(t, admin, `DELETE FROM outbox`)
		m, err := outbox.NewNamespace(o, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error { return tx.Outbox.Append(ctx, m) }); err != nil {
			t.Fatal(err)
		}
		return o, m
	}
	// decide changes the organization, as whoever sets something for its namespace does.
	decide := func(ctx context.Context, o id.Org) error {
		return b.Store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
			m, err := outbox.NewNamespace(o, now)
			return errors.Join(err, tx.Orgs.Update(ctx, func(*org.Org) error { return nil }), tx.Outbox.Append(ctx, m))
		})
	}
	claim := func(t *testing.T) (ids []id.Message) {
		t.Helper()
		claimed, err := b.Outbox.Claim(t.Context(), due, 10, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range claimed {
			ids = append(ids, m.ID)
		}
		return ids
	}

	t.Run("Should not deliver what stands for a decision before that is committed", func(t *testing.T) {
		is := is.New(t)
		o, m := setup(t)
		run(t, admin, `SELECT pg_advisory_lock(4711)`)
		decided := make(chan error, 1)
		go func() { decided <- decide(t.Context(), o) }()
		awaitLock(t, admin, gate)
		is.Equal(len(claim(t)), 0) // it would tell of what nobody can see yet
		run(t, admin, `SELECT pg_advisory_unlock(4711)`)
		is.NoErr(<-decided)
		is.Equal(claim(t), []id.Message{m.ID})
	})

	t.Run("Should leave another for a decision that comes while the one is being claimed, and wait for nobody", func(t *testing.T) {
		is := is.New(t)
		o, m := setup(t)
		relay := connect(t, d.AdminURL)
		tx, err := relay.Begin(t.Context())
		is.NoErr(err)
		_, err = tx.Exec(t.Context(), `UPDATE outbox SET attempts = attempts + 1, available_at = $1`, due.Add(time.Hour))
		is.NoErr(err)
		is.NoErr(decide(t.Context(), o))
		is.NoErr(tx.Commit(t.Context()))
		claimed := claim(t)
		is.Equal(len(claimed), 1)
		is.True(claimed[0] != m.ID)
	})
}

// awaitLock waits until somebody waits for the advisory lock.
func awaitLock(t *testing.T, admin *pgx.Conn, lock int64) {
	t.Helper()
	harness.Eventually(t, "somebody waits for the lock", func() bool {
		var waits bool
		err := admin.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`, lock).Scan(&waits)
		return err == nil && waits
	})
}
