package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"

	"github.com/bulkheadhq/bulkhead/adapters/cli"
	"github.com/bulkheadhq/bulkhead/adapters/config"
	"github.com/bulkheadhq/bulkhead/wire"
)

// deps are the parts of the product that commands start. Each reads the
// configuration when it is called, and asks for no more of it than it needs.
func deps() cli.Deps {
	return cli.Deps{
		Version: version,
		Server:  server,
		Worker:  worker,
		Migrations: cli.Migrations{
			Init: func(ctx context.Context) error {
				cfg, err := load(config.Config.CheckInit)
				if err != nil {
					return err
				}
				return wire.InitDatabase(ctx, cfg)
			},
			Up:     migration((*wire.Migrator).Up),
			Down:   migration((*wire.Migrator).Down),
			To:     migrateTo,
			Status: migrationStatus,
			Check:  checkSchema,
		},
		Bootstrap: bootstrap,
		Peppers:   peppers,
	}
}

func server(ctx context.Context) error {
	cfg, err := load(config.Config.CheckAPI)
	if err != nil {
		return err
	}
	if cfg.Database.MigrateOnStart {
		if err := migration((*wire.Migrator).Up)(ctx); err != nil {
			return err
		}
	}
	app, cleanup, err := wire.NewAPI(ctx, cfg, os.Stderr, build())
	if err != nil {
		return err
	}
	defer cleanup()
	return app.Run(ctx)
}

func worker(ctx context.Context) error {
	cfg, err := load(config.Config.CheckWorker)
	if err != nil {
		return err
	}
	app, cleanup, err := wire.NewWorker(ctx, cfg, os.Stderr, build())
	if err != nil {
		return err
	}
	defer cleanup()
	return app.Run(ctx)
}

func bootstrap(ctx context.Context, o cli.BootstrapOptions) (cli.BootstrapResult, error) {
	cfg, err := load(config.Config.CheckBootstrap)
	if err != nil {
		return cli.BootstrapResult{}, err
	}
	admin, cleanup, err := wire.NewAdmin(ctx, cfg, os.Stderr)
	if err != nil {
		return cli.BootstrapResult{}, err
	}
	defer cleanup()
	do := func() (wire.Bootstrapped, error) { return admin.Bootstrap.Run(ctx, "") }
	if o.NewKey {
		do = func() (wire.Bootstrapped, error) { return admin.Bootstrap.NewOperatorKey(ctx) }
	}
	made, err := do()
	if err != nil {
		return cli.BootstrapResult{}, err
	}
	return cli.BootstrapResult{
		Created: made.Created, OperatorKey: made.OperatorKey.Reveal(), WorkerKey: made.WorkerKey.Reveal(),
	}, nil
}

func peppers(ctx context.Context) ([]cli.Pepper, error) {
	cfg, err := load(config.Config.CheckPeppers)
	if err != nil {
		return nil, err
	}
	admin, cleanup, err := wire.NewAdmin(ctx, cfg, os.Stderr)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	secrets, err := admin.Keys.Peppers(ctx)
	if err != nil {
		return nil, err
	}
	for version := range cfg.Secrets.Peppers {
		secrets[version] += 0 // configured, and perhaps not needed any more
	}
	out := make([]cli.Pepper, 0, len(secrets))
	for _, version := range slices.Sorted(maps.Keys(secrets)) {
		_, configured := cfg.Secrets.Peppers[version]
		out = append(out, cli.Pepper{Version: int(version), Secrets: secrets[version], Configured: configured})
	}
	return out, nil
}

// migration returns the function that does one thing to the schema.
func migration(do func(*wire.Migrator, context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		m, err := migrator()
		if err != nil {
			return err
		}
		return do(m, ctx)
	}
}

func migrateTo(ctx context.Context, number int) error {
	return migration(func(m *wire.Migrator, ctx context.Context) error { return m.To(ctx, int32(number)) })(ctx) //nolint:gosec // the CLI has checked it
}

func migrationStatus(ctx context.Context) (cli.MigrationStatus, error) {
	m, err := migrator()
	if err != nil {
		return cli.MigrationStatus{}, err
	}
	s, err := m.Status(ctx)
	if err != nil {
		return cli.MigrationStatus{}, err
	}
	out := cli.MigrationStatus{Current: int(s.Current), Latest: len(s.Migrations)}
	for i, name := range s.Migrations {
		out.Migrations = append(out.Migrations, cli.Migration{Number: i + 1, Name: name, Applied: i < out.Current})
	}
	return out, nil
}

func checkSchema(ctx context.Context) ([]cli.Violation, error) {
	m, err := migrator()
	if err != nil {
		return nil, err
	}
	found, err := m.Check(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]cli.Violation, len(found))
	for i, v := range found {
		out[i] = cli.Violation(v)
	}
	return out, nil
}

func migrator() (*wire.Migrator, error) {
	cfg, err := load(config.Config.CheckMigrate)
	if err != nil {
		return nil, err
	}
	return wire.NewMigrator(cfg)
}

// load reads the configuration and checks what the command needs of it.
func load(check func(config.Config) error) (config.Config, error) {
	cfg, err := config.Load(os.Environ())
	if err != nil {
		return config.Config{}, err
	}
	if err := check(cfg); err != nil {
		return config.Config{}, fmt.Errorf("the configuration is not complete:\n%w", err)
	}
	return cfg, nil
}

// build says which release is running: the linker's version, and the commit that
// the toolchain stamped, if it did.
func build() wire.Build {
	b := wire.Build{Version: version}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	return b
}
