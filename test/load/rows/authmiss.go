package rows

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/buckets"
	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/adapters/system"
	"github.com/bulkheadhq/bulkhead/adapters/telemetry"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
	"github.com/bulkheadhq/bulkhead/test/harness"
	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

// authMiss authenticates keys that are not in memory: by their hash, with all that
// decides about them, in one round trip. Beside it is what a database answers soonest:
// the key's row by its primary key, to a role that no policy binds.
var authMiss = bench.Comparison{
	Rows: []bench.Row{{Name: "auth-uncached", Target: 1.5, Direction: bench.AtMost}},
	Measure: func(t *bench.T) []float64 {
		orgs := 1_000
		if t.Short {
			orgs = 50
		}
		stack := harness.Prepare(t, harness.Postgres(t).Database(t))
		all := populate(t, stack.Database, orgs)
		secrets := all.addKeys(t, stack.Peppers(t), 100)
		series := bench.Interleave(t, authenticateSide(t, stack, secrets), primaryKeySide(t, stack, all))
		return []float64{bench.Ratio(t, "ms", series[0], series[1])}
	},
}

// authenticateSide is the product's own service without a cache.
func authenticateSide(t *bench.T, stack *harness.Stack, secrets []apikey.Secret) bench.Side {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: stack.Database.AppURL, AuthURL: stack.Database.AuthURL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	store, metrics := postgres.NewStore(db), telemetry.NewMetrics()
	log := slog.New(slog.DiscardHandler)
	service := auth.New(auth.Deps{
		Credentials: postgres.NewCredentials(db), Feed: postgres.NewCredentialFeed(db), Uses: postgres.NewKeyUses(db), Store: store,
		Clock: system.Clock{}, Watch: system.Stopwatch{}, Peppers: stack.Peppers(t),
		Limiter: limits.New(store, limits.Stores{Buckets: buckets.NewMemory()}, limit.Standard{}, system.Clock{}, metrics, log),
		Meter:   metrics, CacheMeter: metrics, Log: log, Settings: auth.Settings{CacheKeys: 0},
	})
	address := netip.MustParseAddr("192.0.2.1")
	return drawn(t, "bulkhead", len(secrets), func(ctx context.Context, i int) error {
		_, err := service.Authenticate(ctx, secrets[i].Reveal(), address)
		return err
	})
}

// primaryKeySide reads a key's row by its primary key.
func primaryKeySide(t *bench.T, stack *harness.Stack, all *population) bench.Side {
	t.Helper()
	conn := connect(t, stack.Database.AdminURL)
	type key struct{ org, id uuid.UUID }
	rows, err := conn.Query(t.Context(), "SELECT org_id, id FROM api_keys WHERE org_id = ANY ($1)", all.uuids())
	if err != nil {
		t.Fatal(err)
	}
	var keys []key
	for rows.Next() {
		var k key
		if err := rows.Scan(&k.org, &k.id); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return drawn(t, "pgx, primary key", len(keys), func(ctx context.Context, i int) error {
		var (
			version, generation int32
			hash                []byte
			state               string
			scopes              []string
			networks            []netip.Prefix
			user                uuid.NullUUID
			expires             *time.Time
			org, id             uuid.UUID
			limits              []byte
		)
		return conn.QueryRow(ctx, `SELECT org_id, id, user_id, scopes, pepper_version, hash, state, expires_at, allowed_ips, generation, limits
			FROM api_keys WHERE org_id = $1 AND id = $2`, keys[i].org, keys[i].id).
			Scan(&org, &id, &user, &scopes, &version, &hash, &state, &expires, &networks, &generation, &limits)
	})
}

// drawn does something with one of n things that are drawn at random, each side the
// same, and measures what one takes.
func drawn(t *bench.T, name string, n int, do func(ctx context.Context, i int) error) bench.Side {
	dice := rand.New(rand.NewPCG(1, 2)) // the same in each run
	return bench.Side{Name: name, Round: func() bench.Sample {
		var took []time.Duration
		for begin := time.Now(); time.Since(begin) < t.Round; {
			i, start := dice.IntN(n), time.Now()
			if err := do(t.Context(), i); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(start))
		}
		return bench.Sample{"ms": bench.Median(took).Seconds() * 1000}
	}}
}
