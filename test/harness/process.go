// Package harness starts the real programs that tests need: Temporal with
// authorization on, and Postgres. A program is started once for a test process,
// on first use, and ends with it.
package harness

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// readyTimeout is how long a program may take until it says that it is ready.
const readyTimeout = 60 * time.Second

// program is a process that prints one line of JSON when it is ready, and ends
// when its standard input does: none outlives the test process, however that
// one dies.
type program struct {
	cmd   *exec.Cmd
	stdin io.Closer
	log   *tail
	done  chan struct{} // closed when it has ended
}

// startProgram starts one of our programs, waits until it is ready and decodes
// what it said into ready. It removes scratch, unless that is "", when the
// program has ended.
func startProgram(ready any, scratch, name string, args ...string) (*program, error) {
	path, err := findProgram(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	if scratch != "" {
		// The shell outlives the test process for long enough to clean up after it.
		cmd = exec.Command("/bin/sh", append([]string{"-c", `"$@"; rm -rf "$0"`, scratch, path}, args...)...)
	}
	// A group of its own, so that Ctrl-C reaches the tests first and the program by the end of its input.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &program{cmd: cmd, log: &tail{}, done: make(chan struct{})}
	cmd.Stderr = p.log
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	stdout, stdoutWriter, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = stdoutWriter
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), stdout.Close(), stdoutWriter.Close())
	}
	_ = stdoutWriter.Close()
	go func() {
		defer close(p.done)
		_ = cmd.Wait()
	}()
	first := make(chan error, 1)
	go func() {
		defer func() { _ = stdout.Close() }()
		r := bufio.NewReader(stdout)
		line, err := r.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, ready)
		}
		first <- err
		_, _ = io.Copy(io.Discard, r)
	}()
	timer := time.NewTimer(readyTimeout)
	defer timer.Stop()
	select {
	case err = <-first:
	case <-timer.C:
		err = fmt.Errorf("not ready after %v", readyTimeout)
	}
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("start %s: %w\n%s", name, err, p.log)
	}
	return p, nil
}

// stop ends the program in good order.
func (p *program) stop() {
	_ = p.stdin.Close()
	<-p.done
}

// kill ends the program as a power failure would.
func (p *program) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.stdin.Close()
	<-p.done
}

// findProgram looks for a built program in $BULKHEAD_BIN_DIR, or else in the
// folder bin at the root of the module.
func findProgram(name string) (string, error) {
	dir := os.Getenv("BULKHEAD_BIN_DIR")
	if dir == "" {
		root, err := moduleRoot()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, "bin")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not built (make build): %w", name, err)
	}
	return path, nil
}

// moduleRoot returns the nearest folder with a go.mod, from the working
// directory upwards: go test runs a test in its package's folder.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); !errors.Is(err, fs.ErrNotExist) {
			return dir, err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}

// tailLen is how much of a program's log a failure shows.
const tailLen = 8 << 10

// tail keeps the end of a log.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if extra := len(t.buf) - tailLen; extra > 0 {
		t.buf = t.buf[extra:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.Clone(t.buf))
}
