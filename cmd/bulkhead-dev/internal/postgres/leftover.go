package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/process"
)

// clearLeftover makes way after an unclean stop. We hold the lock of the data directory, so a postmaster which still
// runs on it has lost its supervisor: it gets the signal for an orderly stop. A pid file whose number belongs to another
// process by now, which is usual in a container, is removed because Postgres would refuse to start. A pid file whose
// process is gone stays: Postgres replaces it by itself, and learns from it which shared memory to look for.
func clearLeftover(ctx context.Context, cluster string, note func(string)) error {
	pidFile := filepath.Join(cluster, "postmaster.pid")
	content, err := os.ReadFile(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the pid file of Postgres: %w", err)
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	switch {
	case err != nil || pid <= 1:
		// An empty or torn file names nobody.
	case isPostmaster(pid, cluster):
		note(fmt.Sprintf("stopping the Postgres (process %d) that a killed bulkhead-dev left behind", pid))
		return retire(ctx, pid, cluster)
	case errors.Is(syscall.Kill(pid, 0), syscall.ESRCH):
		return nil
	}
	if err := os.Remove(pidFile); err != nil {
		return fmt.Errorf("remove the stale pid file of Postgres: %w", err)
	}
	return nil
}

// sessionsRemain recognizes the start that failed because sessions outlive their postmaster, which was killed: they
// notice within moments.
func sessionsRemain(err error) bool {
	failure := new(process.ExitError)
	return errors.As(err, &failure) && strings.Contains(failure.Tail, "pre-existing shared memory block")
}

func retire(ctx context.Context, pid int, cluster string) error {
	if err := syscall.Kill(pid, fastShutdown); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop the Postgres left behind (process %d): %w", pid, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 3*stopGrace, fmt.Errorf("the Postgres left behind (process %d) does not stop", pid))
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for isPostmaster(pid, cluster) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
	return nil
}
