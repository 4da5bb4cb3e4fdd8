package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/tern/v2/migrate"

	"github.com/bulkheadhq/bulkhead/sql"
)

const (
	versionTable = "public.schema_version"

	// lockTimeout bounds the wait for another migrator, and for the locks of a
	// migration: what waits for a table's lock blocks everybody who comes after it.
	lockTimeout = "60s"

	// closeTimeout bounds the farewell of a connection whose caller may have gone.
	closeTimeout = 5 * time.Second
)

// Migrator brings the schema to a version. It works as the role that owns the
// tables. Any number may be started at once: they take turns under a lock of the
// session, so that its URL must not lead through a pooler in transaction mode.
type Migrator struct {
	// OnStart, if set, is told of each migration before it runs.
	OnStart func(MigrationStep)

	config *pgx.ConnConfig
}

// MigrationStep is one migration in one direction.
type MigrationStep struct {
	Version   int32
	Name      string
	Direction string // "up" or "down"
}

// MigrationStatus is how far the schema is.
type MigrationStatus struct {
	Current    int32    // the schema's version; 0 is the empty schema
	Latest     int32    // the newest one that this program knows
	Migrations []string // the names of all that this program knows, from version 1
}

// NewMigrator takes the URL of the role bulkhead_owner. It does not connect yet.
func NewMigrator(ownerURL string) (*Migrator, error) {
	cfg, err := connectConfig(ownerURL, "bulkhead migrate")
	if err != nil {
		return nil, fmt.Errorf("database URL of the owner: %w", err)
	}
	// As the owner is bound by row-level security too, a statement on data would
	// quietly touch no row. Switched off, it fails loudly instead.
	cfg.RuntimeParams["row_security"] = "off"
	cfg.RuntimeParams["lock_timeout"] = lockTimeout
	cfg.RuntimeParams["statement_timeout"] = "0"
	return &Migrator{config: cfg}, nil
}

// Up applies all pending migrations.
func (m *Migrator) Up(ctx context.Context) error {
	return m.run(ctx, func(t *migrate.Migrator) error { return t.Migrate(ctx) })
}

// Down takes back the latest migration. On the empty schema it does nothing.
func (m *Migrator) Down(ctx context.Context) error {
	return m.run(ctx, func(t *migrate.Migrator) error {
		current, err := t.GetCurrentVersion(ctx)
		if err != nil || current == 0 {
			return err
		}
		return t.MigrateTo(ctx, current-1)
	})
}

// To brings the schema to a version, up or down.
func (m *Migrator) To(ctx context.Context, version int32) error {
	return m.run(ctx, func(t *migrate.Migrator) error { return t.MigrateTo(ctx, version) })
}

// Status tells how far the schema is.
func (m *Migrator) Status(ctx context.Context) (MigrationStatus, error) {
	var status MigrationStatus
	err := m.run(ctx, func(t *migrate.Migrator) error {
		current, err := t.GetCurrentVersion(ctx)
		if err != nil {
			return err
		}
		status.Current, status.Latest = current, int32(len(t.Migrations)) //nolint:gosec // a handful
		for _, m := range t.Migrations {
			status.Migrations = append(status.Migrations, m.Name)
		}
		return nil
	})
	return status, err
}

// Violation is a rule of the schema that is broken, and by what.
type Violation struct{ Rule, By string }

// Check returns what is wrong with the schema: migrations and row-level security that
// are missing, a grant too many. A sound database has nothing.
func (m *Migrator) Check(ctx context.Context) ([]Violation, error) {
	status, err := m.Status(ctx)
	if err != nil {
		return nil, err
	}
	missing := status.missing()
	conn, err := pgx.ConnectConfig(ctx, m.config.Copy())
	if err != nil {
		return nil, fmt.Errorf("connect as the owner: %w", translate(ctx, err))
	}
	defer closeConn(ctx, conn)
	rows, err := conn.Query(ctx, sql.Catalog)
	if err != nil {
		return nil, fmt.Errorf("check the schema: %w", translate(ctx, err))
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Violation])
	if err != nil {
		return nil, fmt.Errorf("check the schema: %w", translate(ctx, err))
	}
	return append(missing, found...), nil
}

// missing are the migrations that were not applied. Without its tables a schema has
// nothing that could be wrong with them.
func (s MigrationStatus) missing() (out []Violation) {
	for i, name := range s.Migrations {
		if version := int32(i) + 1; version > s.Current {
			out = append(out, Violation{Rule: "every migration is applied", By: name})
		}
	}
	return out
}

// lockID is the number of tern's own advisory lock. Taken around the whole of
// an operation, and taken again by tern inside, it makes reading the version and
// moving on from it one step.
const lockID = int64(9628173550095224)

func (m *Migrator) run(ctx context.Context, fn func(*migrate.Migrator) error) error {
	conn, err := pgx.ConnectConfig(ctx, m.config.Copy())
	if err != nil {
		return fmt.Errorf("connect as the owner: %w", translate(ctx, err))
	}
	defer closeConn(ctx, conn) // which releases the lock
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lockID); err != nil {
		return fmt.Errorf("wait for another migration to end: %w", translate(ctx, err))
	}
	tern, err := migrate.NewMigrator(ctx, conn, versionTable)
	if err != nil {
		return fmt.Errorf("prepare the schema's version: %w", translate(ctx, err))
	}
	if err := tern.LoadMigrations(sql.Migrations()); err != nil {
		return fmt.Errorf("load the migrations: %w", err)
	}
	tern.OnStart = func(version int32, name, direction, _ string) {
		if m.OnStart != nil {
			m.OnStart(MigrationStep{Version: version, Name: name, Direction: direction})
		}
	}
	if err := fn(tern); err != nil {
		return fmt.Errorf("migrate: %w", translate(ctx, err))
	}
	return nil
}

// closeConn says farewell although the caller may have gone.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}
