package postgres

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/netport"
)

// download fetches Postgres into folder, or uses what an earlier call left there.
//
// The library downloads only as a part of starting a throw-away database. That start is expected to fail as root, which
// Postgres refuses; what counts is whether the programs are there and run afterwards.
func download(ctx context.Context, folder, repository string, note func(string)) (Installation, error) {
	binaries := filepath.Join(folder, "postgres")
	inspector := &finder{}
	if found, refusal := inspector.inspect(ctx, filepath.Join(binaries, "bin")); refusal == "" {
		return found, nil
	}
	note("no Postgres on this machine: downloading version " + string(embeddedpostgres.V18))

	// Whatever is there is incomplete; the library would take it for a finished download.
	if err := os.RemoveAll(folder); err != nil {
		return Installation{}, fmt.Errorf("remove an unfinished download: %w", err)
	}
	// Postgres may run as another user than the one that downloads it.
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return Installation{}, fmt.Errorf("create the download folder: %w", err)
	}
	scratch := filepath.Join(folder, "scratch")
	if err := os.Mkdir(scratch, 0o755); err != nil {
		return Installation{}, fmt.Errorf("create the scratch folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	restore, err := divertTemporaryFiles(scratch)
	if err != nil {
		return Installation{}, err
	}
	defer restore()

	ports, err := netport.Free(ctx, "localhost", 1)
	if err != nil {
		return Installation{}, err
	}
	var output bytes.Buffer
	config := embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.V18).
		Port(uint32(ports[0])). //nolint:gosec // a port has 16 bits
		CachePath(filepath.Join(folder, "archive")).
		BinariesPath(binaries).
		RuntimePath(filepath.Join(scratch, "runtime")).
		DataPath(filepath.Join(scratch, "data")).
		Logger(&output)
	if repository != "" {
		config = config.BinaryRepositoryURL(strings.TrimSuffix(repository, "/"))
	}

	// Start takes no context. When ctx ends first the process is about to end too, and the download with it.
	result := make(chan error, 1)
	go func() {
		database := embeddedpostgres.NewDatabase(config)
		err := database.Start()
		if err == nil {
			err = database.Stop()
		}
		result <- err
	}()
	var startErr error
	select {
	case startErr = <-result:
	case <-ctx.Done():
		return Installation{}, context.Cause(ctx)
	}

	found, refusal := inspector.inspect(ctx, filepath.Join(binaries, "bin"))
	switch {
	case refusal == "":
		return found, nil
	case startErr != nil && !executable(filepath.Join(binaries, "bin", "postgres")):
		return Installation{}, startErr
	default:
		return Installation{}, fmt.Errorf("the download is unusable: %s", refusal)
	}
}

// divertTemporaryFiles makes folder the place of this process's temporary files until restore is called. The library
// writes its log to the temporary folder, never removes it, and can be told no other place.
func divertTemporaryFiles(folder string) (restore func(), err error) {
	const name = "TMPDIR"
	before, set := os.LookupEnv(name)
	if err := os.Setenv(name, folder); err != nil {
		return nil, fmt.Errorf("divert temporary files: %w", err)
	}
	return func() {
		if set {
			_ = os.Setenv(name, before)
		} else {
			_ = os.Unsetenv(name)
		}
	}, nil
}
