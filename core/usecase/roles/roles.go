// Package roles shows an organization's roles, makes and changes those of its own,
// and explains what roles and scopes allow.
package roles

import (
	"context"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Service shows and changes roles.
type Service struct {
	store   ports.Store
	limiter ports.Limiter
	clock   ports.Clock
}

// New returns the service.
func New(store ports.Store, limiter ports.Limiter, clock ports.Clock) *Service {
	return &Service{store: store, limiter: limiter, clock: clock}
}

// resource is what the trail calls a role.
const resource = "role"

// Role is a role that can be given in an organization.
type Role struct {
	Authz  authz.Role
	Custom role.Snapshot // zero: built-in
}

func custom(r role.Role) Role { return Role{Authz: r.Authz(), Custom: r.Snapshot()} }

// builtIn lists the built-in roles that exist in an organization. Operators are
// of the system organization alone.
func builtIn(org id.Org) []authz.Role {
	all := authz.Roles()
	if org == id.SystemOrg {
		return all
	}
	return all[:len(all)-1]
}

// builtInKey stands for a built-in role where a list goes on after it. It is
// before every identifier there is, as those begin with the time.
func builtInKey(n int) uuid.UUID {
	return uuid.UUID{15: byte(n + 1)} //nolint:gosec // there are five of them
}

// List lists the built-in roles, from the weakest to the strongest, and then the
// organization's own, oldest first.
func (s *Service) List(ctx context.Context, by authz.Actor, org id.Org, r page.Request) (page.Page[Role], error) {
	if err := by.Require(authz.RolesRead, org); err != nil {
		return page.Page[Role]{}, err
	}
	keys := map[authz.Role]uuid.UUID{}
	var rows []Role
	for n, b := range builtIn(org) {
		keys[b] = builtInKey(n)
		if keys[b].String() > r.After.String() {
			rows = append(rows, Role{Authz: b})
		}
	}
	own, err := s.store.Reads(org).Roles(ctx, r)
	if err != nil {
		return page.Page[Role]{}, err
	}
	for _, o := range own.Items {
		rows = append(rows, custom(o))
	}
	key := func(r Role) uuid.UUID {
		if k, ok := keys[r.Authz]; ok {
			return k
		}
		return r.Custom.ID.UUID()
	}
	p := page.Cut(rows, r.Limit, key)
	if p.Next == uuid.Nil {
		p.Next = own.Next
	}
	return p, nil
}

// Get shows the role that ref names: a built-in one or a custom one by its name,
// or a custom one by its identifier.
func (s *Service) Get(ctx context.Context, by authz.Actor, org id.Org, ref string) (Role, error) {
	if err := by.Require(authz.RolesRead, org); err != nil {
		return Role{}, err
	}
	for _, b := range builtIn(org) {
		if b.String() == ref {
			return Role{Authz: b}, nil
		}
	}
	r, err := s.find(ctx, org, ref)
	if err != nil {
		return Role{}, err
	}
	return custom(r), nil
}

func (s *Service) find(ctx context.Context, org id.Org, ref string) (role.Role, error) {
	if i, err := id.Parse[id.RoleKind](ref); err == nil {
		return s.store.Reads(org).Role(ctx, i)
	}
	return s.store.Reads(org).RoleByName(ctx, ref)
}

// CreateInput is a new role.
type CreateInput struct {
	Name        string
	Description string
	Permissions []string
}

// Create makes a custom role, which can hold no more than its maker may do. It
// fails with role.ErrNameTaken, role.ErrUnknownPermission,
// role.ErrPlatformPermission, authz.ErrPowerExceeded, org.ErrState for an
// organization that is being deleted and, for a broken rule, fault.ErrInvalid.
func (s *Service) Create(ctx context.Context, by authz.Actor, org id.Org, in CreateInput) (Role, error) {
	if err := by.Require(authz.RolesCreate, org); err != nil {
		return Role{}, err
	}
	set, err := role.ParsePermissions(in.Permissions)
	if err != nil {
		return Role{}, err
	}
	now := s.clock.Now()
	r, err := role.New(id.New[id.RoleKind](), org, role.Spec{Name: in.Name, Description: in.Description, Permissions: set}, now)
	if err != nil {
		return Role{}, err
	}
	if err := by.RequirePower(r.Authz(), 0); err != nil {
		return Role{}, err
	}
	err = s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error {
		row, err := tx.Orgs.Lock(ctx)
		if err != nil {
			return err
		}
		if err := row.RequireStaying(); err != nil {
			return err
		}
		if err := tx.Roles.Insert(ctx, r); err != nil {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(org, now, by, audit.RoleCreated, resource, r.Snapshot().ID.String(),
			differences(role.Spec{}, r.Spec())))
	})
	if err != nil {
		return Role{}, err
	}
	return custom(r), nil
}

// UpdateInput is what to change of a role; nil leaves it.
type UpdateInput struct {
	Name        *string
	Description *string
	Permissions *[]string
}

// Precondition returns the version of a role that a change is meant for; 0 is any.
// The request can not tell before it is known which role its name means.
type Precondition func(id.Role) (version int64, err error)

// Update changes a custom role. Neither what it holds nor what it is to hold can
// exceed what the actor may do. Those who have it are bound by it from their next
// authentication on. It fails like Create, and with role.ErrBuiltIn,
// fault.ErrStale and fault.ErrNotFound.
func (s *Service) Update(ctx context.Context, by authz.Actor, org id.Org, ref string, pre Precondition, in UpdateInput) (Role, error) {
	if err := by.Require(authz.RolesUpdate, org); err != nil {
		return Role{}, err
	}
	i, version, err := s.changeable(ctx, org, ref, pre)
	if err != nil {
		return Role{}, err
	}
	var set authz.Set
	if in.Permissions != nil {
		if set, err = role.ParsePermissions(*in.Permissions); err != nil {
			return Role{}, err
		}
	}
	now := s.clock.Now()
	var after role.Role
	err = s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error {
		var before role.Spec
		changed := false
		err := tx.Roles.Update(ctx, i, func(r *role.Role) error {
			if err := own(by, *r, version); err != nil {
				return err
			}
			before = r.Spec()
			to := before
			if in.Name != nil {
				to.Name = *in.Name
			}
			if in.Description != nil {
				to.Description = *in.Description
			}
			if in.Permissions != nil {
				to.Permissions = set
			}
			var err error
			if changed, err = r.Change(to, now); err != nil {
				return err
			}
			after = *r
			return by.RequirePower(r.Authz(), 0)
		})
		if err != nil || !changed {
			return err
		}
		if to := after.Spec().Name; to != before.Name {
			if err := followed(ctx, tx, by, before.Name, to, now); err != nil {
				return err
			}
		}
		return tx.Audit.Append(ctx, audit.Accepted(org, now, by, audit.RoleUpdated, resource, i.String(), differences(before, after.Spec())))
	})
	if err != nil {
		return Role{}, err
	}
	return custom(after), nil
}

// Delete deletes a custom role that nobody has. It fails with role.ErrInUse,
// role.ErrBuiltIn, authz.ErrPowerExceeded, fault.ErrStale and fault.ErrNotFound.
func (s *Service) Delete(ctx context.Context, by authz.Actor, org id.Org, ref string, pre Precondition) error {
	if err := by.Require(authz.RolesDelete, org); err != nil {
		return err
	}
	i, version, err := s.changeable(ctx, org, ref, pre)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	return s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error {
		var gone role.Spec
		err := tx.Roles.Update(ctx, i, func(r *role.Role) error { // holds its row
			gone = r.Spec()
			return own(by, *r, version)
		})
		if err != nil {
			return err
		}
		if err := tx.Roles.Delete(ctx, i); err != nil {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(org, now, by, audit.RoleDeleted, resource, i.String(), differences(gone, role.Spec{})))
	})
}

// changeable returns the custom role that ref names, and the version that is meant.
func (s *Service) changeable(ctx context.Context, org id.Org, ref string, pre Precondition) (id.Role, int64, error) {
	for _, b := range builtIn(org) {
		if b.String() == ref {
			return id.Role{}, 0, role.ErrBuiltIn
		}
	}
	r, err := s.find(ctx, org, ref)
	if err != nil {
		return id.Role{}, 0, err
	}
	i := r.Snapshot().ID
	version, err := pre(i)
	return i, version, err
}

// own fails unless the role has the version that the actor means, and holds no
// more than they do: nobody changes a role that is stronger than they are.
func own(by authz.Actor, r role.Role, version int64) error {
	if err := by.RequirePower(r.Authz(), 0); err != nil {
		return err
	}
	return fault.CheckVersion(r.Snapshot().Version, version)
}

// differences are the fields that two states of a role do not share. The zero
// state is before it was made and after it was deleted.
func differences(before, after role.Spec) map[string]audit.Change {
	changes := map[string]audit.Change{}
	note := func(field string, differs bool, b, a any) {
		if !differs {
			return
		}
		c := audit.Change{Before: b, After: a}
		if before == (role.Spec{}) {
			c.Before = nil
		}
		if after == (role.Spec{}) {
			c.After = nil
		}
		changes[field] = c
	}
	note("name", before.Name != after.Name, before.Name, after.Name)
	note("description", before.Description != after.Description, before.Description, after.Description)
	note("permissions", before.Permissions != after.Permissions, before.Permissions.Names(), after.Permissions.Names())
	return changes
}
