package role_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/role"
)

var (
	t0     = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	later  = t0.Add(time.Hour)
	some   = authz.SetOf(authz.WorkflowsStart, authz.WorkflowsRead)
	tenant = id.New[id.OrgKind]()
)

func made(spec role.Spec) (role.Role, error) {
	return role.New(id.New[id.RoleKind](), tenant, spec, t0)
}

func TestNew(t *testing.T) {
	t.Parallel()

	t.Run("Should make a role of what its maker chose", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		i := id.New[id.RoleKind]()
		r, err := role.New(i, tenant, role.Spec{Name: "ci-2", Description: "Builds.", Permissions: some}, t0)
		is.NoErr(err)
		is.Equal(r.Snapshot(), role.Snapshot{
			ID: i, OrgID: tenant, Name: "ci-2", Description: "Builds.", Permissions: some, Version: 1, CreatedAt: t0, UpdatedAt: t0,
		})
		is.Equal(r.Authz(), authz.NewCustomRole(i, "ci-2", some))
		again := role.Restore(r.Snapshot())
		is.Equal(again, r)
	})

	t.Run("Should take names of 2 to 48 characters that no identifier has", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, name := range []string{"ci", "a1", "release-manager", strings.Repeat("a", 48)} {
			_, err := made(role.Spec{Name: name, Permissions: some})
			is.NoErr(err)
		}
		for _, name := range []string{"", "c", strings.Repeat("a", 49), "Ci", "1ci", "c-", "-c", "c--i", "c i", "c_i", "ci\n", id.New[id.RoleKind]().String()} {
			_, err := made(role.Spec{Name: name, Permissions: some})
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer, "/name")
		}
	})

	t.Run("Should take no name of a built-in role", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, r := range authz.Roles() {
			_, err := made(role.Spec{Name: r.String(), Permissions: some})
			is.Equal(err, error(role.ErrNameTaken))
		}
	})

	t.Run("Should need a permission, and none of the platform", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, err := made(role.Spec{Name: "ci"})
		is.True(errors.Is(err, fault.ErrInvalid))
		is.Equal(fault.From(err).Fields[0].Pointer, "/permissions")
		for _, p := range authz.Permissions() {
			_, err := made(role.Spec{Name: "ci", Permissions: some | authz.SetOf(p)})
			is.Equal(errors.Is(err, role.ErrPlatformPermission), p.IsPlatform())
			is.Equal(err == nil, !p.IsPlatform())
		}
	})

	t.Run("Should bound the description", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, err := made(role.Spec{Name: "ci", Description: strings.Repeat("ü", 500), Permissions: some})
		is.NoErr(err)
		for _, d := range []string{strings.Repeat("ü", 501), " ", "a\nb"} {
			_, err := made(role.Spec{Name: "ci", Description: d, Permissions: some})
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer, "/description")
		}
	})
}

func TestParsePermissions(t *testing.T) {
	t.Parallel()

	t.Run("Should read names", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s, err := role.ParsePermissions(some.Names())
		is.NoErr(err)
		is.Equal(s, some)
	})

	t.Run("Should name the place of one that is unknown or the platform's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, err := role.ParsePermissions([]string{"workflows:read", "workflows:fly"})
		is.True(errors.Is(err, role.ErrUnknownPermission))
		is.Equal(fault.From(err).Fields[0].Pointer, "/permissions/1")
		_, err = role.ParsePermissions([]string{"workflows:read", "users:read", "organizations:create"})
		is.True(errors.Is(err, role.ErrPlatformPermission))
		is.Equal(fault.From(err).Fields[0].Pointer, "/permissions/2")
		is.Equal(fault.From(err).Fields[0].Rule, "platform")
	})
}

func TestChange(t *testing.T) {
	t.Parallel()

	t.Run("Should change what is asked, and count the version", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		r, err := made(role.Spec{Name: "ci", Permissions: some})
		is.NoErr(err)
		want := r.Snapshot()
		to := role.Spec{Name: "cd", Description: "Ships.", Permissions: authz.SetOf(authz.UsersRead)}
		changed, err := r.Change(to, later)
		is.NoErr(err)
		is.True(changed)
		is.Equal(r.Spec(), to)
		want.Name, want.Description, want.Permissions, want.Version, want.UpdatedAt = to.Name, to.Description, to.Permissions, 2, later
		is.Equal(r.Snapshot(), want)
	})

	t.Run("Should change nothing for what is as it was, or breaks a rule", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		r, err := made(role.Spec{Name: "ci", Permissions: some})
		is.NoErr(err)
		before := r.Snapshot()
		changed, err := r.Change(r.Spec(), later)
		is.NoErr(err)
		is.True(!changed)
		_, err = r.Change(role.Spec{Name: "admin", Permissions: some}, later)
		is.Equal(err, error(role.ErrNameTaken))
		_, err = r.Change(role.Spec{Name: "ci", Permissions: some | authz.SetOf(authz.AuditList)}, later)
		is.Equal(err, error(role.ErrPlatformPermission))
		is.Equal(r.Snapshot(), before)
	})
}
