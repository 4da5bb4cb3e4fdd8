package e2e

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/adapters/signing"
	core "github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usecase/tokens"
	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// lateClock is the machine's clock, put forward at will.
type lateClock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *lateClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead).UTC().Truncate(time.Microsecond)
}

func (c *lateClock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// TestKeyRotation takes a signing key through its whole life under the eyes of a
// real Temporal server.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	d := harness.Postgres(t).Database(t)
	db, err := postgres.Open(t.Context(), postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL})
	is.NoErr(err)
	t.Cleanup(db.Close)
	crypto, err := signing.New(signing.Config{EncryptionKeys: map[int16][]byte{1: make([]byte, 32)}, Audience: harness.TemporalAudience})
	is.NoErr(err)
	clock := &lateClock{}
	service := tokens.New(postgres.NewStore(db), postgres.NewSigningKeys(db), crypto, clock, core.DefaultPolicy)
	is.NoErr(service.Rotate(t.Context(), false))

	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set, err := service.KeySet(r.Context())
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(set)
	}))
	t.Cleanup(issuer.Close)
	temporal := harness.NewTemporal(t, harness.TemporalOptions{KeySet: issuer.URL})

	sign := func() string {
		now := time.Now()
		token, err := service.Token(t.Context(), core.Claims{
			Subject: "test", Permission: "temporal-system:read", IssuedAt: now, ExpiresAt: now.Add(5 * time.Minute),
		})
		is.NoErr(err)
		return token
	}
	accepted := func(token string) bool {
		c := dial(t, &sdk.Token{Token: token, TemporalAddress: temporal.Address}, "bulkhead-system")
		_, err := c.WorkflowService().ListNamespaces(t.Context(), &workflowservice.ListNamespacesRequest{})
		return err == nil
	}
	states := func() map[string]int {
		conn, err := pgx.Connect(t.Context(), d.AdminURL)
		is.NoErr(err)
		defer func() { _ = conn.Close(t.Context()) }()
		rows, err := conn.Query(t.Context(), "SELECT state || CASE WHEN sealed IS NULL THEN ' erased' ELSE '' END FROM signing_keys")
		is.NoErr(err)
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		is.NoErr(err)
		n := map[string]int{}
		for _, s := range all {
			n[s]++
		}
		return n
	}

	first := sign()
	is.True(accepted(first))

	is.NoErr(service.Rotate(t.Context(), true))
	is.Equal(states(), map[string]int{"active": 1, "published": 1}) // known, before it signs
	is.True(accepted(sign()))

	clock.forward(core.DefaultPolicy.Publish)
	is.NoErr(service.Rotate(t.Context(), false))
	is.Equal(states(), map[string]int{"active": 1, "retiring": 1})
	second := sign()
	harness.Eventually(t, "Temporal accepts the new key's token", func() bool { return accepted(second) })
	is.True(accepted(first)) // whose key signs no more, and is still known

	clock.forward(core.DefaultPolicy.Retire)
	is.NoErr(service.Rotate(t.Context(), false))
	is.Equal(states(), map[string]int{"active": 1, "retired erased": 1})
	harness.Eventually(t, "Temporal refuses the retired key's token", func() bool { return !accepted(first) })
	is.True(accepted(second))
}
