package harness

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
)

const (
	databaseTimeout = time.Minute
	templateName    = "bulkhead_template"

	// rolePassword is the same for all databases, as roles belong to the server.
	rolePassword = "test-password"
)

// PostgresServer is a Postgres server that lives as long as the test process.
type PostgresServer struct {
	adminURL string
	pid      int
	logPath  string
	process  *program

	template    sync.Once
	templateErr error
	next        atomic.Int64
	mu          sync.Mutex // CREATE DATABASE needs its template for itself
}

// Database is one fresh, migrated database and how to reach it as each role.
type Database struct {
	Name      string
	AdminURL  string // a superuser
	OwnerURL  string
	AppURL    string
	AuthURL   string
	DumpURL   string
	ServerURL string // a superuser, in the server's own database
}

// sharedPostgres is the one server of the test process.
var sharedPostgres = sync.OnceValues(startPostgres)

// Postgres returns the server that all tests of the process share. It ends with
// the process, however that ends.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	s, err := sharedPostgres()
	if err != nil {
		t.Fatalf("start Postgres: %v", err)
	}
	return s
}

// NewPostgres starts a server of the test's own, for tests that change what
// belongs to a server as a whole. It ends with the test.
func NewPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	s, err := startPostgres()
	if err != nil {
		t.Fatalf("start Postgres: %v", err)
	}
	t.Cleanup(s.process.stop)
	return s
}

// PID is the process id of the server.
func (s *PostgresServer) PID() int { return s.pid }

// LogPath is where the server logs.
func (s *PostgresServer) LogPath() string { return s.logPath }

// AdminURL is a superuser's, in the server's own database.
func (s *PostgresServer) AdminURL() string { return s.adminURL }

// URLs returns how to reach a database of the server, whether it exists or not.
func (s *PostgresServer) URLs(name string) Database {
	return Database{
		Name:      name,
		AdminURL:  s.url(name, nil),
		OwnerURL:  s.url(name, url.UserPassword(postgres.RoleOwner, rolePassword)),
		AppURL:    s.url(name, url.UserPassword(postgres.RoleApp, rolePassword)),
		AuthURL:   s.url(name, url.UserPassword(postgres.RoleAuth, rolePassword)),
		DumpURL:   s.url(name, url.UserPassword(postgres.RoleDump, rolePassword)),
		ServerURL: s.adminURL,
	}
}

// Roles returns the URLs in the form that postgres.Init takes.
func (d Database) Roles() postgres.RoleURLs {
	return postgres.RoleURLs{Owner: d.OwnerURL, App: d.AppURL, Auth: d.AuthURL, Dump: d.DumpURL}
}

// Database returns a fresh, migrated database, which is dropped after the test.
// It is a copy of a template, so that the migrations run once a process.
func (s *PostgresServer) Database(t testing.TB) Database {
	t.Helper()
	s.template.Do(func() { s.templateErr = s.makeTemplate() })
	if s.templateErr != nil {
		t.Fatalf("make the template database: %v", s.templateErr)
	}
	d := s.URLs(s.freshName())
	if err := s.copyTemplate(d); err != nil {
		t.Fatalf("make database %s: %v", d.Name, err)
	}
	t.Cleanup(func() { s.drop(t, d.Name) })
	return d
}

// Empty returns the URLs of a database that does not exist, which is dropped
// after the test if it does by then.
func (s *PostgresServer) Empty(t testing.TB) Database {
	t.Helper()
	d := s.URLs(s.freshName())
	t.Cleanup(func() { s.drop(t, d.Name) })
	return d
}

// Unmigrated returns a fresh database with its roles and without a schema, which
// is dropped after the test.
func (s *PostgresServer) Unmigrated(t testing.TB) Database {
	t.Helper()
	d := s.Empty(t)
	if err := postgres.Init(t.Context(), s.adminURL, d.Roles()); err != nil {
		t.Fatalf("make database %s: %v", d.Name, err)
	}
	return d
}

func (s *PostgresServer) freshName() string {
	return "bulkhead_test_" + strconv.FormatInt(s.next.Add(1), 10)
}

func (s *PostgresServer) makeTemplate() error {
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	d := s.URLs(templateName)
	if err := postgres.Init(ctx, s.adminURL, d.Roles()); err != nil {
		return err
	}
	migrator, err := postgres.NewMigrator(d.OwnerURL)
	if err != nil {
		return err
	}
	return migrator.Up(ctx)
}

// copyTemplate runs Init on the copy as well: a database's own privileges are
// not copied.
func (s *PostgresServer) copyTemplate(d Database) error {
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	create := fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s OWNER %s", d.Name, templateName, postgres.RoleOwner)
	if err := s.admin(ctx, create); err != nil {
		return err
	}
	return postgres.Init(ctx, s.adminURL, d.Roles())
}

func (s *PostgresServer) drop(t testing.TB, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	if err := s.admin(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		t.Errorf("drop database %s: %v", name, err)
	}
}

func (s *PostgresServer) admin(ctx context.Context, statement string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn, err := pgx.Connect(ctx, s.adminURL)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

func (s *PostgresServer) url(database string, user *url.Userinfo) string {
	u, err := url.Parse(s.adminURL)
	if err != nil {
		panic(err) // startPostgres has parsed it
	}
	u.Path = "/" + database
	if user != nil {
		u.User = user
	}
	return u.String()
}

// startPostgres starts a server whose data is removed with this process.
func startPostgres() (*PostgresServer, error) {
	dir, err := os.MkdirTemp("", "bulkhead-postgres-")
	if err != nil {
		return nil, err
	}
	// Run by root, Postgres works as another user, who must get to its files.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, err
	}
	var ready struct {
		AdminURL string `json:"admin_url"`
		PID      int    `json:"pid"`
	}
	data := filepath.Join(dir, "data")
	p, err := startProgram(&ready, dir, "bulkhead-dev", "postgres", "--data-dir", data, "--fast", "--exit-with-stdin")
	if err != nil {
		return nil, err
	}
	return &PostgresServer{
		adminURL: ready.AdminURL, pid: ready.PID, logPath: filepath.Join(data, "postgres.log"), process: p,
	}, nil
}
