package porttest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// changeStored changes a stored role by its own rules.
func changeStored(t testing.TB, b Backend, o id.Org, i id.Role, to role.Spec) error {
	t.Helper()
	return b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
		return tx.Roles.Update(ctx, i, func(r *role.Role) error { _, err := r.Change(to, moment); return err })
	})
}

func deleteStored(t testing.TB, b Backend, o id.Org, i id.Role) error {
	t.Helper()
	return b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error { return tx.Roles.Delete(ctx, i) })
}

// storeRoles checks what the store promises of custom roles.
func storeRoles(t *testing.T, b Backend) {
	should(t, "return every field of a role, by its id and by its name", func(t *testing.T, is *is.I) {
		o := orgID(seed(t, b, anOrg()))
		r := aRole(o)
		add(t, b, o, r)
		want := r.Snapshot()
		whole(t, want)
		want.CreatedAt, want.UpdatedAt = kept(want.CreatedAt), kept(want.UpdatedAt)
		got, err := b.Store.Reads(o).Role(t.Context(), roleID(r))
		is.NoErr(err)
		is.Equal(got.Snapshot(), want)
		got, err = b.Store.Reads(o).RoleByName(t.Context(), want.Name)
		is.NoErr(err)
		is.Equal(got.Snapshot(), want)
	})

	should(t, "tell a transaction which names are those of its roles", func(t *testing.T, is *is.I) {
		o, other := orgID(seed(t, b, anOrg())), orgID(seed(t, b, anOrg()))
		r, foreign := aRole(o), aRole(other)
		add(t, b, o, r)
		add(t, b, other, foreign)
		is.NoErr(b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			got, err := tx.Roles.Named(ctx, []string{"nobody", r.Snapshot().Name, "member"})
			is.Equal(got, []string{r.Snapshot().Name})
			if err != nil {
				return err
			}
			got, err = tx.Roles.Named(ctx, []string{foreign.Snapshot().Name})
			is.Equal(len(got) > 0, foreign.Snapshot().Name == r.Snapshot().Name)
			return err
		}))
	})

	should(t, "list roles oldest first, in pages without gap or repetition", func(t *testing.T, is *is.I) {
		o := orgID(seed(t, b, anOrg()))
		var roles []id.Role
		for range 5 {
			r := aRole(o)
			roles = append(roles, roleID(r))
			add(t, b, o, r)
		}
		for _, limit := range []int{1, 2, 5, 6} {
			pages := walk(t, limit, func(q page.Request) (page.Page[role.Role], error) { return b.Store.Reads(o).Roles(t.Context(), q) })
			is.Equal(flat(pages, roleID), roles)
		}
	})

	should(t, "return a user's custom role with its name and permissions, as they are now", func(t *testing.T, is *is.I) {
		o := orgID(seed(t, b, anOrg()))
		r := aRole(o)
		u := aUserWith(r)
		add(t, b, o, r, u)
		saw := func(want authz.Role) {
			got, err := b.Store.Reads(o).User(t.Context(), u.ID())
			is.NoErr(err)
			is.Equal(got.Role(), want)
			list, err := b.Store.Reads(o).Users(t.Context(), user.Filter{}, page.Request{Limit: 10})
			is.NoErr(err)
			is.Equal(list.Items[0].Role(), want)
			is.NoErr(b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
				locked, err := tx.Users.Lock(ctx, u.ID())
				is.Equal(locked.Role(), want)
				return err
			}))
		}
		saw(r.Authz())
		to := role.Spec{Name: "renamed", Permissions: authz.SetOf(authz.AuditRead)}
		is.NoErr(changeStored(t, b, o, roleID(r), to))
		saw(authz.NewCustomRole(roleID(r), "renamed", to.Permissions))
	})

	should(t, "store what fn made of a role", func(t *testing.T, is *is.I) {
		o := orgID(seed(t, b, anOrg()))
		r := aRole(o)
		add(t, b, o, r)
		to := role.Spec{Name: "auditor", Permissions: authz.SetOf(authz.AuditRead, authz.AuditExport)}
		is.NoErr(changeStored(t, b, o, roleID(r), to))
		got, err := b.Store.Reads(o).Role(t.Context(), roleID(r))
		is.NoErr(err)
		want := r.Snapshot()
		want.Name, want.Description, want.Permissions, want.Version = to.Name, "", to.Permissions, want.Version+1
		want.CreatedAt, want.UpdatedAt = kept(want.CreatedAt), kept(moment)
		is.Equal(got.Snapshot(), want)
	})

	should(t, "fail with role.ErrNameTaken inside an organization, and only there", func(t *testing.T, is *is.I) {
		o, other := orgID(seed(t, b, anOrg())), orgID(seed(t, b, anOrg()))
		r, second := aRole(o), aRole(o)
		add(t, b, o, r, second)
		same := func(o id.Org) role.Role {
			return changeRole(aRole(o), func(s *role.Snapshot) { s.Name = r.Snapshot().Name })
		}
		is.True(errors.Is(write(t.Context(), b, o, same(o)), role.ErrNameTaken))
		is.NoErr(write(t.Context(), b, other, same(other)))
		to := role.Spec{Name: r.Snapshot().Name, Permissions: authz.SetOf(authz.AuditRead)}
		is.True(errors.Is(changeStored(t, b, o, roleID(second), to), role.ErrNameTaken))
	})

	should(t, "delete no role that a user has, but one that only removed users had", func(t *testing.T, is *is.I) {
		o := orgID(seed(t, b, anOrg()))
		for state, free := range map[user.State]bool{user.Active: false, user.Suspended: false, user.Removed: true} {
			r := aRole(o)
			u := changeUser(aUserWith(r), func(s *user.Snapshot) { s.State = state })
			add(t, b, o, r, u)
			err := deleteStored(t, b, o, roleID(r))
			_, gone := b.Store.Reads(o).Role(t.Context(), roleID(r))
			if !free {
				is.True(errors.Is(err, role.ErrInUse))
				is.NoErr(gone)
				continue
			}
			is.NoErr(err)
			isNotFound(t, gone)
			left, err := b.Store.Reads(o).User(t.Context(), u.ID())
			is.NoErr(err)
			is.Equal(left.Role(), authz.Viewer)
		}
	})

	should(t, "let a role be given or deleted, never both, whatever races", func(t *testing.T, is *is.I) {
		o := orgID(seed(t, b, anOrg()))
		for range 30 {
			r := aRole(o)
			u := aUserWith(r)
			add(t, b, o, r)
			errs := together(2, func(i int) error {
				if i == 0 {
					return write(t.Context(), b, o, u)
				}
				return deleteStored(t, b, o, roleID(r))
			})
			_, readErr := b.Store.Reads(o).User(t.Context(), u.ID())
			_, roleErr := b.Store.Reads(o).Role(t.Context(), roleID(r))
			given, deleted := readErr == nil, roleErr != nil
			is.True(given != deleted)
			failed := 0
			for _, err := range errs {
				if err != nil {
					failed++
					is.True(errors.Is(err, role.ErrInUse) || errors.Is(err, role.ErrUnknown))
				}
			}
			is.Equal(failed, 1)
		}
	})

	should(t, "give nobody a role whose change or deletion is under way", func(t *testing.T, is *is.I) {
		o := orgID(seed(t, b, anOrg()))
		r := aRole(o)
		add(t, b, o, r)
		err := b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			return tx.Roles.Update(ctx, roleID(r), func(*role.Role) error { //nolint:contextcheck // somebody else asks
				hurried, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				return write(hurried, b, o, aUserWith(r))
			})
		})
		is.True(fault.IsKind(err, fault.Timeout))
	})

	should(t, "refuse a user with a foreign role as one with an absent role", func(t *testing.T, is *is.I) {
		o, victim := orgID(seed(t, b, anOrg())), orgID(seed(t, b, anOrg()))
		theirs := aRole(victim)
		add(t, b, victim, theirs)
		with := func(r authz.Role) user.User {
			return changeUser(aUser(o), func(s *user.Snapshot) { s.Role = r })
		}
		foreign := write(t.Context(), b, o, with(theirs.Authz()))
		absent := write(t.Context(), b, o, with(authz.NewCustomRole(id.New[id.RoleKind](), "absent", authz.SetOf(authz.UsersRead))))
		is.True(errors.Is(foreign, role.ErrUnknown))
		is.True(errors.Is(absent, role.ErrUnknown))
		is.Equal(fault.From(foreign).Public, fault.From(absent).Public)
	})

	should(t, "neither show, list, lock, change, delete nor store a foreign role", func(t *testing.T, is *is.I) {
		o, victim := orgID(seed(t, b, anOrg())), orgID(seed(t, b, anOrg()))
		theirs := aRole(victim)
		add(t, b, victim, theirs)
		r := b.Store.Reads(o)
		_, err := r.Role(t.Context(), roleID(theirs))
		isNotFound(t, err)
		_, err = r.RoleByName(t.Context(), theirs.Snapshot().Name)
		isNotFound(t, err)
		list, err := r.Roles(t.Context(), page.Request{Limit: 10})
		is.NoErr(err)
		is.Equal(len(list.Items), 0)
		isNotFound(t, changeStored(t, b, o, roleID(theirs), theirs.Spec()))
		isNotFound(t, deleteStored(t, b, o, roleID(theirs)))
		is.True(write(t.Context(), b, o, aRole(victim)) != nil)
		_, err = b.Store.Reads(victim).Role(t.Context(), roleID(theirs))
		is.NoErr(err)
	})

	should(t, "fail with fault.ErrNotFound for an absent role, and for one of no organization", func(t *testing.T, is *is.I) {
		o, absent := orgID(seed(t, b, anOrg())), id.New[id.OrgKind]()
		isNotFound(t, changeStored(t, b, o, id.New[id.RoleKind](), role.Spec{Name: "any", Permissions: authz.SetOf(authz.UsersRead)}))
		isNotFound(t, deleteStored(t, b, o, id.New[id.RoleKind]()))
		isNotFound(t, write(t.Context(), b, absent, aRole(absent)))
	})
}
