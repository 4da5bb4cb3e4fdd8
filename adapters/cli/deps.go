package cli

import (
	"context"
	"fmt"
	"log/slog"
)

// Deps are the parts of the product that a command may start. They are functions
// so that the command line knows none of them, and none is built for a command
// that does not need it.
type Deps struct {
	// Version is the release, as the linker was told.
	Version string
	// Server serves the API until the context ends.
	Server func(ctx context.Context) error
	// Worker does the control plane's own work until the context ends.
	Worker func(ctx context.Context) error
	// Migrations change the database's schema.
	Migrations Migrations
	// Bootstrap creates the system organization with its first operator and the
	// worker's key, unless it exists.
	Bootstrap func(ctx context.Context, o BootstrapOptions) (BootstrapResult, error)
	// Peppers tells how many secrets of API keys are stored under each pepper.
	Peppers func(ctx context.Context) ([]Pepper, error)
}

// Pepper is a version of the pepper of API keys.
type Pepper struct {
	Version    int   `json:"version"`
	Secrets    int64 `json:"secrets"`    // that can still be used
	Configured bool  `json:"configured"` // in BULKHEAD_API_KEY_PEPPERS
}

// Migrations change the database's schema.
type Migrations struct {
	// Init creates the database and its roles. Doing it again is harmless.
	Init func(ctx context.Context) error
	// Up applies what is missing.
	Up func(ctx context.Context) error
	// Down takes the last applied one back.
	Down func(ctx context.Context) error
	// To goes up or down to a number; 0 is the empty schema.
	To func(ctx context.Context, number int) error
	// Status tells which are applied.
	Status func(ctx context.Context) (MigrationStatus, error)
	// Check tells which rules of the schema are broken. A sound one breaks none.
	Check func(ctx context.Context) ([]Violation, error)
}

// Violation is a rule of the schema that is broken, and by what.
type Violation struct {
	Rule string `json:"rule"`
	By   string `json:"by"`
}

// MigrationStatus is where a database's schema stands.
type MigrationStatus struct {
	Current    int         `json:"current"` // the last applied one; 0: none
	Latest     int         `json:"latest"`
	Migrations []Migration `json:"migrations"` // all, in their order
}

// Migration is one step of the schema.
type Migration struct {
	Number  int    `json:"number"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

// BootstrapOptions say what to do where a system organization exists.
type BootstrapOptions struct {
	// NewKey makes another key for the operator, for whoever lost it.
	NewKey bool
}

// BootstrapResult is what bootstrap has made. Formatted or logged, it does not
// show its keys.
type BootstrapResult struct {
	Created     bool   `json:"created"`
	OperatorKey string `json:"operator_key,omitempty"`
	WorkerKey   string `json:"worker_key,omitempty"`
}

// Format shows the result without its keys, whatever the verb.
func (r BootstrapResult) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "cli.BootstrapResult(created %t)", r.Created)
}

// LogValue shows the result without its keys.
func (r BootstrapResult) LogValue() slog.Value {
	return slog.GroupValue(slog.Bool("created", r.Created))
}
