// Package datadir keeps a stack's state in one directory: who may use it, and files only their owner can read.
package datadir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const lockName = "lock"

// Lock is the exclusive use of a data directory. The kernel releases it when the process ends, however it ends.
type Lock struct {
	file *os.File
}

// Acquire creates dir when it does not exist and locks it, or says which process has it.
func Acquire(dir string) (*Lock, error) {
	if err := Create(dir); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the data directory: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = file.Close() }()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			owner, _ := io.ReadAll(io.LimitReader(file, 32))
			return nil, fmt.Errorf("data directory %s is in use by process %s: stop that bulkhead-dev, or choose another --data-dir",
				dir, strings.TrimSpace(string(owner)))
		}
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	// The process id only serves the message above; the lock itself is the kernel's.
	if err := file.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(file, "%d\n", os.Getpid())
	}
	return &Lock{file: file}, nil
}

// Release gives the directory up.
func (l *Lock) Release() { _ = l.file.Close() }

// Create makes dir for its owner alone. Root's directory can be passed through (not listed) by others, because
// Postgres runs as another user there; every file in it is private by its own mode.
func Create(dir string) error {
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	return nil
}

// WriteFile replaces path by content in one step, readable by its owner alone: after a crash there is the old file or
// the new one, never half of it.
func WriteFile(path string, content []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	if _, err := file.Write(content); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
