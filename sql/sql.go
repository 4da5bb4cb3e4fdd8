// Package sql embeds the data contract: the migrations, in tern's format.
package sql

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations returns the migration files, numbered from 001 without a gap.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above: it can not be missing
	}
	return sub
}
