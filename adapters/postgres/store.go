package postgres

import (
	"context"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Store is the database as the tenants' work sees it.
type Store struct{ db *DB }

var _ ports.Store = (*Store)(nil)

// NewStore returns the store of a database.
func NewStore(db *DB) *Store { return &Store{db} }

// Reads implements ports.Store. Each read is one round trip.
func (s *Store) Reads(o id.Org) ports.Reads {
	return reads{org: o.UUID(), db: s.db.reading(orgScope(o))}
}

// WriteTx implements ports.Store. What fn is the victim of, a deadlock or a
// serialization failure, makes it run again, up to six times in all.
func (s *Store) WriteTx(ctx context.Context, o id.Org, fn func(ctx context.Context, tx ports.Tx) error) error {
	touches := false
	defer func() {
		if touches { // whatever became of it: of a commit that failed, nobody may know
			s.db.writes.add(o)
		}
	}()
	return s.db.transact(ctx, orgScope(o), claimed(func(ctx context.Context, tx *work, about *noted) error {
		w := writer{org: o, tx: tx, later: tx.later, touches: &touches}
		trail := &auditWriter{writer: w}
		err := fn(ctx, ports.Tx{
			Orgs: orgWriter{w}, Users: userWriter{w}, Roles: roleWriter{w}, APIKeys: apiKeyWriter{w},
			Operations: operationWriter{w}, Schedules: scheduleWriter{w}, Dispatches: dispatchWriter{w}, Audit: noting(trail, about), Outbox: outboxWriter{w},
		})
		if err != nil {
			return err
		}
		return trail.flush(ctx)
	}))
}

// reads are the reads of one organization.
type reads struct {
	org uuid.UUID
	db  dbsqlc.DBTX
}

func (r reads) Org(ctx context.Context) (org.Org, error) {
	row, err := queries.OrgGet(ctx, r.db, r.org)
	return one(row, err, toOrg)
}

func (r reads) OrgCounts(ctx context.Context) (org.Counts, error) {
	row, err := queries.OrgCounts(ctx, r.db, r.org)
	return one(row, err, toCounts)
}

func toCounts(row *dbsqlc.OrgCountsRow) (org.Counts, error) {
	return org.Counts{Members: int(row.Members), APIKeys: int(row.APIKeys), Schedules: int(row.Schedules)}, nil
}

func (r reads) User(ctx context.Context, u id.User) (user.User, error) {
	row, err := queries.UserGet(ctx, r.db, &dbsqlc.UserGetParams{OrgID: r.org, ID: u.UUID()})
	return one(row, err, func(r *dbsqlc.UserGetRow) (user.User, error) { return toUser(&r.User, r.RoleName, r.RolePermissions) })
}

func (r reads) Users(ctx context.Context, f user.Filter, q page.Request) (page.Page[user.User], error) {
	rows, err := queries.UserList(ctx, r.db, &dbsqlc.UserListParams{
		OrgID: r.org, State: f.State.String(), Kind: f.Kind.String(), Role: f.Role, EmailPrefix: f.EmailPrefix, After: q.After, MaxRows: maxRows(q),
	})
	convert := func(r *dbsqlc.UserListRow) (user.User, error) { return toUser(&r.User, r.RoleName, r.RolePermissions) }
	return cut(rows, err, convert, q, func(u user.User) uuid.UUID { return u.ID().UUID() })
}

func (r reads) Role(ctx context.Context, i id.Role) (role.Role, error) {
	row, err := queries.RoleGet(ctx, r.db, &dbsqlc.RoleGetParams{OrgID: r.org, ID: i.UUID()})
	return one(row, err, toRole)
}

func (r reads) RoleByName(ctx context.Context, name string) (role.Role, error) {
	row, err := queries.RoleGetByName(ctx, r.db, &dbsqlc.RoleGetByNameParams{OrgID: r.org, Name: name})
	return one(row, err, toRole)
}

func (r reads) Roles(ctx context.Context, q page.Request) (page.Page[role.Role], error) {
	rows, err := queries.RoleList(ctx, r.db, &dbsqlc.RoleListParams{OrgID: r.org, After: q.After, MaxRows: maxRows(q)})
	return cut(rows, err, toRole, q, func(o role.Role) uuid.UUID { return o.Snapshot().ID.UUID() })
}

func (r reads) APIKey(ctx context.Context, k id.APIKey) (apikey.Key, error) {
	row, err := queries.APIKeyGet(ctx, r.db, &dbsqlc.APIKeyGetParams{OrgID: r.org, ID: k.UUID()})
	return one(row, err, getAPIKey)
}

func (r reads) APIKeys(ctx context.Context, f apikey.Filter, q page.Request) (page.Page[apikey.Key], error) {
	p := &dbsqlc.APIKeyListParams{OrgID: r.org, After: q.After, MaxRows: maxRows(q), UserID: nullable(f.UserID)}
	if state := f.State.String(); state != "" {
		p.State = &state
	}
	if !f.ExpiresSoonAt.IsZero() {
		p.ExpiresAfter, p.ExpiresUntil = storedOrNull(f.ExpiresSoonAt), storedOrNull(f.ExpiresSoonAt.Add(apikey.SoonWithin))
	}
	rows, err := queries.APIKeyList(ctx, r.db, p)
	return cut(rows, err, listedAPIKey, q, func(k apikey.Key) uuid.UUID { return k.Snapshot().ID.UUID() })
}

func (r reads) Operation(ctx context.Context, o id.Operation) (operation.Operation, error) {
	row, err := queries.OperationGet(ctx, r.db, &dbsqlc.OperationGetParams{OrgID: r.org, ID: o.UUID()})
	return one(row, err, toOperation)
}

func (r reads) OpenOperation(ctx context.Context, kinds []operation.Kind) (operation.Operation, error) {
	row, err := queries.OperationOpen(ctx, r.db, &dbsqlc.OperationOpenParams{OrgID: r.org, Kinds: kindNames(kinds)})
	return one(row, err, toOperation)
}

func (r reads) Operations(ctx context.Context, q page.Request) (page.Page[operation.Operation], error) {
	rows, err := queries.OperationList(ctx, r.db, &dbsqlc.OperationListParams{OrgID: r.org, After: q.After, MaxRows: maxRows(q)})
	return cut(rows, err, toOperation, q, func(o operation.Operation) uuid.UUID { return o.Snapshot().ID.UUID() })
}

// one converts the answer of a query for one row.
func one[R, T any](row *R, err error, convert func(*R) (T, error)) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return convert(row)
}

// cut converts the answer of a list query to a page.
func cut[R, T any](rows []*R, err error, convert func(*R) (T, error), q page.Request, key func(T) uuid.UUID) (page.Page[T], error) {
	if err != nil {
		return page.Page[T]{}, err
	}
	items, err := each(rows, convert)
	if err != nil {
		return page.Page[T]{}, err
	}
	return page.Cut(items, pageLength(q), key), nil
}

// pageLength is the length of the page that is asked for. Requests are made by
// page.NewRequest, which knows better bounds; this one only keeps the zero
// Request from being a page of nothing.
func pageLength(q page.Request) int {
	if q.Limit < 1 || q.Limit > page.MaxLimit {
		return page.DefaultLimit
	}
	return q.Limit
}

// maxRows is one more than the page holds: whether there is a next page costs
// no query of its own.
func maxRows(q page.Request) int32 { return int32(pageLength(q)) + 1 } //nolint:gosec // at most page.MaxLimit
