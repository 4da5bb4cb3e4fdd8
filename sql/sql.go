// Package sql embeds the data contract: the migrations, in tern's format, and the
// gate that the schema they make must pass.
package sql

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var files embed.FS

// Catalog is a query whose rows are what is wrong with the schema: the rule that
// is broken, and by what.
//
//go:embed checks/catalog.sql
var Catalog string

// Migrations returns the migration files, numbered from 001 without a gap.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above: it can not be missing
	}
	return sub
}
