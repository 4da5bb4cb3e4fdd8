package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// writer is what the writers of all aggregates share: the transaction and its
// organization, and whether something changes that authentication reads.
type writer struct {
	org     id.Org
	tx      dbsqlc.DBTX
	later   dbsqlc.DBTX // for what needs no answer before the commit
	touches *bool
}

// own fails when what is to be stored says that it belongs to another
// organization. Row-level security would refuse it too; this says so in words.
func (w writer) own(o id.Org) error {
	if o != w.org || o.IsZero() {
		return fmt.Errorf("the transaction writes organization %s, not %s", w.org, o)
	}
	return nil
}

// changed fails when an update that follows a lock touched no row.
func changed(rows int64, err error) error {
	if err == nil && rows == 0 {
		return fault.ErrNotFound
	}
	return err
}

type orgWriter struct{ writer }

func (w orgWriter) Insert(ctx context.Context, o org.Org) error {
	if err := w.own(o.ID()); err != nil {
		return err
	}
	p, err := fromOrg(o.Snapshot())
	if err != nil {
		return err
	}
	return queries.OrgInsert(ctx, w.tx, p)
}

func (w orgWriter) Lock(ctx context.Context) (org.Org, error) {
	row, err := queries.OrgLock(ctx, w.tx, w.org.UUID())
	return one(row, err, toOrg)
}

func (w orgWriter) Counts(ctx context.Context) (org.Counts, error) {
	row, err := queries.OrgCounts(ctx, w.tx, w.org.UUID())
	return one(row, err, toCounts)
}

func (w orgWriter) Update(ctx context.Context, fn func(*org.Org) error) error {
	o, err := w.Lock(ctx)
	if err != nil {
		return err
	}
	if err := fn(&o); err != nil {
		return err
	}
	p, err := fromOrg(o.Snapshot())
	if err != nil {
		return err
	}
	*w.touches = true
	return changed(queries.OrgUpdate(ctx, w.tx, &dbsqlc.OrgUpdateParams{
		ID: w.org.UUID(), Slug: p.Slug, Name: p.Name, State: p.State, StateReason: p.StateReason,
		Metadata: p.Metadata, Settings: p.Settings, DeletionProtected: p.DeletionProtected, WorkerPool: p.WorkerPool,
		ActivatedAt: p.ActivatedAt, DeleteAfter: p.DeleteAfter, Limits: p.Limits, LimitsVersion: p.LimitsVersion, Version: p.Version, UpdatedAt: p.UpdatedAt,
	}))
}

func (w orgWriter) Purge(ctx context.Context, many int) (int64, error) {
	return queries.OrgPurge(ctx, w.tx, &dbsqlc.OrgPurgeParams{OrgID: w.org.UUID(), MaxRows: count(many)})
}

type userWriter struct{ writer }

func (w userWriter) Insert(ctx context.Context, u user.User) error {
	s := u.Snapshot()
	if err := w.own(s.OrgID); err != nil {
		return err
	}
	return queries.UserInsert(ctx, w.tx, fromUser(s))
}

func (w userWriter) Lock(ctx context.Context, u id.User) (user.User, error) {
	row, err := queries.UserLock(ctx, w.tx, &dbsqlc.UserLockParams{OrgID: w.org.UUID(), ID: u.UUID()})
	if err != nil {
		return user.User{}, err
	}
	return w.withRole(ctx, row, map[uuid.UUID]*dbsqlc.Role{})
}

// withRole adds the role to a user whose row is locked. It reads each role once.
func (w userWriter) withRole(ctx context.Context, row *dbsqlc.User, known map[uuid.UUID]*dbsqlc.Role) (user.User, error) {
	if !row.RoleID.Valid {
		return toUser(row, nil, nil)
	}
	custom := known[row.RoleID.UUID]
	if custom == nil {
		var err error
		if custom, err = queries.RoleGet(ctx, w.tx, &dbsqlc.RoleGetParams{OrgID: w.org.UUID(), ID: row.RoleID.UUID}); err != nil {
			return user.User{}, err
		}
		known[row.RoleID.UUID] = custom
	}
	return toUser(row, &custom.Name, custom.Permissions)
}

func (w userWriter) LockAll(ctx context.Context, ids []id.User) ([]user.User, error) {
	if _, err := queries.OrgLock(ctx, w.tx, w.org.UUID()); err != nil {
		return nil, err
	}
	wanted := make([]uuid.UUID, len(ids))
	for i := range ids {
		wanted[i] = ids[i].UUID()
	}
	rows, err := queries.UserLockAll(ctx, w.tx, &dbsqlc.UserLockAllParams{OrgID: w.org.UUID(), Ids: wanted})
	if err != nil {
		return nil, err
	}
	custom := map[uuid.UUID]*dbsqlc.Role{}
	return each(rows, func(row *dbsqlc.User) (user.User, error) { return w.withRole(ctx, row, custom) })
}

func (w userWriter) CountActive(ctx context.Context, r authz.Role) (int, error) {
	n, err := queries.UserCountActive(ctx, w.tx, &dbsqlc.UserCountActiveParams{OrgID: w.org.UUID(), Role: r.String()})
	return int(n), err
}

func (w userWriter) InsertAll(ctx context.Context, us []user.User) ([]id.User, error) {
	if len(us) == 0 {
		return nil, nil
	}
	p := dbsqlc.UserInsertAllParams{OrgID: w.org.UUID()}
	for i := range us {
		s := us[i].Snapshot()
		if err := w.own(s.OrgID); err != nil {
			return nil, err
		}
		role, roleID := fromRoleOf(s.Role)
		p.CreatedAt = stored(s.CreatedAt)
		p.Ids, p.Kinds, p.Emails = append(p.Ids, s.ID.UUID()), append(p.Kinds, s.Kind.String()), append(p.Emails, s.Email)
		p.Names, p.Roles, p.RoleIds = append(p.Names, s.Name), append(p.Roles, role), append(p.RoleIds, roleID.UUID)
	}
	inserted, err := queries.UserInsertAll(ctx, w.tx, &p)
	if err != nil {
		return nil, err
	}
	var taken []id.User
	for i := range us {
		if !slices.Contains(inserted, us[i].ID().UUID()) {
			taken = append(taken, us[i].ID())
		}
	}
	return taken, nil
}

func (w userWriter) UpdateAll(ctx context.Context, us []user.User) error {
	if len(us) == 0 {
		return nil
	}
	p := dbsqlc.UserUpdateAllParams{OrgID: w.org.UUID()}
	for i := range us {
		s := us[i].Snapshot()
		if err := w.own(s.OrgID); err != nil {
			return err
		}
		role, roleID := fromRoleOf(s.Role)
		p.Ids, p.Names, p.Roles, p.RoleIds = append(p.Ids, s.ID.UUID()), append(p.Names, s.Name), append(p.Roles, role), append(p.RoleIds, roleID.UUID)
		p.States, p.StateReasons = append(p.States, s.State.String()), append(p.StateReasons, s.Reason)
		p.Versions, p.UpdatedAts = append(p.Versions, s.Version), append(p.UpdatedAts, stored(s.UpdatedAt))
	}
	*w.touches = true
	rows, err := queries.UserUpdateAll(ctx, w.tx, &p)
	if err == nil && int(rows) != len(us) {
		return fault.ErrNotFound
	}
	return err
}

type roleWriter struct{ writer }

func (w roleWriter) Insert(ctx context.Context, r role.Role) error {
	s := r.Snapshot()
	if err := w.own(s.OrgID); err != nil {
		return err
	}
	return queries.RoleInsert(ctx, w.tx, fromRole(s))
}

func (w roleWriter) Update(ctx context.Context, i id.Role, fn func(*role.Role) error) error {
	row, err := queries.RoleLock(ctx, w.tx, &dbsqlc.RoleLockParams{OrgID: w.org.UUID(), ID: i.UUID()})
	r, err := one(row, err, toRole)
	if err != nil {
		return err
	}
	if err := fn(&r); err != nil {
		return err
	}
	p := fromRole(r.Snapshot())
	*w.touches = true
	return changed(queries.RoleUpdate(ctx, w.tx, &dbsqlc.RoleUpdateParams{
		OrgID: w.org.UUID(), ID: i.UUID(), Name: p.Name, Description: p.Description, Permissions: p.Permissions,
		Version: p.Version, UpdatedAt: p.UpdatedAt,
	}))
}

func (w roleWriter) Named(ctx context.Context, names []string) ([]string, error) {
	return queries.RoleNamed(ctx, w.tx, &dbsqlc.RoleNamedParams{OrgID: w.org.UUID(), Names: names})
}

func (w roleWriter) Delete(ctx context.Context, i id.Role) error {
	if err := queries.RoleRelease(ctx, w.tx, &dbsqlc.RoleReleaseParams{OrgID: w.org.UUID(), ID: nullable(i)}); err != nil {
		return err
	}
	err := changed(queries.RoleDelete(ctx, w.tx, &dbsqlc.RoleDeleteParams{OrgID: w.org.UUID(), ID: i.UUID()}))
	if errors.Is(err, role.ErrUnknown) { // the reference, looked at from its other end
		return role.ErrInUse.Because(err)
	}
	return err
}

type operationWriter struct{ writer }

func (w operationWriter) Insert(ctx context.Context, o operation.Operation) error {
	s := o.Snapshot()
	if err := w.own(s.OrgID); err != nil {
		return err
	}
	return queries.OperationInsert(ctx, w.tx, fromOperation(s))
}

func (w operationWriter) Update(ctx context.Context, i id.Operation, fn func(*operation.Operation) error) error {
	row, err := queries.OperationLock(ctx, w.tx, &dbsqlc.OperationLockParams{OrgID: w.org.UUID(), ID: i.UUID()})
	return w.change(ctx, row, err, fn)
}

func (w operationWriter) UpdateOpen(ctx context.Context, k operation.Kind, fn func(*operation.Operation) error) error {
	row, err := queries.OperationLockOpen(ctx, w.tx, &dbsqlc.OperationLockOpenParams{OrgID: w.org.UUID(), Kind: k.String()})
	return w.change(ctx, row, err, fn)
}

func (w operationWriter) Latest(ctx context.Context, kinds []operation.Kind) (operation.Operation, error) {
	row, err := queries.OperationLatest(ctx, w.tx, &dbsqlc.OperationLatestParams{OrgID: w.org.UUID(), Kinds: kindNames(kinds)})
	return one(row, err, toOperation)
}

// change stores what fn makes of a locked row.
func (w operationWriter) change(ctx context.Context, row *dbsqlc.Operation, err error, fn func(*operation.Operation) error) error {
	o, err := one(row, err, toOperation)
	if err != nil {
		return err
	}
	if err := fn(&o); err != nil {
		return err
	}
	p := fromOperation(o.Snapshot())
	return changed(queries.OperationUpdate(ctx, w.tx, &dbsqlc.OperationUpdateParams{
		OrgID: w.org.UUID(), ID: p.ID, State: p.State, Step: p.Step, Attempts: p.Attempts, Failure: p.Failure, FailureCode: p.FailureCode,
		UpdatedAt: p.UpdatedAt, FinishedAt: p.FinishedAt, Note: p.Note,
	}))
}

type outboxWriter struct{ writer }

func (w outboxWriter) Append(ctx context.Context, m outbox.Message) error {
	if err := w.own(m.OrgID); err != nil {
		return err
	}
	if m.Gathers() {
		in := dbsqlc.OutboxGatherParams(*fromMessage(m))
		return queries.OutboxGather(ctx, w.later, &in)
	}
	if err := queries.OutboxInsert(ctx, w.later, fromMessage(m)); err != nil {
		return err
	}
	return queries.OutboxNotify(ctx, w.later, outboxChannel)
}
