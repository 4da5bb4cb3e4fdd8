// Package postgres runs a real Postgres server as a child process, with its data in a directory of ours.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/datadir"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/netport"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/process"
)

const (
	superuser    = "postgres"
	startTimeout = 60 * time.Second // a crash recovery takes the longest
	stopGrace    = 10 * time.Second
	portAttempts = 3
)

// Config says which server to run. DataDir is required, every other field has a usable zero value.
type Config struct {
	DataDir    string
	Listen     string       // a loopback address, 127.0.0.1 when empty
	Port       int          // a free port when 0
	BinDir     string       // look nowhere else for Postgres
	Repository string       // where to download Postgres from when there is none, instead of the public one
	Fast       bool         // do not wait for the disk: survives a crash of Postgres, not of the machine
	LogPath    string       // postgres.log in DataDir when empty
	Note       func(string) // is told what takes long or is unusual

	folders []string // where packages install Postgres; a test looks elsewhere
}

// Server is a running Postgres.
type Server struct {
	AdminURL string
	Port     int
	Release  Release
	BinDir   string
	Home     string // where the database files are

	lock    *datadir.Lock
	log     *process.Log
	process *process.Process
}

// Start starts Postgres and returns when it accepts connections. The data directory is created when it is empty and
// reused when it is not.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Server{}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if s.lock, err = datadir.Acquire(cfg.DataDir); err != nil {
		return nil, err
	}
	installation, err := locate(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s.BinDir, s.Release = installation.BinDir, installation.Release
	home, err := settle(ctx, cfg.DataDir, filepath.Join(s.BinDir, "postgres"))
	if err != nil {
		return nil, err
	}
	s.Home = home.dir
	if home.fallback {
		cfg.Note(fmt.Sprintf("Postgres runs as user %s, who may not enter %s: its files are in %s", home.account.Name, cfg.DataDir, home.dir))
	}
	if s.log, err = process.OpenLog(cfg.LogPath); err != nil {
		return nil, err
	}
	password, err := s.ensureCluster(ctx, cfg, home)
	if err != nil {
		return nil, err
	}
	if err := clearLeftover(ctx, filepath.Join(home.dir, clusterName), cfg.Note); err != nil {
		return nil, err
	}
	if err := s.listen(ctx, cfg, home, password); err != nil {
		return nil, err
	}
	return s, nil
}

func (cfg *Config) complete() error {
	dataDir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	cfg.DataDir = dataDir
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1"
	}
	if ip := net.ParseIP(cfg.Listen); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("--listen %s is not a loopback address: this server is for its own machine only", cfg.Listen)
	}
	if cfg.LogPath == "" {
		cfg.LogPath = filepath.Join(cfg.DataDir, "postgres.log")
	}
	if cfg.folders == nil {
		cfg.folders = installFolders
	}
	if cfg.Note == nil {
		cfg.Note = func(string) {}
	}
	return nil
}

// listen starts the server on the wanted port. A free port may be taken by somebody else before Postgres gets to it;
// then the next one is tried.
func (s *Server) listen(ctx context.Context, cfg Config, home home, password string) error {
	if cfg.Port != 0 {
		if !netport.Available(cfg.Listen, cfg.Port) {
			return fmt.Errorf("port %d on %s is taken: stop what listens there, or choose another --port (0 takes a free one)", cfg.Port, cfg.Listen)
		}
		return s.launchPatiently(ctx, cfg, home, password, cfg.Port)
	}
	var lost error
	for range portAttempts {
		ports, err := netport.Free(ctx, cfg.Listen, 1)
		if err != nil {
			return err
		}
		lost = s.launchPatiently(ctx, cfg, home, password, ports[0])
		if lost == nil || netport.Available(cfg.Listen, ports[0]) {
			return lost
		}
	}
	return lost
}

// launchPatiently repeats the launch for as long as the sessions of a killed postmaster take to end.
func (s *Server) launchPatiently(ctx context.Context, cfg Config, home home, password string, port int) error {
	patience := time.NewTimer(stopGrace)
	defer patience.Stop()
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for {
		err := s.launch(ctx, cfg, home, password, port)
		if !sessionsRemain(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-patience.C:
			return err
		case <-pause.C:
		}
	}
}

func (s *Server) launch(ctx context.Context, cfg Config, home home, password string, port int) error {
	child, err := process.Start(process.Command{
		Name: "postgres", Path: filepath.Join(s.BinDir, "postgres"), Args: arguments(cfg, home, port),
		Env: environment(), Dir: home.dir, Log: s.log, Account: home.account,
		StopSignals: []syscall.Signal{fastShutdown, immediateShutdown},
		DeathSignal: immediateShutdown,
	})
	if err != nil {
		return err
	}
	s.process, s.Port = child, port
	s.AdminURL = (&url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, password),
		Host: netport.Address(cfg.Listen, port), Path: "/postgres", RawQuery: "sslmode=disable",
	}).String()

	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("postgres accepts no connections after %v, see %s", startTimeout, cfg.LogPath))
	defer cancel()
	if err := waitReady(ctx, s.AdminURL, child); err != nil {
		child.Stop(stopGrace)
		return err
	}
	return nil
}

// Postgres gives signals a meaning of its own: SIGINT ends sessions and writes everything out, SIGQUIT ends at once and
// leaves recovery to the next start. SIGTERM would wait for clients to leave by themselves.
const (
	fastShutdown      = syscall.SIGINT
	immediateShutdown = syscall.SIGQUIT
)

func arguments(cfg Config, home home, port int) []string {
	args := []string{
		"-D", filepath.Join(home.dir, clusterName),
		"-p", strconv.Itoa(port),
		"-c", "listen_addresses=" + cfg.Listen,
		"-c", "unix_socket_directories=", // TCP only: the path of a socket is limited to about 100 bytes
		"-c", "max_connections=300", // a test run opens many small pools
		"-c", "log_timezone=UTC",
		"-c", "logging_collector=off",
	}
	if cfg.Fast {
		args = append(args, "-c", "fsync=off")
	}
	return args
}

// environment is all that Postgres's programs need. A fixed locale keeps their messages and sort order the same on
// every machine.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}

func waitReady(ctx context.Context, adminURL string, child *process.Process) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := Ping(ctx, adminURL)
		if err == nil {
			return nil
		}
		if refused := new(pgconn.PgError); errors.As(err, &refused) && refused.Code != cannotConnectNow {
			return fmt.Errorf("postgres runs but refuses its superuser: %w", err)
		}
		select {
		case <-child.Done():
			return child.Failure()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// cannotConnectNow is the SQLSTATE of a server that is starting, recovering or stopping.
const cannotConnectNow = "57P03"

// Ping connects once.
func Ping(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	connection, err := pgconn.Connect(ctx, url)
	if err != nil {
		return err
	}
	return connection.Close(ctx)
}

// PID is the process id of the postmaster.
func (s *Server) PID() int { return s.process.PID() }

// Done is closed when Postgres has ended.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Failure describes an unexpected end; it may only be called after Done.
func (s *Server) Failure() error { return s.process.Failure() }

// Stop ends every session, writes the data out and gives the data directory up.
func (s *Server) Stop() {
	s.process.Stop(stopGrace)
	s.release()
}

func (s *Server) release() {
	_ = s.log.Close()
	if s.lock != nil {
		s.lock.Release()
	}
}
