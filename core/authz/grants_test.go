package authz_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// stored is what is left of grants that were written down and read again.
func stored(t *testing.T, g *authz.Grants) (back []authz.Grant) {
	t.Helper()
	text, err := json.Marshal(g.Noted())
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestGrants(t *testing.T) {
	t.Parallel()
	tenant := id.New[id.OrgKind]()

	t.Run("Should note what was allowed, once, and nothing that was not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var g authz.Grants
		is.Equal(g.Noted(), []authz.Grant{})
		a := holder(tenant, authz.Manager).Noting(&g)
		for range 2 {
			is.NoErr(a.Require(authz.UsersCreate, tenant))
			is.NoErr(a.RequirePower(authz.Member, 0))
			is.NoErr(a.RequireRank(authz.Manager))
		}
		is.True(a.Require(authz.APIKeysCreate, tenant) != nil)
		is.True(a.RequirePlatform(authz.UsersCreate) != nil)
		is.True(a.RequirePower(authz.Admin, 0) != nil)
		is.True(a.RequireRank(authz.Admin) != nil)
		is.Equal(len(g.Noted()), 3)
	})

	for name, ask := range map[string]func(authz.Actor) error{
		"a permission in the organization": func(a authz.Actor) error { return a.Require(authz.APIKeysCreate, a.Org()) },
		"a permission on the platform":     func(a authz.Actor) error { return a.RequirePlatform(authz.OrganizationsCreate) },
		"the power of scopes":              func(a authz.Actor) error { return a.RequirePower(authz.Admin, authz.SetOf(authz.AuditRead)) },
		"the power of an operator":         func(a authz.Actor) error { return a.RequirePower(authz.Operator, authz.SetOf(authz.AuditRead)) },
		"the rank of a role":               func(a authz.Actor) error { return a.RequireRank(authz.Member) },
		"the rank of an operator":          func(a authz.Actor) error { return a.RequireRank(authz.Operator) },
	} {
		t.Run("Should allow again just what it would allow now: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			var g authz.Grants
			is.NoErr(ask(holder(id.SystemOrg, authz.Operator).Noting(&g)))
			noted := stored(t, &g)
			is.Equal(len(noted), 1)
			for _, r := range authz.Roles() {
				for _, scopes := range []authz.Set{0, authz.SetOf(authz.WorkflowsRead)} {
					a := authz.NewKeyActor(authz.KeyHolder{Org: id.SystemOrg, User: id.New[id.UserKind](), Role: r, Scopes: scopes})
					is.Equal(a.RequireAgain(noted), ask(a))
				}
			}
		})
	}

	t.Run("Should be about the organization that it was in", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var g authz.Grants
		is.NoErr(holder(tenant, authz.Admin).Noting(&g).Require(authz.UsersCreate, tenant))
		is.Equal(holder(id.New[id.OrgKind](), authz.Admin).RequireAgain(stored(t, &g)), fault.ErrNotFound)
	})

	t.Run("Should allow what no release knows any more to nobody", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		operator := holder(id.SystemOrg, authz.Operator)
		is.Equal(operator.RequireAgain([]authz.Grant{{Permission: "wishes:grant", Org: tenant}}), fault.ErrForbidden)
		is.True(errors.Is(operator.RequireAgain([]authz.Grant{{Power: []string{"wishes:grant"}}}), authz.ErrPowerExceeded))
		is.True(errors.Is(operator.RequireAgain([]authz.Grant{{Rank: []string{"wishes:grant"}}}), authz.ErrPowerExceeded))
	})
}
