package usecase_test

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/core/usecase/roles"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

var errBroken = errors.New("broken")

// anyVersion is the precondition that every version meets.
func anyVersion(id.Role) (int64, error) { return 0, nil }

func exactly(version int64) roles.Precondition {
	return func(id.Role) (int64, error) { return version, nil }
}

var deployer = roles.CreateInput{Name: "deployer", Description: "Deploys.", Permissions: []string{"workflows:start", "workflows:read"}}

func TestRolesCreate(t *testing.T) {
	t.Parallel()

	t.Run("Should keep the role and the trail", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		r, err := s.roles.Create(t.Context(), holder(o, authz.Admin), o, deployer)
		is.NoErr(err)
		is.Equal(r.Authz, authz.NewCustomRole(r.Custom.ID, "deployer", authz.SetOf(authz.WorkflowsStart, authz.WorkflowsRead)))
		got, err := s.roles.Get(t.Context(), holder(o, authz.Viewer), o, "deployer")
		is.NoErr(err)
		is.Equal(got, r)
		got, err = s.roles.Get(t.Context(), holder(o, authz.Viewer), o, r.Custom.ID.String())
		is.NoErr(err)
		is.Equal(got, r)
		trail := w.trail()
		is.Equal(len(trail), 1)
		is.Equal(trail[0].Action, audit.RoleCreated.String())
		is.Equal(trail[0].ResourceID, r.Custom.ID.String())
		is.Equal(trail[0].Changes["name"], audit.Change{After: "deployer"})
	})

	t.Run("Should keep neither the role nor the trail without the other", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		for _, call := range []string{"Roles.Insert", "Audit.Append", "Commit"} {
			w.breaks(call, errBroken)
			_, err := s.roles.Create(t.Context(), holder(o, authz.Admin), o, deployer)
			is.True(errors.Is(err, errBroken))
			w.mends(call)
			is.Equal(w.rows("roles"), 0)
			is.Equal(len(w.trail()), 0)
		}
	})

	t.Run("Should let nobody make a role that may more than they", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		for name, c := range map[string]struct {
			narrow      []authz.Permission
			permissions []string
			want        error
		}{
			"as much":               {[]authz.Permission{authz.RolesCreate, authz.UsersRead}, []string{"roles:create", "users:read"}, nil},
			"less":                  {[]authz.Permission{authz.RolesCreate, authz.UsersRead}, []string{"users:read"}, nil},
			"more than the scopes":  {[]authz.Permission{authz.RolesCreate}, []string{"users:read"}, authz.ErrPowerExceeded},
			"some of the platform":  {nil, []string{"users:read", "organizations:create"}, role.ErrPlatformPermission},
			"what nobody knows":     {nil, []string{"users:fly"}, role.ErrUnknownPermission},
			"nothing":               {nil, nil, fault.ErrInvalid},
			"all of a tenant admin": {nil, authz.Admin.Permissions().Names(), nil},
		} {
			t.Run("Should hold for "+name, func(t *testing.T) {
				is := is.New(t)
				in := roles.CreateInput{Name: "r" + id.New[id.RoleKind]().Tail(8), Permissions: c.permissions}
				_, err := s.roles.Create(t.Context(), holder(o, authz.Admin, c.narrow...), o, in)
				is.True(errors.Is(err, c.want))
			})
		}
	})

	t.Run("Should let no custom role reach beyond its organization, not even the system's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.addSystem()
		foreign := w.addOrg("acme", org.Active)
		_, err := s.roles.Create(t.Context(), operator(), id.SystemOrg, roles.CreateInput{Name: "root", Permissions: authz.Operator.Permissions().Names()})
		is.True(errors.Is(err, role.ErrPlatformPermission))
		r, err := s.roles.Create(t.Context(), operator(), id.SystemOrg, roles.CreateInput{Name: "root", Permissions: authz.Admin.Permissions().Names()})
		is.NoErr(err)
		by := holder(id.SystemOrg, r.Authz)
		is.True(!by.IsPlatform())
		is.Equal(by.Require(authz.OrganizationsRead, foreign), error(fault.ErrNotFound))
	})

	t.Run("Should refuse the name of another role of the organization, and of a built-in one", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o, other := w.addOrg("own", org.Active), w.addOrg("other", org.Active)
		_, err := s.roles.Create(t.Context(), holder(o, authz.Admin), o, deployer)
		is.NoErr(err)
		_, err = s.roles.Create(t.Context(), holder(o, authz.Admin), o, deployer)
		is.True(errors.Is(err, role.ErrNameTaken))
		_, err = s.roles.Create(t.Context(), holder(other, authz.Admin), other, deployer)
		is.NoErr(err)
		_, err = s.roles.Create(t.Context(), holder(o, authz.Admin), o, roles.CreateInput{Name: "operator", Permissions: deployer.Permissions})
		is.True(errors.Is(err, role.ErrNameTaken))
	})
}

func TestRolesChange(t *testing.T) {
	t.Parallel()
	// prepared has a role that holds the given permissions.
	prepared := func(t *testing.T, ps ...authz.Permission) (*world, services, id.Org, id.Role) {
		t.Helper()
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		i := w.addRole(o, "deployer", authz.SetOf(ps...)).ID()
		return w, newServices(w), o, i
	}

	t.Run("Should change what is named, and tell it field by field", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, i := prepared(t, authz.UsersRead)
		r, err := s.roles.Update(t.Context(), holder(o, authz.Admin), o, i.String(), exactly(1), roles.UpdateInput{Permissions: new([]string{"users:read", "audit:read"})})
		is.NoErr(err)
		is.Equal(r.Custom.Version, int64(2))
		is.Equal(r.Custom.Name, "deployer")
		is.Equal(r.Authz.Permissions(), authz.SetOf(authz.UsersRead, authz.AuditRead))
		trail := w.trail()
		is.Equal(len(trail), 1)
		is.Equal(trail[0].Action, audit.RoleUpdated.String())
		is.Equal(len(trail[0].Changes), 1)

		r, err = s.roles.Update(t.Context(), holder(o, authz.Admin), o, "deployer", anyVersion, roles.UpdateInput{Name: new("shipper"), Description: new("Ships.")})
		is.NoErr(err)
		is.Equal(r.Authz.String(), "shipper")
		is.Equal(w.trail()[1].Changes["name"], audit.Change{Before: "deployer", After: "shipper"})
	})

	t.Run("Should have the allow-list follow a role to its new name", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, _ := prepared(t, authz.WorkflowsStart)
		rules := org.AllowList{{Role: "deployer", WorkflowTypes: []string{"Deploy"}}, {Role: "member"}}
		_, err := s.orgs.Update(t.Context(), holder(o, authz.Admin), o, orgs.UpdateInput{AllowList: &rules})
		is.NoErr(err)
		_, err = s.roles.Update(t.Context(), holder(o, authz.Admin), o, "deployer", anyVersion, roles.UpdateInput{Name: new("shipper")})
		is.NoErr(err)
		row, err := w.store.Reads(o).Org(t.Context())
		is.NoErr(err)
		is.Equal(row.Snapshot().Settings.AllowList, org.AllowList{{Role: "shipper", WorkflowTypes: []string{"Deploy"}}, {Role: "member"}})
		trail := w.trail()
		is.Equal(trail[len(trail)-2].Action, audit.OrganizationUpdated.String()) // then the role itself
	})

	t.Run("Should refuse an allow-list for a role that there is not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, s, o, _ := prepared(t, authz.WorkflowsStart)
		for role, known := range map[string]bool{"*": true, "viewer": true, "deployer": true, "deploier": false, "Member": false} {
			rules := org.AllowList{{Role: "member"}, {Role: role}}
			_, err := s.orgs.Update(t.Context(), holder(o, authz.Admin), o, orgs.UpdateInput{AllowList: &rules})
			is.Equal(err == nil, known)
			if !known {
				is.Equal(fault.From(err).Fields[0].Pointer, "/rules/1/role")
			}
		}
	})

	t.Run("Should take no rules for a name that a role is just losing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, i := prepared(t, authz.WorkflowsStart)
		set := make(chan error, 1)
		w.write(o, func(ctx context.Context, tx ports.Tx) error { // what a rename does
			if err := tx.Roles.Update(ctx, i, func(r *role.Role) error {
				_, err := r.Change(role.Spec{Name: "shipper", Permissions: authz.SetOf(authz.WorkflowsStart)}, w.clock.Now())
				return err
			}); err != nil {
				return err
			}
			if _, err := tx.Orgs.Lock(ctx); err != nil {
				return err
			}
			go func() {
				rules := org.AllowList{{Role: "deployer", WorkflowTypes: []string{"Deploy"}}}
				_, err := s.orgs.Update(t.Context(), holder(o, authz.Admin), o, orgs.UpdateInput{AllowList: &rules})
				set <- err
			}()
			for w.count("Orgs.Update") == 0 && len(set) == 0 { // until it waits for its turn
				runtime.Gosched()
			}
			return nil
		})
		is.True(errors.Is(<-set, fault.ErrInvalid))
		row := w.orgOf(o)
		is.Equal(len(row.Snapshot().Settings.AllowList), 0)
	})

	t.Run("Should change nothing, and tell nothing, for what is as it was", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, i := prepared(t, authz.UsersRead)
		r, err := s.roles.Update(t.Context(), holder(o, authz.Admin), o, i.String(), anyVersion, roles.UpdateInput{Name: new("deployer")})
		is.NoErr(err)
		is.Equal(r.Custom.Version, int64(1))
		is.Equal(len(w.trail()), 0)
	})

	t.Run("Should refuse whoever may less than the role does, before or after", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, i := prepared(t, authz.UsersRead, authz.AuditRead)
		weak := holder(o, authz.Admin, authz.RolesUpdate, authz.RolesDelete, authz.UsersRead)
		_, err := s.roles.Update(t.Context(), weak, o, i.String(), anyVersion, roles.UpdateInput{Permissions: new([]string{"users:read"})})
		is.Equal(err, error(authz.ErrPowerExceeded)) // nobody weakens who is stronger
		is.Equal(s.roles.Delete(t.Context(), weak, o, i.String(), anyVersion), error(authz.ErrPowerExceeded))
		equal := holder(o, authz.Admin, authz.RolesUpdate, authz.UsersRead, authz.AuditRead)
		_, err = s.roles.Update(t.Context(), equal, o, i.String(), anyVersion, roles.UpdateInput{Permissions: new([]string{"users:read", "users:create"})})
		is.Equal(err, error(authz.ErrPowerExceeded))
		_, err = s.roles.Update(t.Context(), equal, o, i.String(), anyVersion, roles.UpdateInput{Permissions: new([]string{"users:read"})})
		is.NoErr(err)
		is.Equal(len(w.trail()), 1)
	})

	t.Run("Should let nobody raise their own role", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, s, o, i := prepared(t, authz.RolesUpdate, authz.UsersRead)
		self := holder(o, authz.NewCustomRole(i, "deployer", authz.SetOf(authz.RolesUpdate, authz.UsersRead)))
		_, err := s.roles.Update(t.Context(), self, o, i.String(), anyVersion, roles.UpdateInput{Permissions: new([]string{"roles:update", "users:create"})})
		is.Equal(err, error(authz.ErrPowerExceeded))
	})

	t.Run("Should refuse an older version, and pass on what the precondition says", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, i := prepared(t, authz.UsersRead)
		by := holder(o, authz.Admin)
		_, err := s.roles.Update(t.Context(), by, o, i.String(), exactly(2), roles.UpdateInput{Name: new("shipper")})
		is.True(errors.Is(err, fault.ErrStale))
		is.True(errors.Is(s.roles.Delete(t.Context(), by, o, i.String(), exactly(2)), fault.ErrStale))
		none := func(got id.Role) (int64, error) { is.Equal(got, i); return 0, errBroken }
		is.True(errors.Is(s.roles.Delete(t.Context(), by, o, "deployer", none), errBroken))
		is.Equal(w.rows("roles"), 1)
	})

	t.Run("Should change and delete no built-in role", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, _ := prepared(t, authz.UsersRead)
		for _, b := range authz.Roles()[:4] {
			_, err := s.roles.Update(t.Context(), holder(o, authz.Admin), o, b.String(), anyVersion, roles.UpdateInput{Name: new("mine")})
			is.Equal(err, error(role.ErrBuiltIn))
			is.Equal(s.roles.Delete(t.Context(), holder(o, authz.Admin), o, b.String(), anyVersion), error(role.ErrBuiltIn))
		}
		_, err := s.roles.Get(t.Context(), holder(o, authz.Admin), o, "operator")
		is.True(errors.Is(err, fault.ErrNotFound)) // there is none in a tenant
		is.Equal(len(w.trail()), 0)
	})

	t.Run("Should delete what nobody has, and nothing else", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, i := prepared(t, authz.UsersRead)
		by := holder(o, authz.Admin)
		w.addUser(o, authz.NewCustomRole(i, "deployer", authz.SetOf(authz.UsersRead)), user.Suspended)
		is.True(errors.Is(s.roles.Delete(t.Context(), by, o, i.String(), anyVersion), role.ErrInUse))
		is.Equal(len(w.trail()), 0)
		free := w.addRole(o, "free", authz.SetOf(authz.UsersRead)).ID()
		is.NoErr(s.roles.Delete(t.Context(), by, o, "free", exactly(1)))
		is.Equal(w.rows("roles"), 1)
		is.Equal(w.trail()[0].Action, audit.RoleDeleted.String())
		is.Equal(w.trail()[0].ResourceID, free.String())
		is.True(errors.Is(s.roles.Delete(t.Context(), by, o, free.String(), anyVersion), fault.ErrNotFound))
	})

	t.Run("Should bind the keys of those who have it from the next authentication on", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, i := prepared(t, authz.UsersRead, authz.AuditRead)
		secret, err := apikey.NewSecret(random)
		is.NoErr(err)
		owner := w.addUser(o, authz.NewCustomRole(i, "deployer", authz.SetOf(authz.UsersRead, authz.AuditRead)), user.Active)
		w.addKey(apikey.Snapshot{
			ID: id.New[id.APIKeyKind](), OrgID: o, UserID: owner, Name: "k", Hash: peppers(t).Hash(secret), State: apikey.Active, Version: 1,
			CreatedAt: w.clock.Now(), UpdatedAt: w.clock.Now(),
		})
		may := func() authz.Set {
			a, err := s.auth.Authenticate(t.Context(), secret.Reveal(), netip.Addr{})
			is.NoErr(err)
			is.Equal(a.Actor.Role().ID(), i)
			return a.Actor.Permissions()
		}
		is.Equal(may(), authz.SetOf(authz.UsersRead, authz.AuditRead))
		_, err = s.roles.Update(t.Context(), holder(o, authz.Admin), o, i.String(), anyVersion, roles.UpdateInput{Permissions: new([]string{"users:read"})})
		is.NoErr(err)
		is.Equal(may(), authz.SetOf(authz.UsersRead))
	})
}

func TestRolesList(t *testing.T) {
	t.Parallel()

	t.Run("Should list the built-in roles and the organization's own, in pages without gap or repetition", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.addSystem()
		o, other := w.addOrg("own", org.Active), w.addOrg("other", org.Active)
		for _, name := range []string{"one", "two", "three"} {
			w.addRole(o, name, authz.SetOf(authz.UsersRead))
			w.addRole(other, name, authz.SetOf(authz.UsersRead))
		}
		names := func(o id.Org, limit int) (all []string) {
			var after uuid.UUID
			for {
				p, err := s.roles.List(t.Context(), holder(o, authz.Viewer), o, page.Request{Limit: limit, After: after})
				is.NoErr(err)
				is.True(len(p.Items) <= limit)
				for _, r := range p.Items {
					all = append(all, r.Authz.String())
				}
				if after = p.Next; after == uuid.Nil {
					return all
				}
			}
		}
		for limit := 1; limit <= 8; limit++ {
			is.Equal(names(o, limit), []string{"viewer", "member", "manager", "admin", "one", "two", "three"})
		}
		is.Equal(names(id.SystemOrg, 10), []string{"viewer", "member", "manager", "admin", "operator"})
	})
}
