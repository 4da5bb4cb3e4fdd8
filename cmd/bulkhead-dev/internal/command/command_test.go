package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/postgres"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/temporal"
)

// program is the application running in this process, with its three streams in our hands.
type program struct {
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
	result chan error
}

func runProgram(t *testing.T, start temporal.Starter, args ...string) *program {
	t.Helper()
	inReader, inWriter := io.Pipe()
	outReader, outWriter := io.Pipe()
	p := &program{stdin: inWriter, stdout: bufio.NewReader(outReader), result: make(chan error, 1)}
	app := New(time.Now(), start)
	app.Reader, app.Writer, app.ErrWriter = inReader, outWriter, &p.stderr
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := app.RunContext(ctx, append([]string{"bulkhead-dev"}, args...))
		_ = outWriter.Close()
		p.result <- err
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return p
}

func (p *program) announced(t *testing.T, into any) {
	t.Helper()
	line, err := p.stdout.ReadBytes('\n')
	if err != nil {
		t.Fatalf("announced nothing: %v, %v", err, <-p.result)
	}
	if err := json.Unmarshal(line, into); err != nil {
		t.Fatal(err)
	}
}

func TestPostgres(t *testing.T) {
	t.Run("Should print one line of JSON and end with standard input", func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		is.NoErr(os.Chmod(filepath.Dir(dir), 0o755)) // root starts Postgres as another user, who must get there
		p := runProgram(t, nil, "postgres", "--data-dir", dir, "--fast", "--exit-with-stdin")
		var line map[string]any
		p.announced(t, &line)
		is.Equal(len(line), 3)
		admin := line["admin_url"].(string)
		is.NoErr(postgres.Ping(t.Context(), admin))
		is.True(strings.HasSuffix(admin, "/postgres?sslmode=disable"))
		is.NoErr(p.stdin.Close())
		is.NoErr(<-p.result)
		rest, err := io.ReadAll(p.stdout)
		is.NoErr(err)
		is.Equal(string(rest), "") // nothing else on standard output
		is.True(postgres.Ping(t.Context(), admin) != nil)
	})

	t.Run("Should keep standard output empty when it is called wrongly", func(t *testing.T) {
		is := is.New(t)
		p := runProgram(t, nil, "postgres", "--data-dir", t.TempDir(), "--port", "22x")
		rest, err := io.ReadAll(p.stdout)
		is.NoErr(err)
		is.Equal(string(rest), "")
		is.True(<-p.result != nil)
	})
}

func TestRun(t *testing.T) {
	t.Run("Should refuse to both start an example worker and leave it out", func(t *testing.T) {
		is := is.New(t)
		p := runProgram(t, nil, "run", "--data-dir", t.TempDir(), "--bulkhead", "/bin/sh",
			"--example-worker", "/bin/sh", "--no-example-worker")
		_, _ = io.Copy(io.Discard, p.stdout)
		err := <-p.result
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), "--no-example-worker"))
	})
}

type stopFunc func()

func (f stopFunc) Stop() error { f(); return nil }

func TestTemporal(t *testing.T) {
	t.Run("Should start the server only when the keys can be read", func(t *testing.T) {
		is := is.New(t)
		published := make(chan struct{})
		asked := make(chan struct{}, 100)
		keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked <- struct{}{}
			select {
			case <-published:
				_, _ = io.WriteString(w, `{"keys":[{"kty":"EC"}]}`)
			default:
				// Temporal itself would take this body for a JWKS without keys.
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = io.WriteString(w, `{"title":"not yet"}`)
			}
		}))
		defer keys.Close()
		configs := make(chan temporal.Config, 1)
		stopped := make(chan struct{})
		start := func(_ context.Context, cfg temporal.Config) (temporal.Server, error) {
			configs <- cfg
			return stopFunc(func() { close(stopped) }), nil
		}
		p := runProgram(t, start, "temporal", "--data-dir", t.TempDir(), "--jwks", keys.URL, "--exit-with-stdin")
		<-asked
		<-asked // it asks again
		is.Equal(len(configs), 0)
		close(published)
		var line temporalLine
		p.announced(t, &line)
		cfg := <-configs
		is.Equal(cfg.Audience, "temporal")
		is.Equal(cfg.KeysURL, keys.URL)
		_, port, err := net.SplitHostPort(line.Address)
		is.NoErr(err)
		is.True(port != "0")
		is.Equal(line.PID, os.Getpid())
		is.NoErr(p.stdin.Close())
		is.NoErr(<-p.result)
		<-stopped
	})

	t.Run("Should give up on keys that never come, with the reason", func(t *testing.T) {
		is := is.New(t)
		missing := filepath.Join(t.TempDir(), "jwks.json")
		p := runProgram(t, nil, "temporal", "--data-dir", t.TempDir(), "--jwks", missing, "--jwks-timeout", "60ms")
		err := <-p.result
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), missing))
		is.True(strings.Contains(err.Error(), "gave up after 60ms"))
	})

	t.Run("Should refuse an empty audience", func(t *testing.T) {
		is := is.New(t)
		p := runProgram(t, nil, "temporal", "--data-dir", t.TempDir(), "--jwks", "x", "--audience", "")
		is.True(<-p.result != nil)
	})
}
