package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// leastMinor is the first minor release of each supported major version in which
// row-level security holds (CVE-2024-10976, CVE-2025-8713).
var leastMinor = map[int]int{15: 14, 16: 10, 17: 6}

// The major versions that leastMinor bounds: older ones have no such release,
// newer ones never lacked it.
const (
	oldestMajor = 15
	newestMajor = 17
)

// CheckServer fails when the database can not keep organizations apart: when
// the server is too old, or when one of our roles is above row-level security,
// as superusers, roles with BYPASSRLS and owners of tables are. It fails with
// fault.ErrUnavailable when the database is away, which says nothing yet.
func (db *DB) CheckServer(ctx context.Context) error {
	for _, pool := range []*pgxpool.Pool{db.app, db.auth} {
		if err := checkServer(ctx, pool); err != nil {
			return err
		}
	}
	return nil
}

// powers asks what the role is, or can become by SET ROLE. Postgres counts a
// superuser as a member of every role.
const powers = `
SELECT current_setting('server_version_num')::int, current_user,
       coalesce(bool_or(r.rolsuper), false),
       coalesce(bool_or(r.rolbypassrls), false),
       EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
                 AND pg_has_role(current_user, c.relowner, 'MEMBER'))
FROM pg_roles r
WHERE pg_has_role(current_user, r.oid, 'MEMBER')`

func checkServer(ctx context.Context, pool *pgxpool.Pool) error {
	var version int
	var role string
	var super, bypass, owner bool
	err := guarded{pool}.QueryRow(ctx, powers).Scan(&version, &role, &super, &bypass, &owner)
	if err != nil {
		return fmt.Errorf("check the database server: %w", err)
	}
	if err := checkVersion(version); err != nil {
		return err
	}
	switch {
	case super:
		return fmt.Errorf("database role %q is a superuser, or can become one: row-level security does not bind it; use the role that was made for this", role)
	case bypass:
		return fmt.Errorf("database role %q has BYPASSRLS, or can become a role that has: row-level security does not bind it", role)
	case owner:
		return fmt.Errorf("database role %q owns tables, or can become their owner: it could switch row-level security off", role)
	}
	return nil
}

// checkVersion takes Postgres' number for its version, such as 150014 for 15.14.
func checkVersion(number int) error {
	major, minor := number/10000, number%10000
	if major > newestMajor || (major >= oldestMajor && minor >= leastMinor[major]) {
		return nil
	}
	return fmt.Errorf("the database server is Postgres %d.%d, which has known holes in row-level security: 15.14, 16.10, 17.6 or later is needed", major, minor)
}
