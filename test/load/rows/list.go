package rows

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/test/harness"
	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

// listed is how many users a page holds.
const listed = 50

// list reads a page of an organization's users: as the product does it, within the
// organization's scope and under row-level security, and by the same SQL of a role
// that no policy binds. Beside it the product does so in a database with a hundredth
// of the organizations, of the same size each.
var list = bench.Comparison{
	Rows: []bench.Row{
		{Name: "list", Target: 1.6, Direction: bench.AtMost},
		{Name: "list-tenants", Target: 1.1, Direction: bench.AtMost},
	},
	Measure: func(t *bench.T) []float64 {
		orgs, each := 10_000, 1_000
		if t.Short {
			orgs, each = 200, 100
		}
		many, few := harness.Postgres(t).Database(t), harness.Postgres(t).Database(t)
		all, some := populate(t, many, orgs), populate(t, few, orgs/100)
		all.addUsers(t, each)
		some.addUsers(t, each)
		series := bench.Interleave(t,
			listSide(t, "bulkhead", all.orgs, ofStore(t, many)),
			listSide(t, "pgx without policies", all.orgs, ofRoleUnbound(t, many)),
			listSide(t, "bulkhead, few tenants", some.orgs, ofStore(t, few)),
		)
		return []float64{bench.Ratio(t, "ms", series[0], series[1]), bench.Ratio(t, "ms", series[0], series[2])}
	},
}

// lister reads a page of an organization's users, and returns how many those are.
type lister func(ctx context.Context, o id.Org) (int, error)

// listSide reads pages of organizations.
func listSide(t *bench.T, name string, orgs []id.Org, read lister) bench.Side {
	return drawn(t, name, len(orgs), func(ctx context.Context, i int) error {
		n, err := read(ctx, orgs[i])
		if err == nil && n != listed {
			err = fmt.Errorf("%d users", n)
		}
		return err
	})
}

// ofStore reads as the product does.
func ofStore(t *bench.T, d harness.Database) lister {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	var store ports.Store = postgres.NewStore(db)
	return func(ctx context.Context, o id.Org) (int, error) {
		users, err := store.Reads(o).Users(ctx, user.Filter{}, page.Request{Limit: listed})
		return len(users.Items), err
	}
}

// listSQL is the product's own statement.
const listSQL = `
SELECT u.org_id, u.id, u.email, u.name, u.role, u.state, u.version, u.created_at, u.updated_at, u.kind, u.state_reason, u.role_id,
       r.name AS role_name, r.permissions AS role_permissions
FROM users u LEFT JOIN roles r ON r.org_id = u.org_id AND r.id = u.role_id
WHERE u.org_id = $1 AND u.id > $2
  AND (CASE $3::text WHEN '' THEN u.state <> 'removed' ELSE u.state = $3::text END)
  AND ($4::text = '' OR u.kind = $4::text)
  AND ($5::text = '' OR u.role = $5::text OR r.name = $5::text)
  AND ($6::text = '' OR starts_with(u.email, $6::text))
ORDER BY u.id LIMIT $7`

// row is what listSQL returns.
type row struct {
	OrgID, ID            uuid.UUID
	Email                *string
	Name, Role, State    string
	Version              int64
	CreatedAt, UpdatedAt time.Time
	Kind, StateReason    string
	RoleID               uuid.NullUUID
	RoleName             *string
	RolePermissions      []string
}

// ofRoleUnbound reads as a superuser, whom no policy binds, and who needs no scope.
func ofRoleUnbound(t *bench.T, d harness.Database) lister {
	t.Helper()
	conn := connect(t, d.AdminURL)
	return func(ctx context.Context, o id.Org) (int, error) {
		rows, err := conn.Query(ctx, listSQL, o.UUID(), uuid.Nil, "", "", "", "", listed+1) // one more tells whether there are more
		if err != nil {
			return 0, err
		}
		users, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
		return min(len(users), listed), err
	}
}
