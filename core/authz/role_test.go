package authz_test

import (
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

func TestCustomRoles(t *testing.T) {
	t.Parallel()
	i := id.New[id.RoleKind]()
	some := authz.SetOf(authz.UsersRead, authz.WorkflowsStart)
	tenant := id.New[id.OrgKind]()

	t.Run("Should be comparable, and unlike every built-in role whatever they are called", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		r := authz.NewCustomRole(i, "ci", some)
		is.Equal(r, authz.NewCustomRole(i, "ci", some))
		is.True(r != authz.NewCustomRole(id.New[id.RoleKind](), "ci", some))
		is.True(r != authz.NewCustomRole(i, "ci", authz.SetOf(authz.UsersRead)))
		is.Equal(r.String(), "ci")
		is.Equal(r.ID(), i)
		is.True(r.IsCustom())
		is.True(!r.IsZero())
		for _, b := range authz.Roles() {
			is.True(!b.IsCustom())
			is.True(b.ID().IsZero())
			is.True(authz.NewCustomRole(i, b.String(), b.Permissions()) != b)
		}
	})

	t.Run("Should be none without an identifier", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.True(authz.NewCustomRole(id.Role{}, "ci", some).IsZero())
	})

	t.Run("Should hold nothing of the platform and reach no other organization, even when tampered with", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		r := authz.NewCustomRole(i, "operator", authz.Operator.Permissions())
		is.Equal(r.Permissions(), authz.Admin.Permissions())
		for _, home := range []id.Org{tenant, id.SystemOrg} {
			a := holder(home, r)
			is.True(!a.IsPlatform())
			for _, p := range permissions() {
				is.Equal(a.Require(p, home), refusal(!p.IsPlatform(), authz.Lacks(p)))
				is.Equal(a.Require(p, id.New[id.OrgKind]()), fault.ErrNotFound)
				is.Equal(a.RequirePlatform(p), beyond(!p.IsPlatform(), p))
			}
		}
	})

	t.Run("Should bind a key as a built-in role does", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		r := authz.NewCustomRole(i, "ci", some)
		is.Equal(authz.Effective(r, 0), some)
		is.Equal(authz.Effective(r, authz.SetOf(authz.UsersRead, authz.AuditRead)), authz.SetOf(authz.UsersRead))
	})

	t.Run("Should rank by what it holds: given by those who hold it all, and giving what it holds", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, p := range authz.Permissions() {
			if p.IsPlatform() {
				continue
			}
			r := authz.NewCustomRole(i, "one", authz.SetOf(p))
			for _, giver := range authz.Roles() {
				is.Equal(holder(tenant, giver).RequirePower(r, 0) == nil, giver.Permissions().Has(p))
				if giver.Permissions().Len() > 1 {
					is.Equal(holder(tenant, r).RequirePower(giver, 0), authz.ErrPowerExceeded)
				}
			}
			is.NoErr(holder(tenant, r).RequirePower(r, 0))
			wider := authz.NewCustomRole(i, "wider", authz.SetOf(p)|some)
			is.Equal(holder(tenant, r).RequirePower(wider, 0) == nil, wider.Permissions().Within(r.Permissions()))
		}
	})
}
