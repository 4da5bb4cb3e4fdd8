package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// RedisServer is a Redis or Valkey server of one test, without anything that it would keep.
type RedisServer struct {
	URL string

	socket string
	path   string // of the program
	cmd    *exec.Cmd
	end    func() error // closes the program's input
}

// Redis starts a server. It ends with the test, or with the test process.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	path, err := findRedis()
	if err != nil {
		t.Fatal(err)
	}
	// Not the test's own folder, whose path may be longer than a socket's can be.
	dir, err := os.MkdirTemp("", "bulkhead-redis-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	s := &RedisServer{path: path, socket: filepath.Join(dir, "s")}
	s.URL = "unix://" + s.socket
	t.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(dir)
	})
	s.Start(t)
	return s
}

func findRedis() (string, error) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is neither redis-server nor valkey-server in PATH: run make deps")
}

// Start starts the server again, and waits until it answers.
func (s *RedisServer) Start(t testing.TB) {
	t.Helper()
	// The shell waits for the end of its input, which comes with that of the test process however that ends.
	const script = `"$0" --port 0 --unixsocket "$1" --save "" --appendonly no --dir "${1%/*}" >/dev/null &
cat >/dev/null; kill -9 $!; rm -rf "${1%/*}"`
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), "/bin/sh", "-c", script, s.path, s.socket)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.end = stdin.Close
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("start Redis: %v", err)
	}
	Eventually(t, "Redis listens", func() bool {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "unix", s.socket)
		if err != nil {
			return false
		}
		defer func() { _ = conn.Close() }()
		answer := make([]byte, len("+PONG"))
		_, err = fmt.Fprint(conn, "PING\r\n")
		if err == nil {
			_, err = conn.Read(answer)
		}
		return err == nil && string(answer) == "+PONG"
	})
}

// Kill ends the server as a power failure would.
func (s *RedisServer) Kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	_ = s.end()
	_ = s.cmd.Wait()
}

// Signal sends a signal to the server, such as SIGSTOP: it still accepts connections then, and answers nothing.
func (s *RedisServer) Signal(sig syscall.Signal) { _ = syscall.Kill(-s.cmd.Process.Pid, sig) }
