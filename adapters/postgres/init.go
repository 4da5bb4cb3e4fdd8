package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// The roles. Their names are fixed, as the migrations grant to them.
const (
	RoleOwner = "bulkhead_owner" // owns the tables; migrations
	RoleApp   = "bulkhead_app"   // the server and the workers, bound by row-level security
	RoleAuth  = "bulkhead_auth"  // authentication, a few columns of three tables
	RoleDump  = "bulkhead_dump"  // backups, reads everything
)

// RoleURLs are the connection strings of the roles, for one database. Init
// gives the roles the passwords that stand in them. A role whose URL has no
// password keeps the one it has.
type RoleURLs struct {
	Owner, App, Auth, Dump string
}

// loginRole is what Init makes of a role.
type loginRole struct {
	name     string
	password string
	// attributes bind what the role is, whatever it was before.
	attributes string
	// settings are the defaults of its sessions. They are the server's, so that they
	// hold behind a pooler too, which would drop or refuse a client's.
	settings []string
}

// searchPath keeps names from meaning something else: temporary tables, which
// are looked at first otherwise, come last.
const searchPath = "search_path = public, pg_temp"

// initLock is the number of the advisory lock that Inits take turns with. It is
// arbitrary, and nobody else's.
const initLock = 0x62686b5f696e6974

// Init makes the roles and the database, or brings them to what they should be.
// It is for a superuser's adminURL, which names another database of the server,
// the same one for all who run it, such as postgres. It may be repeated, and run
// by several at once. The schema is the Migrator's.
//
// Passwords never leave the process: the server is sent what it would store.
func Init(ctx context.Context, adminURL string, urls RoleURLs) error {
	admin, err := connectConfig(adminURL, "bulkhead init")
	if err != nil {
		return fmt.Errorf("database URL of the administrator: %w", err)
	}
	database, roles, err := urls.read()
	if err != nil {
		return err
	}
	if err := initServer(ctx, admin, database, roles); err != nil {
		return err
	}
	admin = admin.Copy()
	admin.Database = database
	return initDatabase(ctx, admin)
}

// read takes the roles' passwords and the database's name from the URLs.
func (u RoleURLs) read() (database string, roles []loginRole, err error) {
	const bound = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
	timeouts := []string{"idle_in_transaction_session_timeout = '15s'", "lock_timeout = '5s'", searchPath}
	wanted := []struct {
		url  string
		role loginRole
	}{
		// An owner who is bound by row-level security would quietly migrate no row;
		// so it fails loudly.
		{u.Owner, loginRole{name: RoleOwner, attributes: bound, settings: []string{"row_security = off", searchPath}}},
		{u.App, loginRole{name: RoleApp, attributes: bound, settings: append([]string{"statement_timeout = '15s'"}, timeouts...)}},
		{u.Auth, loginRole{name: RoleAuth, attributes: bound, settings: append([]string{"statement_timeout = '5s'"}, timeouts...)}},
		{u.Dump, loginRole{name: RoleDump, attributes: strings.Replace(bound, "NOBYPASSRLS", "BYPASSRLS", 1), settings: []string{searchPath}}},
	}
	for _, w := range wanted {
		cfg, err := connectConfig(w.url, "")
		if err != nil {
			return "", nil, fmt.Errorf("database URL of %s: %w", w.role.name, err)
		}
		if cfg.User != w.role.name {
			return "", nil, fmt.Errorf("the database URL of %s names the user %q: the names of the roles are fixed", w.role.name, cfg.User)
		}
		if database != "" && cfg.Database != database {
			return "", nil, fmt.Errorf("the database URLs name two databases: %q and %q", database, cfg.Database)
		}
		database, w.role.password = cfg.Database, cfg.Password
		roles = append(roles, w.role)
	}
	if slices.Contains([]string{"", "postgres", "template0", "template1"}, database) {
		return "", nil, errors.New("the database URLs must name a database of Bulkhead's own")
	}
	return database, roles, nil
}

// initServer does what concerns all databases: the roles, and that ours exists.
func initServer(ctx context.Context, admin *pgx.ConnConfig, database string, roles []loginRole) error {
	conn, err := pgx.ConnectConfig(ctx, admin.Copy())
	if err != nil {
		return fmt.Errorf("connect as the administrator: %w", translate(ctx, err))
	}
	defer closeConn(ctx, conn) // which releases the lock
	if err := run(ctx, conn, fmt.Sprintf("SELECT pg_advisory_lock(%d)", int64(initLock))); err != nil {
		return fmt.Errorf("wait for another initialization to end: %w", err)
	}
	for _, r := range roles {
		if err := r.apply(ctx, conn); err != nil {
			return fmt.Errorf("role %s: %w", r.name, err)
		}
	}
	if err := createDatabase(ctx, conn, database); err != nil {
		return fmt.Errorf("database %s: %w", database, err)
	}
	return nil
}

// apply makes the role, or makes it what it should be.
func (r loginRole) apply(ctx context.Context, conn *pgx.Conn) error {
	name := quoted(r.name)
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", r.name).Scan(&exists); err != nil {
		return translate(ctx, err)
	}
	statements := make([]string, 0, 3+len(r.settings))
	if !exists {
		statements = append(statements, "CREATE ROLE "+name)
	}
	statements = append(statements, "ALTER ROLE "+name+" WITH "+r.attributes)
	if r.password != "" {
		verifier, err := scramVerifier(r.password)
		if err != nil {
			return err
		}
		statements = append(statements, "ALTER ROLE "+name+" PASSWORD '"+verifier+"'")
	}
	for _, setting := range r.settings {
		statements = append(statements, "ALTER ROLE "+name+" SET "+setting)
	}
	return run(ctx, conn, statements...)
}

func createDatabase(ctx context.Context, conn *pgx.Conn, database string) error {
	name := quoted(database)
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).Scan(&exists); err != nil {
		return translate(ctx, err)
	}
	if !exists {
		// The C locale orders the same on every machine: an index never depends on the
		// version of a system library.
		err := run(ctx, conn, "CREATE DATABASE "+name+" OWNER "+RoleOwner+" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
		if err != nil {
			return err
		}
	}
	return run(
		ctx, conn,
		"ALTER DATABASE "+name+" OWNER TO "+RoleOwner,
		"REVOKE ALL ON DATABASE "+name+" FROM PUBLIC", // CONNECT, and TEMP with it
		"REVOKE ALL ON DATABASE "+name+" FROM "+strings.Join([]string{RoleApp, RoleAuth, RoleDump}, ", "),
		"GRANT CONNECT ON DATABASE "+name+" TO "+strings.Join([]string{RoleOwner, RoleApp, RoleAuth, RoleDump}, ", "),
	)
}

// withoutLargeObjects takes from everybody the functions of large objects: those
// belong to no table, so that no policy stands between the tenants in them. Only
// who owns the functions can, a superuser; others find them in the catalog gate.
const withoutLargeObjects = `DO $$
DECLARE f regprocedure;
BEGIN
	FOR f IN SELECT p.oid FROM pg_proc p
		WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^(lo_|lo(read|write)$)' AND pg_has_role(p.proowner, 'USAGE')
		AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0))
	LOOP
		EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
	END LOOP;
END $$`

// initDatabase does what concerns the inside of our database.
func initDatabase(ctx context.Context, admin *pgx.ConnConfig) error {
	conn, err := pgx.ConnectConfig(ctx, admin)
	if err != nil {
		return fmt.Errorf("connect to database %s: %w", admin.Database, translate(ctx, err))
	}
	defer closeConn(ctx, conn)
	others := strings.Join([]string{RoleApp, RoleAuth, RoleDump}, ", ")
	err = run(
		ctx, conn,
		// In its own transaction, for several may get here at once.
		"BEGIN",
		fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", int64(initLock)),
		"REVOKE ALL ON SCHEMA public FROM PUBLIC, "+others,
		"GRANT USAGE ON SCHEMA public TO "+others,
		"GRANT USAGE, CREATE ON SCHEMA public TO "+RoleOwner,
		// A function runs with the rights of who calls it, at best: nobody calls one
		// that a migration did not grant.
		"ALTER DEFAULT PRIVILEGES FOR ROLE "+RoleOwner+" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
		// A backup is whole or worthless: a table that a migration forgets to grant,
		// or that tern makes for itself, is in it.
		"ALTER DEFAULT PRIVILEGES FOR ROLE "+RoleOwner+" IN SCHEMA public GRANT SELECT ON TABLES TO "+RoleDump,
		"ALTER DEFAULT PRIVILEGES FOR ROLE "+RoleOwner+" IN SCHEMA public GRANT SELECT ON SEQUENCES TO "+RoleDump,
		withoutLargeObjects,
		"COMMIT",
	)
	if err != nil {
		return fmt.Errorf("privileges in database %s: %w", admin.Database, err)
	}
	return nil
}

func run(ctx context.Context, conn *pgx.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return translate(ctx, err)
		}
	}
	return nil
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
