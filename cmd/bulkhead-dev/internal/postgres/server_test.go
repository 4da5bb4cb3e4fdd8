package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/matryer/is"
)

// reachableDir is a temporary directory that every user may pass through, as Postgres must when root starts it.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, closed := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(closed, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.Fast = true
	server, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	// The test's context is already cancelled while its clean-up runs.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	connection, err := pgconn.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(ctx) }()
	results, err := connection.Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(results) == 0 || len(results[0].Rows) == 0 {
		return ""
	}
	return string(results[0].Rows[0][0])
}

func TestStart(t *testing.T) {
	t.Run("Should keep its data, its password and its port between runs", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		dir := reachableDir(t)
		first := start(t, Config{DataDir: dir})
		query(t, first.AdminURL, "CREATE TABLE kept AS SELECT 42 AS n")
		first.Stop()
		again := start(t, Config{DataDir: dir, Port: first.Port})
		is.Equal(again.AdminURL, first.AdminURL)
		is.Equal(query(t, again.AdminURL, "SELECT n FROM kept"), "42")
	})

	t.Run("Should lose nothing that was committed when Postgres is killed", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		dir := reachableDir(t)
		server := start(t, Config{DataDir: dir})
		query(t, server.AdminURL, "CREATE TABLE kept AS SELECT 42 AS n")
		is.NoErr(syscall.Kill(server.PID(), syscall.SIGKILL))
		<-server.Done()
		is.True(strings.Contains(server.Failure().Error(), "killed"))
		server.Stop()
		again := start(t, Config{DataDir: dir, Port: server.Port})
		is.Equal(query(t, again.AdminURL, "SELECT n FROM kept"), "42")
	})

	t.Run("Should run beside another one, each with its own password", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a, b := start(t, Config{DataDir: reachableDir(t)}), start(t, Config{DataDir: reachableDir(t)})
		is.True(a.Port != b.Port)
		crossed := strings.Replace(a.AdminURL, fmt.Sprint(a.Port), fmt.Sprint(b.Port), 1)
		refused := new(pgconn.PgError)
		is.True(errors.As(Ping(t.Context(), crossed), &refused))
		is.Equal(refused.Code, "28P01") // wrong password
	})

	t.Run("Should start over a pid file whose number belongs to another process", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		dir := reachableDir(t)
		first := start(t, Config{DataDir: dir})
		first.Stop()
		// Process ids are given out again quickly in a container; ours certainly lives.
		stale := fmt.Sprintf("%d\n%s\n0\n%d\n\n\n\n", os.Getpid(), filepath.Join(first.Home, clusterName), first.Port)
		is.NoErr(os.WriteFile(filepath.Join(first.Home, clusterName, "postmaster.pid"), []byte(stale), 0o600))
		again := start(t, Config{DataDir: dir})
		is.NoErr(Ping(t.Context(), again.AdminURL))
	})

	t.Run("Should start over an initdb that was interrupted", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		dir := reachableDir(t)
		half := filepath.Join(dir, "cluster", clusterName+".new")
		is.NoErr(os.MkdirAll(half, 0o700))
		is.NoErr(os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("15\n"), 0o600))
		is.NoErr(Ping(t.Context(), start(t, Config{DataDir: dir}).AdminURL))
	})

	t.Run("Should refuse a data directory that is in use", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		dir := reachableDir(t)
		start(t, Config{DataDir: dir})
		_, err := Start(t.Context(), Config{DataDir: dir})
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", os.Getpid())))
	})

	t.Run("Should refuse a port that is taken", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		is.NoErr(err)
		defer func() { _ = listener.Close() }()
		port := listener.Addr().(*net.TCPAddr).Port
		_, err = Start(t.Context(), Config{DataDir: reachableDir(t), Port: port, Fast: true})
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), fmt.Sprintf("port %d on 127.0.0.1 is taken", port)))
	})

	t.Run("Should refuse to listen beyond this machine", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, err := Start(t.Context(), Config{DataDir: t.TempDir(), Listen: "0.0.0.0"})
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), "not a loopback address"))
	})

	t.Run("Should ask for a password and keep it private", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		dir := reachableDir(t)
		server := start(t, Config{DataDir: dir})
		is.Equal(query(t, server.AdminURL, "SHOW password_encryption"), "scram-sha-256")
		is.Equal(query(t, server.AdminURL, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'"), "0")
		info, err := os.Stat(filepath.Join(dir, passwordName))
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), os.FileMode(0o600))
	})
}

// TestStartAsRoot is about what only root can do. An ordinary user's way is what all other tests go, run as one.
func TestStartAsRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}

	t.Run("Should run Postgres as another user", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		server := start(t, Config{DataDir: reachableDir(t)})
		info, err := os.Stat(fmt.Sprintf("/proc/%d", server.PID()))
		is.NoErr(err)
		is.True(info.Sys().(*syscall.Stat_t).Uid != 0)
	})

	t.Run("Should work below a directory that user may not enter", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		closed := reachableDir(t)
		is.NoErr(os.Chmod(closed, 0o700))
		dir := filepath.Join(closed, "data")
		t.Cleanup(func() { _ = os.RemoveAll(fallbackHome(dir)) })
		first := start(t, Config{DataDir: dir})
		query(t, first.AdminURL, "CREATE TABLE kept AS SELECT 42 AS n")
		first.Stop()
		again := start(t, Config{DataDir: dir})
		is.Equal(again.Home, first.Home)
		is.Equal(query(t, again.AdminURL, "SELECT n FROM kept"), "42")
	})

	t.Run("Should also work for an ordinary user", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		const nobody = 65534
		dir := reachableDir(t)
		is.NoErr(os.Chown(dir, nobody, nobody))
		holder := holdPostgres(t, filepath.Join(dir, "data"), &syscall.Credential{Uid: nobody, Gid: nobody})
		is.Equal(query(t, holder.url, "SELECT 42"), "42")
		holder.kill(t)

		// Root meets the data of an ordinary user: it stays theirs.
		server := start(t, Config{DataDir: filepath.Join(dir, "data")})
		info, err := os.Stat(filepath.Join(server.Home, clusterName))
		is.NoErr(err)
		is.Equal(info.Sys().(*syscall.Stat_t).Uid, uint32(nobody))
	})
}

func TestSupervisorKilled(t *testing.T) {
	t.Run("Should take Postgres with it and leave data that the next start can use", func(t *testing.T) {
		is := is.New(t)
		dir := reachableDir(t)
		holder := holdPostgres(t, dir, nil)
		query(t, holder.url, "CREATE TABLE kept AS SELECT 42 AS n")
		holder.kill(t)
		// No wait: the next start has to cope with a Postgres that is still on its way out.
		server := start(t, Config{DataDir: dir})
		is.True(!isPostmaster(holder.postmaster, filepath.Join(server.Home, clusterName)))
		is.Equal(query(t, server.AdminURL, "SELECT n FROM kept"), "42")
	})
}

// holder is another process that supervises a Postgres.
type holder struct {
	command    *exec.Cmd
	postmaster int
	url        string
}

func holdPostgres(t *testing.T, dataDir string, as *syscall.Credential) *holder {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(reachableDir(t), "supervisor")
	copyProgram(t, self, binary)
	command := exec.Command(binary, holdArgument, dataDir)
	command.Dir = "/"
	command.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	h := &holder{command: command}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	if _, err := fmt.Fscanln(output, &h.postmaster, &h.url); err != nil {
		t.Fatalf("the supervisor announced nothing: %v", err)
	}
	return h
}

func (h *holder) kill(t *testing.T) {
	t.Helper()
	if err := h.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = h.command.Wait()
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	program, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeProgram(t, to, program)
}

// writeProgram writes what is run afterwards. No other test starts a process meanwhile: until that one runs its own
// program it would have this file open for writing, too, and nobody can run a file that somebody writes.
func writeProgram(t *testing.T, path string, program []byte) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
}
