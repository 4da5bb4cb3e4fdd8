// Package config reads a process's settings from its environment, checks them
// and keeps their secrets from being shown.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Config is all that a process can be told. Every field but the addresses of
// what it depends on and its secrets has a usable default.
type Config struct {
	HTTP     HTTP     `envPrefix:"BULKHEAD_HTTP_"`
	Worker   Worker   `envPrefix:"BULKHEAD_WORKER_"`
	Database Database `envPrefix:"BULKHEAD_DATABASE_"`
	Temporal Temporal `envPrefix:"BULKHEAD_TEMPORAL_"`
	Tenancy  Tenancy  `envPrefix:"BULKHEAD_"`
	Secrets  Secrets  `envPrefix:"BULKHEAD_"`
	Log      Log      `envPrefix:"BULKHEAD_LOG_"`
	Metrics  Metrics  `envPrefix:"BULKHEAD_METRICS_"`
	GitHub   GitHub   `envPrefix:"BULKHEAD_GITHUB_"`
	Limiter  Limiter  `envPrefix:"BULKHEAD_LIMITER_"`
	Auth     Auth     `envPrefix:"BULKHEAD_AUTH_"`

	Namespaces Namespaces `envPrefix:"BULKHEAD_NAMESPACES_"`
	// Misspelt are variables that are set and that nothing reads.
	Misspelt []Misspelt `env:"-"`
}

// Metrics is where a process is measured. Whoever reaches the address needs no
// credential, so it is not a public one.
type Metrics struct {
	// Address is host:port; empty: nowhere. Unset, it is a local address that a
	// process does without when it is taken.
	Address string `env:"ADDRESS"`
	// Unset tells that nobody chose the address.
	Unset bool
}

// The addresses of metrics that nobody chose.
const (
	apiMetrics    = "127.0.0.1:9470"
	workerMetrics = "127.0.0.1:9471"
)

// API returns where the API process is measured.
func (m Metrics) API() string { return m.or(apiMetrics) }

// Worker returns where the worker process is measured.
func (m Metrics) Worker() string { return m.or(workerMetrics) }

func (m Metrics) or(local string) string {
	if m.Unset {
		return local
	}
	return m.Address
}

// Limiter is where the state of rates is kept.
type Limiter struct {
	// RedisURL is a Redis or Valkey server, which makes the rates hold for all replicas
	// together; empty: each API process lets through as much as the rates say.
	RedisURL RedisURL `env:"REDIS_URL"`
	// RedisTimeout is how long a request waits for it at most.
	RedisTimeout time.Duration `env:"REDIS_TIMEOUT" envDefault:"50ms"`
}

// The bounds of Limiter.RedisTimeout: a request waits for less than a second, and a
// round trip takes more than nothing.
const (
	leastRedisTimeout = time.Millisecond
	mostRedisTimeout  = time.Second
)

func (l Limiter) check() error {
	if l.RedisTimeout < leastRedisTimeout || l.RedisTimeout > mostRedisTimeout {
		return errors.New("BULKHEAD_LIMITER_REDIS_TIMEOUT: must be between 1ms and 1s")
	}
	return nil
}

// GitHub is what is known of GitHub.
type GitHub struct {
	// ScanningKeys are the public keys of GitHub's secret scanning, or the path of a
	// file with them; without any no report is taken.
	ScanningKeys string `env:"SECRET_SCANNING_KEYS"`
}

// HTTP is the API's listener.
type HTTP struct {
	Address        string         `env:"ADDRESS"         envDefault:"127.0.0.1:7400"` // host:port to listen on
	TrustedProxies []netip.Prefix `env:"TRUSTED_PROXIES"`                             // whose X-Forwarded-For is believed
	// DrainDelay is how long the API still serves after it said that it is not
	// ready, so that load balancers notice.
	DrainDelay time.Duration `env:"DRAIN_DELAY" envDefault:"0s"`
	// ShutdownLimit bounds how long requests in flight may take at the end.
	ShutdownLimit time.Duration `env:"SHUTDOWN_LIMIT" envDefault:"15s"`
	// MaxWaiting is how many requests of one organization may wait for something at a time.
	MaxWaiting int `env:"MAX_WAITING" envDefault:"256"`
}

func (h HTTP) check() error {
	if h.MaxWaiting < 1 {
		return errors.New("BULKHEAD_HTTP_MAX_WAITING: must be at least 1")
	}
	return nil
}

// Worker is the worker process.
type Worker struct {
	HTTPAddress string `env:"HTTP_ADDRESS" envDefault:"127.0.0.1:7401"` // host:port of its health endpoints
}

// Database says where Postgres is, by role.
type Database struct {
	URL            SecretURL `env:"URL"`                                 // role bulkhead_app: the tenants' work
	AuthURL        SecretURL `env:"AUTH_URL"`                            // role bulkhead_auth: authentication only
	OwnerURL       SecretURL `env:"OWNER_URL"`                           // role bulkhead_owner: migrations
	DumpURL        SecretURL `env:"DUMP_URL"`                            // role bulkhead_dump: backups; only `migrate init` reads it
	AdminURL       SecretURL `env:"ADMIN_URL"`                           // a superuser; only `migrate init` reads it
	MaxConns       int32     `env:"MAX_CONNS"       envDefault:"16"`     // of the app role, for each process
	AuthMaxConns   int32     `env:"AUTH_MAX_CONNS"  envDefault:"4"`      // of the auth role, for each process
	MigrateOnStart bool      `env:"MIGRATE_ON_START" envDefault:"false"` // `server` applies migrations first
}

// Temporal says where Temporal's frontend is.
type Temporal struct {
	Address       string `env:"ADDRESS"        envDefault:"127.0.0.1:7233"` // host:port as this process reaches it
	PublicAddress string `env:"PUBLIC_ADDRESS"`                             // host:port as workers reach it; ADDRESS when empty
	Audience      string `env:"AUDIENCE"       envDefault:"temporal"`       // the audience the frontend expects in tokens
	TLS           bool   `env:"TLS"            envDefault:"false"`          // the frontend speaks TLS
	CAFile        string `env:"CA_FILE"`                                    // PEM certificates to trust in place of the system's; implies TLS
	AllowInsecure bool   `env:"ALLOW_INSECURE" envDefault:"false"`          // accept an older or an unauthorized frontend
}

// Advertised returns the address that workers are told.
func (t Temporal) Advertised() string {
	if t.PublicAddress != "" {
		return t.PublicAddress
	}
	return t.Address
}

// Tenancy is what organizations are given.
type Tenancy struct {
	Retention time.Duration `env:"RETENTION" envDefault:"72h"` // how long their closed workflow executions are kept
	Limits    Limits        `env:"LIMITS"`                     // what they may, where nothing was set for one
}

// Secrets are the deployment's own keys, by version: "1:<base64>,2:<base64>".
// The highest version is used for new things, the others for what exists.
type Secrets struct {
	Peppers    KeyRing `env:"API_KEY_PEPPERS"` // HMAC keys of the stored API keys
	Encryption KeyRing `env:"ENCRYPTION_KEYS"` // AES-256 keys that seal signing keys
}

// Log is the process's log.
type Log struct {
	Level  slog.Level `env:"LEVEL"  envDefault:"info"`
	Format string     `env:"FORMAT" envDefault:"json"` // json or text
}

// Load reads the configuration from environment variables ("NAME=value"). Every
// mistake is in the one error that it returns.
func Load(environ []string) (Config, error) {
	variables := env.ToMap(environ)
	cfg, err := env.ParseAsWithOptions[Config](env.Options{Environment: variables})
	if err != nil {
		return Config{}, fmt.Errorf("read configuration:\n%w", malformed(variables))
	}
	_, chosen := variables["BULKHEAD_METRICS_ADDRESS"]
	cfg.Metrics.Unset, cfg.Misspelt = !chosen, misspelt(variables)
	return cfg, nil
}

// CheckAPI tells whether everything is there that `server` needs.
func (c Config) CheckAPI() error {
	needs := []error{c.checkShared(), c.HTTP.check(), c.Limiter.check(), c.Auth.check(), address("BULKHEAD_HTTP_ADDRESS", c.HTTP.Address)}
	if c.Database.MigrateOnStart {
		needs = append(needs, required("BULKHEAD_DATABASE_OWNER_URL", c.Database.OwnerURL.IsZero()))
	}
	return errors.Join(needs...)
}

// CheckWorker tells whether everything is there that `worker` needs.
func (c Config) CheckWorker() error {
	return errors.Join(c.checkShared(), c.Namespaces.check(), address("BULKHEAD_WORKER_HTTP_ADDRESS", c.Worker.HTTPAddress))
}

// CheckMigrate tells whether everything is there that `migrate` needs.
func (c Config) CheckMigrate() error {
	return required("BULKHEAD_DATABASE_OWNER_URL", c.Database.OwnerURL.IsZero())
}

// CheckInit tells whether everything is there that `migrate init` needs.
func (c Config) CheckInit() error {
	return errors.Join(
		required("BULKHEAD_DATABASE_ADMIN_URL", c.Database.AdminURL.IsZero()),
		required("BULKHEAD_DATABASE_OWNER_URL", c.Database.OwnerURL.IsZero()),
		required("BULKHEAD_DATABASE_URL", c.Database.URL.IsZero()),
		required("BULKHEAD_DATABASE_AUTH_URL", c.Database.AuthURL.IsZero()),
		required("BULKHEAD_DATABASE_DUMP_URL", c.Database.DumpURL.IsZero()),
	)
}

// CheckBootstrap tells whether everything is there that `bootstrap` needs.
func (c Config) CheckBootstrap() error {
	return errors.Join(
		required("BULKHEAD_DATABASE_URL", c.Database.URL.IsZero()),
		required("BULKHEAD_DATABASE_AUTH_URL", c.Database.AuthURL.IsZero()),
		required("BULKHEAD_API_KEY_PEPPERS", len(c.Secrets.Peppers) == 0),
	)
}

// CheckPeppers tells whether everything is there that `apikey peppers` needs.
func (c Config) CheckPeppers() error {
	return errors.Join(
		required("BULKHEAD_DATABASE_URL", c.Database.URL.IsZero()),
		required("BULKHEAD_DATABASE_AUTH_URL", c.Database.AuthURL.IsZero()),
		required("BULKHEAD_API_KEY_PEPPERS", len(c.Secrets.Peppers) == 0),
	)
}

func (c Config) checkShared() error {
	errs := []error{
		required("BULKHEAD_DATABASE_URL", c.Database.URL.IsZero()),
		required("BULKHEAD_DATABASE_AUTH_URL", c.Database.AuthURL.IsZero()),
		required("BULKHEAD_API_KEY_PEPPERS", len(c.Secrets.Peppers) == 0),
		required("BULKHEAD_ENCRYPTION_KEYS", len(c.Secrets.Encryption) == 0),
		address("BULKHEAD_TEMPORAL_ADDRESS", c.Temporal.Address),
	}
	if c.Log.Format != "json" && c.Log.Format != "text" {
		errs = append(errs, errors.New("BULKHEAD_LOG_FORMAT: must be json or text"))
	}
	if c.Metrics.Address != "" {
		errs = append(errs, address("BULKHEAD_METRICS_ADDRESS", c.Metrics.Address))
	}
	if c.Tenancy.Retention < 24*time.Hour {
		errs = append(errs, errors.New("BULKHEAD_RETENTION: must be 24h or more"))
	}
	if c.Database.MaxConns < 2 || c.Database.AuthMaxConns < 1 {
		errs = append(errs, errors.New("BULKHEAD_DATABASE_MAX_CONNS, BULKHEAD_DATABASE_AUTH_MAX_CONNS: must be at least 2 and 1"))
	}
	return errors.Join(errs...)
}

func required(name string, missing bool) error {
	if missing {
		return fmt.Errorf("%s: is required", name)
	}
	return nil
}

func address(name, value string) error {
	if _, port, err := net.SplitHostPort(value); err != nil || port == "" {
		return fmt.Errorf("%s: must be host:port, such as 127.0.0.1:7400", name)
	}
	return nil
}

// LogValue shows the settings that are no secrets.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("http", c.HTTP.Address),
		slog.String("database", c.Database.URL.String()),
		slog.String("limiter", c.Limiter.RedisURL.String()),
		slog.String("temporal", c.Temporal.Address),
		slog.String("temporal_advertised", c.Temporal.Advertised()),
		slog.String("pepper_versions", strings.Join(c.Secrets.Peppers.versions(), ",")),
		slog.String("encryption_key_versions", strings.Join(c.Secrets.Encryption.versions(), ",")),
	)
}
