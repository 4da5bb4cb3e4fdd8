package wire

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/bulkheadhq/bulkhead/adapters/buckets"
	"github.com/bulkheadhq/bulkhead/adapters/config"
	"github.com/bulkheadhq/bulkhead/adapters/httpapi"
	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/adapters/signing"
	"github.com/bulkheadhq/bulkhead/adapters/telemetry"
	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/adapters/temporal/worker"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
	"github.com/bulkheadhq/bulkhead/core/usecase/namespaces"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Output is where a process writes its log.
type Output io.Writer

// Build says which release is running.
type Build struct{ Version, Commit string }

// newBuffer returns what every line of the log goes through, so that they stay in
// order.
func newBuffer(out Output) (*telemetry.Buffer, func()) {
	b := telemetry.NewBuffer(out)
	return b, b.Flush
}

func newLogger(cfg config.Config, out *telemetry.Buffer) *slog.Logger {
	log := telemetry.NewLogger(out, cfg.Log.Level, cfg.Log.Format)
	for _, m := range cfg.Misspelt {
		log.Warn("a variable is set that nothing reads", "variable", m.Name, "meant", m.Meant)
	}
	return log
}

// newRequestLog returns nothing for a log that people read: the API's requests
// are then records of the log like all others.
func newRequestLog(cfg config.Config, out *telemetry.Buffer) ports.RequestLog {
	if cfg.Log.Format != telemetry.JSON {
		return nil
	}
	return telemetry.NewRequestLog(out, cfg.Log.Level)
}

func newRandom() io.Reader { return rand.Reader }

func newPeppers(cfg config.Config) (apikey.Peppers, error) {
	return apikey.NewPeppers(cfg.Secrets.Peppers)
}

func newDB(ctx context.Context, cfg config.Config) (*postgres.DB, func(), error) {
	db, err := postgres.Open(ctx, postgres.Config{
		URL: cfg.Database.URL.Reveal(), AuthURL: cfg.Database.AuthURL.Reveal(),
		MaxConns: cfg.Database.MaxConns, AuthMaxConns: cfg.Database.AuthMaxConns,
	})
	if err != nil {
		return nil, nil, err
	}
	return db, db.Close, nil
}

func newOutbox(ctx context.Context, db *postgres.DB) (*postgres.Outbox, func()) {
	o := postgres.NewOutbox(db)
	return o, func() { _ = o.Close(context.WithoutCancel(ctx)) }
}

// newStandard returns the limits of organizations for which nothing was set.
func newStandard(cfg config.Config) limit.Standard {
	return limit.NewStandard(cfg.Tenancy.Limits.Set, cfg.Auth.Failures.Rate)
}

// newBuckets keeps the state of rates in Redis, or without one in this process.
func newBuckets(cfg config.Config) (ports.Buckets, func(), error) {
	if cfg.Limiter.RedisURL.IsZero() {
		m := buckets.NewMemory()
		return m, m.Close, nil
	}
	r, err := buckets.NewRedis(cfg.Limiter.RedisURL.Reveal(), cfg.Limiter.RedisTimeout)
	if err != nil {
		return nil, nil, fmt.Errorf("BULKHEAD_LIMITER_REDIS_URL: %w", err)
	}
	return r, func() { _ = r.Close() }, nil
}

// newStores adds buckets of this process's own to those that it shares.
func newStores(b ports.Buckets) (limits.Stores, func()) {
	if _, own := b.(*buckets.Memory); own {
		return limits.Stores{Buckets: b}, func() {}
	}
	m := buckets.NewMemory()
	return limits.Stores{Buckets: b, Spare: m}, m.Close
}

func newFeed(ctx context.Context, db *postgres.DB) (*postgres.CredentialFeed, func()) {
	f := postgres.NewCredentialFeed(db)
	return f, func() { _ = f.Close(context.WithoutCancel(ctx)) }
}

// newMembers returns the members of worker pools. It holds a connection as soon as they are waited for.
func newMembers(ctx context.Context, db *postgres.DB) (*postgres.WorkerMembers, func()) {
	m := postgres.NewWorkerMembers(db)
	return m, func() { _ = m.Close(context.WithoutCancel(ctx)) }
}

func newAuthSettings(cfg config.Config) auth.Settings {
	return auth.Settings{CacheKeys: cfg.Auth.CacheKeys}
}

func newCrypto(cfg config.Config) (*signing.Crypto, error) {
	return signing.New(signing.Config{EncryptionKeys: cfg.Secrets.Encryption, Audience: cfg.Temporal.Audience})
}

func newConnection(cfg config.Config, source temporal.TokenSource, clock ports.Clock, log *slog.Logger) (*temporal.Connection, func(), error) {
	t, err := newTLS(cfg.Temporal)
	if err != nil {
		return nil, nil, err
	}
	c, err := temporal.NewConnection(temporal.Config{
		Address: cfg.Temporal.Address, TLS: t, AllowInsecure: cfg.Temporal.AllowInsecure,
	}, source, clock, log)
	if err != nil {
		return nil, nil, err
	}
	return c, c.Close, nil
}

// newTLS returns nil for a frontend without TLS.
func newTLS(cfg config.Temporal) (*tls.Config, error) {
	switch {
	case cfg.CAFile != "":
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("BULKHEAD_TEMPORAL_CA_FILE: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("BULKHEAD_TEMPORAL_CA_FILE: %s holds no PEM certificate", cfg.CAFile)
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
	case cfg.TLS:
		return &tls.Config{MinVersion: tls.VersionTLS12}, nil
	}
	return nil, nil
}

// newBlueprint returns what every organization's namespace is like that has decided nothing.
func newBlueprint(cfg config.Config) namespace.Standard {
	return namespace.Standard{Retention: cfg.Tenancy.Retention}
}

// newPolicy returns what is done about namespaces that are not as they must be.
func newPolicy(cfg config.Config) namespaces.Policy {
	return namespaces.Policy{ReportOnly: cfg.Namespaces.ReportOnly(), Every: cfg.Namespaces.Every}
}

// newETagKey derives the key of entity tags as newCursors does that of cursors.
func newETagKey(cfg config.Config) (httpapi.ETagKey, error) {
	key, err := hkdf.Key(sha256.New, cfg.Secrets.Encryption.Current(), nil, "bulkhead entity tags v1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the key of entity tags: %w", err)
	}
	return key, nil
}

// newVault returns what seals the answers to requests that may be sent again.
func newVault(cfg config.Config) (*signing.Vault, error) {
	return signing.NewVault(cfg.Secrets.Encryption, "bulkhead idempotent answers v1")
}

// newCursors derives the key of cursors from the current encryption key, which
// all replicas share: a cursor of one works on another. A new encryption key
// ends at most the lists that are being paged just then.
func newCursors(cfg config.Config) (page.Sealer, error) {
	key, err := hkdf.Key(sha256.New, cfg.Secrets.Encryption.Current(), nil, "bulkhead page cursors v1", sha256.Size)
	if err != nil {
		return page.Sealer{}, fmt.Errorf("derive the key of cursors: %w", err)
	}
	return page.NewSealer(key), nil
}

func newPingers(db *postgres.DB, t *temporal.Health) []ports.Pinger { return []ports.Pinger{db, t} }

func newProbe(db *postgres.DB, t *temporal.Health, w *worker.Worker, log *slog.Logger) *httpapi.Probe {
	return httpapi.NewProbe([]ports.Pinger{db, t, w}, log)
}

func newAPIConfig(cfg config.Config, b Build) (httpapi.Config, error) {
	keys, err := newGitHubKeys(cfg.GitHub)
	return httpapi.Config{
		TemporalAddress: cfg.Temporal.Advertised(), Version: b.Version, Commit: b.Commit,
		TrustedProxies: cfg.HTTP.TrustedProxies, GitHubKeys: keys, MaxWaiting: cfg.HTTP.MaxWaiting,
	}, err
}

// newGitHubKeys reads the keys themselves, or the file that is named in their place.
func newGitHubKeys(cfg config.GitHub) (httpapi.GitHubKeys, error) {
	if cfg.ScanningKeys == "" {
		return nil, nil
	}
	text := []byte(cfg.ScanningKeys)
	if !strings.ContainsAny(cfg.ScanningKeys, "\n{") {
		var err error
		if text, err = os.ReadFile(cfg.ScanningKeys); err != nil {
			return nil, fmt.Errorf("BULKHEAD_GITHUB_SECRET_SCANNING_KEYS: %w", err)
		}
	}
	keys, err := httpapi.ParseGitHubKeys(text)
	if err != nil {
		return nil, fmt.Errorf("BULKHEAD_GITHUB_SECRET_SCANNING_KEYS: %w", err)
	}
	return keys, nil
}
