// Package users adds, shows and changes the users of an organization.
package users

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Service adds, shows and changes users.
type Service struct {
	store   ports.Store
	trail   ports.Trail
	limiter ports.Limiter
	limits  limit.Standard
	clock   ports.Clock
}

// New returns the service. limits are those of organizations for which none were set.
func New(store ports.Store, trail ports.Trail, limiter ports.Limiter, limits limit.Standard, clock ports.Clock) *Service {
	return &Service{store: store, trail: trail, limiter: limiter, limits: limits, clock: clock}
}

// resource is what the trail calls a user.
const resource = "user"

// AddInput is a new user.
type AddInput struct {
	Kind  user.Kind // the zero kind is a person
	Email string    // of a person
	Name  string    // "": the address
	Role  string    // a built-in role's name, or a custom role's id or name
}

// Add adds a user. Nobody can give a role with more power than their own. It
// fails with user.ErrEmailTaken, authz.ErrPowerExceeded, user.ErrOperatorOutside,
// role.ErrUnknown, limit.ErrExceeded, org.ErrState for an organization that is being
// deleted and, for a broken rule, fault.ErrInvalid.
func (s *Service) Add(ctx context.Context, by authz.Actor, org id.Org, in AddInput) (user.User, error) {
	if err := by.Require(authz.UsersCreate, org); err != nil {
		return user.User{}, err
	}
	r, err := s.role(ctx, org, "/role", in.Role)
	if err != nil {
		return user.User{}, err
	}
	now := s.clock.Now()
	u, err := compose(by, org, in, r, now)
	if err != nil {
		return user.User{}, err
	}
	if err := s.mayGive(ctx, by, org, r); err != nil {
		return user.User{}, err
	}
	var quota limit.Limit
	var used int64
	err = s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error {
		row, err := tx.Orgs.Lock(ctx)
		if err != nil {
			return err
		}
		if err := row.RequireStaying(); err != nil {
			return err
		}
		counts, err := tx.Orgs.Counts(ctx)
		if err != nil {
			return err
		}
		quota, used = s.quota(row), int64(counts.Members)
		if err := quota.Admit(limit.Users, used, 1); err != nil {
			return err
		}
		if err := tx.Users.Insert(ctx, u); err != nil {
			return err
		}
		used++
		return tx.Audit.Append(ctx, created(u, by, now))
	})
	s.limiter.Used(org, limit.Users, quota, used)
	if err != nil {
		return user.User{}, err
	}
	return u, nil
}

// quota returns how many users an organization may have.
func (s *Service) quota(row org.Org) limit.Limit {
	l, _ := s.limits.Of(limit.Users, row.Snapshot().Limits)
	return l
}

// mayGive fails with authz.ErrPowerExceeded when whoever has the role may start what the
// organization's allow-list does not let the actor start.
func (s *Service) mayGive(ctx context.Context, by authz.Actor, o id.Org, r authz.Role) error {
	if !org.BindsGrants(by) {
		return nil
	}
	row, err := s.store.Reads(o).Org(ctx)
	if err != nil {
		return err
	}
	return row.Snapshot().Settings.AllowList.CheckGrant(by, r, r.Permissions())
}

// givable returns the role that ref names, for the actor to give. It fails like role and
// mayGive.
func (s *Service) givable(ctx context.Context, by authz.Actor, o id.Org, ref string) (authz.Role, error) {
	r, err := s.role(ctx, o, "/role", ref)
	if err == nil {
		err = s.mayGive(ctx, by, o, r)
	}
	return r, err
}

// compose checks the input and makes the user of it.
func compose(by authz.Actor, org id.Org, in AddInput, r authz.Role, now time.Time) (user.User, error) {
	u, err := build(org, in, r, now)
	if err != nil {
		return user.User{}, err
	}
	return u, by.RequirePower(r, 0)
}

func build(org id.Org, in AddInput, r authz.Role, now time.Time) (user.User, error) {
	i := id.New[id.UserKind]()
	if in.Kind != user.ServiceAccount {
		email, err := user.ParseEmail("/email", in.Email)
		if err != nil {
			return user.User{}, err
		}
		return user.New(i, org, email, in.Name, r, now)
	}
	if in.Email != "" {
		return user.User{}, fault.InvalidField("/email", "unexpected", "must be absent, as a service account has no address")
	}
	return user.NewServiceAccount(i, org, in.Name, r, now)
}

func created(u user.User, by authz.Actor, now time.Time) audit.Entry {
	s := u.Snapshot()
	changes := map[string]audit.Change{
		"kind": audit.Created(s.Kind.String()), "name": audit.Created(s.Name), "role": audit.Created(s.Role.String()),
	}
	if s.Email != "" {
		changes["email"] = audit.Created(s.Email)
	}
	return audit.Accepted(s.OrgID, now, by, audit.UserCreated, resource, s.ID.String(), changes)
}

// role returns the role that a text names in the organization. It fails with
// role.ErrUnknown, and names the place of the text.
func (s *Service) role(ctx context.Context, org id.Org, pointer, ref string) (authz.Role, error) {
	if ref == "" {
		return authz.Role{}, fault.InvalidField(pointer, "required", "must be a role")
	}
	if r, err := authz.ParseRole(ref); err == nil {
		return r, nil
	}
	find := func() (role.Role, error) { return s.store.Reads(org).RoleByName(ctx, ref) }
	if i, err := id.Parse[id.RoleKind](ref); err == nil {
		find = func() (role.Role, error) { return s.store.Reads(org).Role(ctx, i) }
	}
	custom, err := find()
	if fault.IsKind(err, fault.NotFound) {
		return authz.Role{}, role.ErrUnknown.WithFields(fault.Field{
			Pointer: pointer, Rule: "exists", Detail: "must be a built-in role, or the id or name of a custom role",
		})
	}
	if err != nil {
		return authz.Role{}, err
	}
	return custom.Authz(), nil
}

// Get shows a user.
func (s *Service) Get(ctx context.Context, by authz.Actor, org id.Org, u id.User) (user.User, error) {
	if err := by.Require(authz.UsersRead, org); err != nil {
		return user.User{}, err
	}
	return s.store.Reads(org).User(ctx, u)
}

// List lists the users that the filter chooses. It fails with role.ErrUnknown for a
// role that nobody can have.
func (s *Service) List(ctx context.Context, by authz.Actor, org id.Org, f user.Filter, r page.Request) (page.Page[user.User], error) {
	if err := by.Require(authz.UsersRead, org); err != nil {
		return page.Page[user.User]{}, err
	}
	if f.Role != "" {
		if _, err := s.role(ctx, org, "role", f.Role); err != nil {
			return page.Page[user.User]{}, err
		}
	}
	return s.store.Reads(org).Users(ctx, f, r)
}
