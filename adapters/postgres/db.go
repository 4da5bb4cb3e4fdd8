package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/ports"
)

// queries are the generated ones. They hold no state: the connection is an
// argument of each.
var queries = dbsqlc.New()

// The defaults of Config, and what every connection has in common.
const (
	defaultMaxConns     = 16
	defaultAuthMaxConns = 4
	probeMaxConns       = 1

	connectTimeout  = 5 * time.Second
	keepAlive       = 15 * time.Second // a connection whose other end vanished is noticed in about two minutes
	maxConnLifetime = 30 * time.Minute // a database that moved is found again
	maxConnIdleTime = 5 * time.Minute
)

// Config says how to reach the database. How long a statement may take is
// a setting of the roles, made by Init, which reaches through every pooler.
type Config struct {
	URL     string // as the role bulkhead_app
	AuthURL string // as the role bulkhead_auth

	MaxConns     int32 // of URL; 16 when zero
	AuthMaxConns int32 // of AuthURL; 4 when zero

	ApplicationName string // how the server's views name us; "bulkhead" when empty
}

// DB is the connections to the database. The ports are made of it: NewStore,
// NewPlatform, NewCredentials, NewOutbox, NewSigningKeys.
type DB struct {
	app    *pgxpool.Pool
	auth   *pgxpool.Pool
	probe  *pgxpool.Pool   // as the app's role, for readiness: a connection that no tenant can take
	gate   *gate           // before app
	listen *pgx.ConnConfig // of the connections that are held for notifications

	writes writes // that may have changed a credential
}

var _ ports.Pinger = (*DB)(nil)

// Open prepares the pools. It connects to nothing yet: a process starts while
// the database is away, and every method fails with fault.ErrUnavailable until
// it is back.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.ApplicationName == "" {
		cfg.ApplicationName = "bulkhead"
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = defaultMaxConns
	}
	if cfg.AuthMaxConns == 0 {
		cfg.AuthMaxConns = defaultAuthMaxConns
	}
	app, err := openPool(ctx, cfg.URL, cfg.ApplicationName, cfg.MaxConns)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	auth, err := openPool(ctx, cfg.AuthURL, cfg.ApplicationName+" auth", cfg.AuthMaxConns)
	if err != nil {
		app.Close()
		return nil, fmt.Errorf("database URL for authentication: %w", err)
	}
	probe, err := openPool(ctx, cfg.URL, cfg.ApplicationName+" probe", probeMaxConns)
	if err != nil {
		app.Close()
		auth.Close()
		return nil, fmt.Errorf("database URL: %w", err)
	}
	listen := app.Config().ConnConfig.Copy()
	listen.RuntimeParams["application_name"] = cfg.ApplicationName + " listen"
	return &DB{app: app, auth: auth, probe: probe, gate: newGate(cfg.MaxConns), listen: listen}, nil
}

// Close ends all pooled connections, after their present use.
func (db *DB) Close() {
	db.app.Close()
	db.auth.Close()
	db.probe.Close()
}

// Name implements ports.Pinger.
func (*DB) Name() string { return "postgres" }

// Ping asks as both roles. Authentication alone, or work alone, is not a database
// that answers. How much the tenants ask of the database just now is nothing that
// it tells: a process that is busy is ready.
func (db *DB) Ping(ctx context.Context) error {
	return translate(ctx, errors.Join(db.probe.Ping(ctx), db.auth.Ping(ctx)))
}

func openPool(ctx context.Context, url, name string, maxConns int32) (*pgxpool.Pool, error) {
	if url == "" {
		return nil, errors.New("is not set")
	}
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, unreadable(err)
	}
	prepare(cfg.ConnConfig, name)
	cfg.MaxConns = maxConns
	cfg.MaxConnLifetime = maxConnLifetime
	cfg.MaxConnLifetimeJitter = maxConnLifetime / 10
	cfg.MaxConnIdleTime = maxConnIdleTime
	return pgxpool.NewWithConfig(ctx, cfg)
}

// connectConfig reads a URL for a single connection.
func connectConfig(url, name string) (*pgx.ConnConfig, error) {
	if url == "" {
		return nil, errors.New("is not set")
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, unreadable(err)
	}
	prepare(cfg, name)
	return cfg, nil
}

func prepare(cfg *pgx.ConnConfig, name string) {
	cfg.ConnectTimeout = connectTimeout
	cfg.DialFunc = (&net.Dialer{KeepAlive: keepAlive}).DialContext
	if _, chosen := cfg.RuntimeParams["application_name"]; !chosen {
		cfg.RuntimeParams["application_name"] = name
	}
}

// unreadable tells that a URL is wrong without quoting it, as it holds a
// password, and redaction of what can not be parsed is guesswork.
func unreadable(error) error {
	return errors.New("is not a Postgres connection string (postgres://user:password@host:5432/database)")
}
