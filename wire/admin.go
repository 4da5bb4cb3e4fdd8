package wire

import (
	"context"

	"github.com/bulkheadhq/bulkhead/adapters/config"
	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/usecase/bootstrap"
)

// The types through which a command works on the database.
type (
	Migrator     = postgres.Migrator
	Bootstrapped = bootstrap.Result
)

// InitDatabase makes the roles and the database. It needs a superuser's URL,
// and is repeatable.
func InitDatabase(ctx context.Context, cfg config.Config) error {
	return postgres.Init(ctx, cfg.Database.AdminURL.Reveal(), postgres.RoleURLs{
		Owner: cfg.Database.OwnerURL.Reveal(), App: cfg.Database.URL.Reveal(),
		Auth: cfg.Database.AuthURL.Reveal(), Dump: cfg.Database.DumpURL.Reveal(),
	})
}

// NewMigrator returns what changes the schema, as the owner of the tables.
func NewMigrator(cfg config.Config) (*Migrator, error) {
	return postgres.NewMigrator(cfg.Database.OwnerURL.Reveal())
}
