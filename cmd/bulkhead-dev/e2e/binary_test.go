package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// binaryUnderTest returns the built binary when it is newer than every source of the module, else builds one.
func binaryUnderTest(t *testing.T) string {
	t.Helper()
	built, err := filepath.Abs("../../../bin/bulkhead-dev")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(built); err == nil && info.ModTime().After(lastChange(t)) {
		return built
	}
	binary := filepath.Join(t.TempDir(), "bulkhead-dev")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "..")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build bulkhead-dev: %v\n%s", err, output)
	}
	return binary
}

func lastChange(t *testing.T) time.Time {
	t.Helper()
	var last time.Time
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// server is a bulkhead-dev that has announced itself.
type server struct {
	Address     string `json:"address"`
	HTTPAddress string `json:"http_address"`
	PID         int    `json:"pid"`

	command *exec.Cmd
	stdin   io.WriteCloser
	done    chan struct{}
	err     error // how it ended; set before done is closed
}

func startServer(t *testing.T, binary string, args ...string) *server {
	t.Helper()
	s := &server{command: exec.Command(binary, append(args, "--exit-with-stdin")...), done: make(chan struct{})}
	s.command.Stderr = os.Stderr
	var err error
	if s.stdin, err = s.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := s.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(stdout)
	line, err := reader.ReadBytes('\n')
	go func() {
		_, _ = io.Copy(io.Discard, reader)
		s.err = s.command.Wait()
		close(s.done)
	}()
	t.Cleanup(func() {
		_ = s.stdin.Close()
		<-s.done
	})
	if err != nil {
		t.Fatalf("bulkhead-dev %v announced nothing: %v", args, err)
	}
	if err := json.Unmarshal(line, s); err != nil {
		t.Fatalf("bulkhead-dev %v announced %q: %v", args, line, err)
	}
	return s
}

func (s *server) kill(t *testing.T) {
	t.Helper()
	if err := s.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.done
}

func (s *server) closeStdin(t *testing.T) error {
	t.Helper()
	if err := s.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	<-s.done
	return s.err
}

func (s *server) port(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func runToEnd(t *testing.T, binary string, args ...string) (string, error) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput()
	return string(output), err
}

func contains(text, part string) bool { return strings.Contains(text, part) }
