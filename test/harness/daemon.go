package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// WaitLimit is how long a condition may take to become true. Nothing should come near
// it: it only ends a test that has failed. What comes nearest is the removal of a
// namespace by a Temporal that was killed over it: an execution that it can not delete
// in that moment has it begin anew after one minute, and then after two more.
const WaitLimit = 5 * time.Minute

// Eventually asks again until the condition holds, and fails the test when it
// does not within WaitLimit. what says in words what is waited for.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(WaitLimit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", WaitLimit, what)
		case <-t.Context().Done():
			t.Fatalf("the test ended while waiting: %s", what)
		case <-tick.C:
		}
	}
}

// built holds the programs that this test process has built, by package.
var built struct {
	sync.Mutex
	dir   string
	paths map[string]string
}

// Build builds a command of the product, with the race detector if the tests
// have it, and returns its path. It is built once a test process, from the
// source as it is: a test never runs against yesterday's program.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if path, ok := built.paths[pkg]; ok {
		return path
	}
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	if built.dir == "" {
		// Not the test's own folder, as the programs serve the tests after it, too.
		if built.dir, err = os.MkdirTemp("", "bulkhead-programs-"); err != nil { //nolint:usetesting // see above
			t.Fatal(err)
		}
		built.paths = map[string]string{}
	}
	path := filepath.Join(built.dir, filepath.Base(pkg))
	args := []string{"build", "-buildvcs=false", "-o", path}
	if raceDetector {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./"+pkg)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	built.paths[pkg] = path
	return path
}

// RemoveBuilt removes what Build has built. It is for TestMain.
func RemoveBuilt() {
	built.Lock()
	defer built.Unlock()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
}

// Daemon is a long-running command of the product that a test starts, kills and
// starts again.
type Daemon struct {
	Metrics string // where it is measured; "" when that was left to it

	name string
	path string
	args []string
	env  []string
	url  string // whose /livez tells that it runs

	logPath string // "" to keep the log here

	mu   sync.Mutex
	log  bytes.Buffer // of all its runs
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how the last run ended, once done is closed
}

// NewDaemon describes a command. Its environment is env and nothing else.
func NewDaemon(name, path, url string, env []string, args ...string) *Daemon {
	return &Daemon{name: name, path: path, args: args, env: env, url: url}
}

// LogTo has the command write to a file from its next start on, as under a
// service manager: where it is measured, nobody else should read what it writes.
// Log then returns what is in the file.
func (d *Daemon) LogTo(path string) { d.logPath = path }

// PID is the process id of the command's last start.
func (d *Daemon) PID() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cmd.Process.Pid
}

// Launch starts the command and does not wait for anything.
func (d *Daemon) Launch(t testing.TB) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), d.path, d.args...)
	cmd.Env = d.env
	cmd.Stdout, cmd.Stderr = writer{d}, writer{d}
	if d.logPath != "" {
		file, err := os.OpenFile(d.logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }() // the command has its own
		cmd.Stdout, cmd.Stderr = file, file
	}
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", d.name, err)
	}
	done := make(chan struct{})
	d.mu.Lock()
	d.cmd, d.done = cmd, done
	d.mu.Unlock()
	go func() {
		err := cmd.Wait()
		d.mu.Lock()
		d.err = err
		d.mu.Unlock()
		close(done)
	}()
}

// Start starts the command and waits until it serves.
func (d *Daemon) Start(t testing.TB) {
	t.Helper()
	d.Launch(t)
	d.AwaitStatus(t, "/livez", http.StatusOK)
}

// AwaitStatus waits until a page answers with a status.
func (d *Daemon) AwaitStatus(t testing.TB, page string, status int) {
	t.Helper()
	Eventually(t, fmt.Sprintf("%s answers %s with %d", d.name, page, status), func() bool {
		if !d.Running() {
			t.Fatalf("%s has ended:\n%s", d.name, d.Log())
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+page, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == status
	})
}

// Running tells whether the command has not ended.
func (d *Daemon) Running() bool {
	d.mu.Lock()
	done := d.done
	d.mu.Unlock()
	if done == nil {
		return false
	}
	select {
	case <-done:
		return false
	default:
		return true
	}
}

// Kill ends the command as a power failure would.
func (d *Daemon) Kill() { d.end(syscall.SIGKILL) }

// Stop asks the command to end, waits until it has, and returns its exit code.
func (d *Daemon) Stop() int {
	d.end(syscall.SIGTERM)
	return d.exitCode()
}

// Await waits until the command ends by itself, and returns its exit code.
func (d *Daemon) Await(t testing.TB) int {
	t.Helper()
	Eventually(t, d.name+" ends", func() bool { return !d.Running() })
	return d.exitCode()
}

func (d *Daemon) exitCode() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if exit := (*exec.ExitError)(nil); errors.As(d.err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// Signal sends a signal to the command.
func (d *Daemon) Signal(s syscall.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = syscall.Kill(-d.cmd.Process.Pid, s)
}

func (d *Daemon) end(s syscall.Signal) {
	if !d.Running() {
		return
	}
	d.Signal(s)
	d.mu.Lock()
	done := d.done
	d.mu.Unlock()
	<-done
}

// Log returns what the command has written in all its runs.
func (d *Daemon) Log() string {
	if d.logPath != "" {
		text, err := os.ReadFile(d.logPath)
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// writer appends to a daemon's log.
type writer struct{ d *Daemon }

func (w writer) Write(b []byte) (int, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	return w.d.log.Write(b)
}
