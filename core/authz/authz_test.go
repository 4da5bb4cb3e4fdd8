package authz_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// permissions returns the whole catalogue: the values that have a name.
func permissions() []authz.Permission {
	var out []authz.Permission
	for p := range authz.Permission(64) {
		if p.String() != "" {
			out = append(out, p)
		}
	}
	return out
}

// holder returns the actor behind an unscoped key of a user with the role.
func holder(o id.Org, r authz.Role) authz.Actor {
	return authz.NewKeyActor(authz.KeyHolder{Org: o, OrgSlug: "acme", User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Role: r})
}

func TestRoles(t *testing.T) {
	t.Parallel()

	t.Run("Should grow from the weakest to the strongest", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(authz.Roles(), []authz.Role{authz.Viewer, authz.Member, authz.Manager, authz.Admin, authz.Operator})
		weaker := authz.Set(0)
		for _, r := range authz.Roles() {
			is.True(weaker.Within(r.Permissions()))
			is.True(weaker != r.Permissions() || r == authz.Admin) // each adds something; an admin not yet
			weaker = r.Permissions()
		}
	})

	t.Run("Should read back the name it wrote and no other", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, r := range authz.Roles() {
			back, err := authz.ParseRole(r.String())
			is.NoErr(err)
			is.Equal(back, r)
			is.True(!r.IsZero())
		}
		for _, s := range []string{"", "Admin", "owner", "operator "} {
			r, err := authz.ParseRole(s)
			is.True(err != nil)
			is.True(r.IsZero())
		}
	})

	t.Run("Should grant nothing without a role", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(authz.Role{}.Permissions(), authz.Set(0))
		is.Equal(authz.Effective(authz.Role{}, authz.SetOf(permissions()...)), authz.Set(0))
	})

	t.Run("Should give no tenant role a permission of the platform", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		platform := authz.SetOf(authz.OrganizationsCreate, authz.OrganizationsList)
		for _, r := range authz.Roles()[:4] {
			is.Equal(r.Permissions().And(platform), authz.Set(0))
		}
	})
}

// matrix states what each role may do in its own organization, one letter for
// each of viewer, member, manager, admin and operator: y, or - for no.
var matrix = map[string]string{
	"organizations:create":  "- - - - y",
	"organizations:list":    "- - - - y",
	"organizations:read":    "y y y y y",
	"users:create":          "- - y y y",
	"users:read":            "y y y y y",
	"apikeys:create":        "- - - y y",
	"apikeys:read":          "- - y y y",
	"apikeys:revoke":        "- - - y y",
	"tokens:read":           "y y y y y",
	"tokens:write":          "- y y y y",
	"workflows:start":       "- y y y y",
	"workflows:read":        "y y y y y",
	"workflows:signal":      "- y y y y",
	"workflows:cancel":      "- y y y y",
	"workflows:terminate":   "- y y y y",
	"workflows:reset":       "- y y y y",
	"schedules:create":      "- y y y y",
	"schedules:read":        "y y y y y",
	"schedules:update":      "- y y y y",
	"schedules:trigger":     "- y y y y",
	"schedules:delete":      "- y y y y",
	"operations:read":       "y y y y y",
	"assignments:read":      "- y y y y",
	"organizations:update":  "- - - y y",
	"organizations:suspend": "- - - - y",
	"organizations:delete":  "- - - y y",
	"organizations:restore": "- - - - y",
	"users:update":          "- - y y y",
	"users:suspend":         "- - y y y",
	"users:remove":          "- - y y y",
	"roles:create":          "- - - y y",
	"roles:read":            "y y y y y",
	"roles:update":          "- - - y y",
	"roles:delete":          "- - - y y",
	"authz:explain":         "- - y y y",
	"apikeys:update":        "- - - y y",
	"apikeys:rotate":        "- - - y y",
	"apikeys:delete":        "- - - y y",
	"apikeys:verify":        "- - - y y",
	"apikeys:report":        "- - - - y",
	"audit:list":            "- - - - y",
	"audit:read":            "- - y y y",
	"audit:export":          "- - - y y",
	"operations:retry":      "- - - y y",
	"usage:read":            "- - y y y",
	"limits:read":           "y y y y y",
	"limits:update":         "- - - - y",
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	tenant, foreign := id.New[id.OrgKind](), id.New[id.OrgKind]()

	t.Run("Should state every cell", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(len(matrix), len(permissions()))
		for _, p := range permissions() {
			is.Equal(len(strings.Fields(matrix[p.String()])), len(authz.Roles())) // a cell is missing
		}
	})

	for n, r := range authz.Roles() {
		for _, p := range permissions() {
			cells := strings.Fields(matrix[p.String()])
			if n >= len(cells) {
				continue // reported above
			}
			may := cells[n] == "y"
			t.Run("Should hold for "+r.String()+" and "+p.String(), func(t *testing.T) {
				t.Parallel()
				is := is.New(t)

				// A user of the system organization.
				a := holder(id.SystemOrg, r)
				is.Equal(a.Require(p, id.SystemOrg), refusal(may, authz.Lacks(p)))
				if r == authz.Operator {
					is.NoErr(a.Require(p, foreign)) // the platform is its own
					is.NoErr(a.RequirePlatform(p))
				} else {
					is.Equal(a.Require(p, foreign), fault.ErrNotFound)
					is.Equal(a.RequirePlatform(p), beyond(may, p))
				}

				// A user of a tenant. An operator there can only come from a tampered
				// row, and has no reach.
				a = holder(tenant, r)
				is.Equal(a.Require(p, tenant), refusal(may, authz.Lacks(p)))
				is.Equal(a.Require(p, foreign), fault.ErrNotFound)
				is.Equal(a.Require(p, id.SystemOrg), fault.ErrNotFound)
				is.Equal(a.RequirePlatform(p), beyond(may, p))
			})
		}
	}
}

// beyond is the refusal of what reaches too far, which names the permission only to who
// does not have it: it would do nothing for the others.
func beyond(has bool, p authz.Permission) error {
	if has {
		return fault.ErrForbidden
	}
	return authz.Lacks(p)
}

// refusal is nil for what may be done.
func refusal(may bool, otherwise *fault.Error) error {
	if may {
		return nil
	}
	return otherwise
}

func TestPermissions(t *testing.T) {
	t.Parallel()

	t.Run("Should list every permission, and know of no other", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		all := authz.Permissions()
		is.Equal(authz.SetOf(all...), authz.Operator.Permissions())
		is.Equal(len(all), authz.Operator.Permissions().Len())
		for _, none := range []authz.Permission{0, all[len(all)-1] + 1} {
			is.Equal(none.String(), "")
			is.Equal(none.Meaning(), "")
			is.True(!none.IsPlatform())
		}
	})
}

func TestActor(t *testing.T) {
	t.Parallel()
	tenant := id.New[id.OrgKind]()

	t.Run("Should do nothing as nobody", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var nobody authz.Actor
		for _, p := range permissions() {
			for _, o := range []id.Org{tenant, id.SystemOrg, {}} {
				is.Equal(nobody.Require(p, o), fault.ErrUnauthenticated)
			}
			is.Equal(nobody.RequirePlatform(p), fault.ErrUnauthenticated)
		}
		is.True(!nobody.IsPlatform())
		is.Equal(nobody.Subject(), "")
		is.Equal(nobody.Kind(), authz.Nobody)
		is.Equal(nobody.From(authz.Origin{RequestID: "r"}).Kind(), authz.Nobody)
		is.Equal(nobody.RequirePower(authz.Viewer, 0), authz.ErrPowerExceeded)
	})

	t.Run("Should find no organization under the zero id, whoever asks", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		homeless := authz.NewKeyActor(authz.KeyHolder{Role: authz.Admin})
		for _, a := range []authz.Actor{holder(tenant, authz.Admin), holder(id.SystemOrg, authz.Operator), authz.Provisioner, homeless} {
			is.Equal(a.Require(authz.OrganizationsRead, id.Org{}), fault.ErrNotFound)
		}
	})

	t.Run("Should say who it is", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		h := authz.KeyHolder{Org: tenant, OrgSlug: "acme", User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Role: authz.Member}
		a := authz.NewKeyActor(h)
		is.Equal(a.Kind(), authz.UserActor)
		is.Equal(a.Kind().String(), "user")
		is.Equal(a.Org(), h.Org)
		is.Equal(a.OrgSlug(), "acme")
		is.Equal(a.User(), h.User)
		is.Equal(a.Key(), h.Key)
		is.Equal(a.Role(), authz.Member)
		is.Equal(a.Permissions(), authz.Member.Permissions())
		is.Equal(a.Subject(), h.Key.String())
		is.Equal(a.Name(), "")

		h.User = id.User{}
		a = authz.NewKeyActor(h)
		is.Equal(a.Kind(), authz.OrganizationActor)
		is.Equal(a.Kind().String(), "organization")
		is.Equal(a.Subject(), h.Key.String())
		is.Equal(authz.Nobody.String(), "nobody")
	})

	t.Run("Should carry the origin of its request in a copy", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := authz.Origin{RequestID: "req-1", IP: netip.MustParseAddr("192.0.2.1")}
		a := holder(tenant, authz.Member)
		is.Equal(a.From(o).Origin(), o)
		is.Equal(a.Origin(), authz.Origin{})
		is.Equal(a.From(o).Permissions(), a.Permissions())
	})
}

func TestScopes(t *testing.T) {
	t.Parallel()
	tenant := id.New[id.OrgKind]()

	t.Run("Should narrow the role and never widen it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, r := range authz.Roles() {
			is.Equal(authz.Effective(r, 0), r.Permissions())
			for _, p := range permissions() {
				a := authz.NewKeyActor(authz.KeyHolder{Org: tenant, User: id.New[id.UserKind](), Role: r, Scopes: authz.SetOf(p)})
				is.True(a.Permissions().Within(r.Permissions()))
				for _, q := range permissions() {
					is.Equal(a.Permissions().Has(q), q == p && r.Permissions().Has(q))
				}
			}
		}
	})

	t.Run("Should say whether it was the role or the scope that decided", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, r := range authz.Roles() {
			whole := authz.NewKeyActor(authz.KeyHolder{Org: tenant, User: id.New[id.UserKind](), Role: r})
			narrow := authz.NewKeyActor(authz.KeyHolder{Org: tenant, User: id.New[id.UserKind](), Role: r, Scopes: authz.SetOf(authz.TokensRead)})
			for _, p := range permissions() {
				if p.IsPlatform() {
					continue
				}
				is.Equal(whole.Decide(p, tenant).Ground, authz.ByRole)
				ground := authz.ByRole // which lacks it, whatever the scope
				if r.Permissions().Has(p) {
					ground = authz.ByScope
				}
				is.Equal(narrow.Decide(p, tenant).Ground, ground)
			}
		}
	})

	t.Run("Should bind an operator's key on the platform", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		fleet := authz.NewKeyActor(authz.KeyHolder{Org: id.SystemOrg, Role: authz.Operator, Scopes: authz.SetOf(authz.TokensWrite)})
		is.True(fleet.IsPlatform())
		is.NoErr(fleet.Require(authz.TokensWrite, tenant))
		is.Equal(fleet.Require(authz.WorkflowsRead, tenant), authz.Lacks(authz.WorkflowsRead))
		is.Equal(fleet.RequirePlatform(authz.OrganizationsCreate), authz.Lacks(authz.OrganizationsCreate))
	})
}

func TestRequirePower(t *testing.T) {
	t.Parallel()
	tenant := id.New[id.OrgKind]()

	t.Run("Should let each role give away what it has and no more", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for i, giver := range authz.Roles() {
			a := holder(id.SystemOrg, giver)
			for j, given := range authz.Roles() {
				is.Equal(a.RequirePower(given, 0) == nil, j <= i)
			}
		}
	})

	t.Run("Should bind a narrow key to its scopes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := authz.NewKeyActor(authz.KeyHolder{Org: tenant, Role: authz.Admin, Scopes: authz.SetOf(authz.APIKeysCreate, authz.UsersRead)})
		is.NoErr(a.RequirePower(authz.Admin, authz.SetOf(authz.UsersRead)))
		is.Equal(a.RequirePower(authz.Admin, authz.SetOf(authz.WorkflowsRead)), authz.ErrPowerExceeded)
		is.Equal(a.RequirePower(authz.Viewer, 0), authz.ErrPowerExceeded)
	})

	t.Run("Should count scopes that the owner's role does not allow yet", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(holder(tenant, authz.Manager).RequirePower(authz.Viewer, authz.SetOf(authz.OrganizationsCreate)), authz.ErrPowerExceeded)
	})

	t.Run("Should let nobody but the platform make an actor of the platform", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		narrow := authz.SetOf(authz.WorkflowsRead)
		is.Equal(holder(id.SystemOrg, authz.Admin).RequirePower(authz.Operator, narrow), authz.ErrPowerExceeded)
		is.Equal(holder(tenant, authz.Operator).RequirePower(authz.Operator, narrow), authz.ErrPowerExceeded) // of a tampered row
		is.NoErr(holder(id.SystemOrg, authz.Operator).RequirePower(authz.Operator, narrow))
	})
}

func TestSystemActors(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		a    authz.Actor
		want authz.Set
	}{
		"bootstrap":   {authz.Bootstrap, authz.SetOf(authz.OrganizationsCreate, authz.UsersCreate, authz.APIKeysCreate)},
		"provisioner": {authz.Provisioner, authz.SetOf(authz.OrganizationsRead, authz.OperationsRead)},
		"remover":     {authz.Remover, 0},
		"keykeeper":   {authz.KeyKeeper, 0},
		"leakscanner": {authz.LeakScanner, 0},
		"keeper":      {authz.Keeper, 0},
		"bookkeeper":  {authz.Bookkeeper, 0},
		"reconciler":  {authz.Reconciler, 0},
	} {
		t.Run("Should have no more power than its task: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			is.Equal(c.a.Name(), name)
			is.Equal(c.a.Subject(), "system:"+name)
			is.Equal(c.a.Kind().String(), "system")
			is.Equal(c.a.Org(), id.SystemOrg)
			is.True(c.a.IsPlatform())
			for _, p := range permissions() {
				is.Equal(c.a.Require(p, id.New[id.OrgKind]()) == nil, c.want.Has(p))
				is.Equal(c.a.RequirePlatform(p) == nil, c.want.Has(p))
			}
			is.Equal(c.a.RequirePower(authz.Viewer, 0), authz.ErrPowerExceeded)
		})
	}
}
