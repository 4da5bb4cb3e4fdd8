package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	sqliteschema "go.temporal.io/server/schema/sqlite"
)

// ensureSchema creates Temporal's tables in a new database, all of them or none: it does so in one transaction, because
// the existence of the file would not tell whether an interrupted set-up got to its end.
func ensureSchema(ctx context.Context, path string, store *config.SQL) error {
	// SQLite gives its side files the mode of the file that exists: workflow histories are nobody else's to read.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	database, err := sql.Open(store.PluginName, "file:"+store.DatabaseName)
	if err != nil {
		return fmt.Errorf("open %s: %w", store.DatabaseName, err)
	}
	defer func() { _ = database.Close() }()
	tx, err := database.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("open %s: %w", store.DatabaseName, err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit

	var tables int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE type = 'table'").Scan(&tables); err != nil {
		return fmt.Errorf("look for tables: %w", err)
	}
	if tables > 0 {
		return nil
	}
	if err := sqliteschema.SetupSchemaOnDB(schemaWriter{ctx: ctx, tx: tx}); err != nil {
		return err
	}
	return tx.Commit()
}

// schemaWriter lets the server's own set-up write into our transaction. The set-up uses nothing but Exec; the rest of
// the interface is left nil.
type schemaWriter struct {
	sqlplugin.AdminDB
	ctx context.Context
	tx  *sql.Tx
}

func (w schemaWriter) Exec(statement string, args ...any) error {
	_, err := w.tx.ExecContext(w.ctx, statement, args...)
	return err
}
