package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// TestNamespacePassTaken has a turn taken and ended by another process between the two
// statements of a claim: what the first has read is old then.
func TestNamespacePassTaken(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, meanwhile := range map[string]string{
		"and ended":        `UPDATE namespace_passes SET due_at = $1`,
		"and goes on with": `UPDATE namespace_passes SET leased_until = $1`,
	} {
		t.Run("Should not give a turn that another has taken "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			d := harness.Postgres(t).Database(t)
			passes := postgres.NewNamespacePasses(openDB(t, d))
			first, _, err := passes.Claim(t.Context(), now, time.Minute)
			is.NoErr(err)
			first.DueAt = now
			_, err = passes.Save(t.Context(), first) // which makes it due
			is.NoErr(err)

			other, looker := connect(t, d.AdminURL), connect(t, d.AdminURL)
			tx, err := other.Begin(t.Context())
			is.NoErr(err)
			defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
			_, err = tx.Exec(t.Context(), meanwhile, now.Add(time.Hour))
			is.NoErr(err)
			type answer struct {
				pass namespace.Pass
				mine bool
				err  error
			}
			claimed := make(chan answer, 1)
			go func() {
				pass, mine, err := passes.Claim(t.Context(), now, time.Minute)
				claimed <- answer{pass, mine, err}
			}()
			harness.Eventually(t, "the claim waits for the row", func() bool {
				var waits bool
				is.NoErr(looker.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
					WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%namespace_passes%')`).Scan(&waits))
				return waits
			})
			is.NoErr(tx.Commit(t.Context()))
			got := <-claimed
			is.NoErr(got.err)
			is.True(!got.mine)
		})
	}
}
