// Package users adds and shows the users of an organization.
package users

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Service adds and shows users.
type Service struct {
	store ports.Store
	clock ports.Clock
}

// New returns the service.
func New(store ports.Store, clock ports.Clock) *Service {
	return &Service{store: store, clock: clock}
}

// AddInput is a new user.
type AddInput struct {
	Email string
	Name  string // "": the address
	Role  authz.Role
}

// Add adds a user. Nobody can give a role with more power than their own. It
// fails with user.ErrEmailTaken, authz.ErrPowerExceeded, user.ErrOperatorOutside
// and, for a broken rule, fault.ErrInvalid.
func (s *Service) Add(ctx context.Context, by authz.Actor, org id.Org, in AddInput) (user.User, error) {
	if err := by.Require(authz.UsersCreate, org); err != nil {
		return user.User{}, err
	}
	now := s.clock.Now()
	email, err := user.ParseEmail("/email", in.Email)
	if err != nil {
		return user.User{}, err
	}
	u, err := user.New(id.New[id.UserKind](), org, email, in.Name, in.Role, now)
	if err != nil {
		return user.User{}, err
	}
	if err := by.RequirePower(in.Role, 0); err != nil {
		return user.User{}, err
	}
	err = s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Users.Insert(ctx, u); err != nil {
			return err
		}
		return tx.Audit.Append(ctx, audit.Succeeds(org, now, by, audit.UserCreated, "user", u.ID().String(),
			map[string]audit.Change{"email": audit.Created(email.String()), "role": audit.Created(in.Role.String())}))
	})
	if err != nil {
		return user.User{}, err
	}
	return u, nil
}

// Get shows a user.
func (s *Service) Get(ctx context.Context, by authz.Actor, org id.Org, u id.User) (user.User, error) {
	if err := by.Require(authz.UsersRead, org); err != nil {
		return user.User{}, err
	}
	return s.store.Reads(org).User(ctx, u)
}

// List lists the users that were not removed.
func (s *Service) List(ctx context.Context, by authz.Actor, org id.Org, r page.Request) (page.Page[user.User], error) {
	if err := by.Require(authz.UsersRead, org); err != nil {
		return page.Page[user.User]{}, err
	}
	return s.store.Reads(org).Users(ctx, r)
}
