package users

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// UpdateInput is what to change of a user; "" leaves it.
type UpdateInput struct {
	Name string
	Role string // as in AddInput
}

// Update changes a user's name and role. It fails with user.ErrOneself for one's
// own role, authz.ErrPowerExceeded, user.ErrLastAdmin, role.ErrUnknown,
// user.ErrState, fault.ErrStale, fault.ErrNotFound and, for a broken rule,
// fault.ErrInvalid.
func (s *Service) Update(ctx context.Context, by authz.Actor, org id.Org, u id.User, ifVersion int64, in UpdateInput) (user.User, error) {
	if err := by.Require(authz.UsersUpdate, org); err != nil {
		return user.User{}, err
	}
	var to authz.Role
	if in.Role != "" {
		var err error
		if to, err = s.givable(ctx, by, org, in.Role); err != nil {
			return user.User{}, err
		}
	}
	return s.change(ctx, by, org, u, ifVersion, audit.UserUpdated, func(c *changing) error {
		if in.Name != "" {
			if err := c.rename(in.Name); err != nil {
				return err
			}
		}
		if to.IsZero() {
			return nil
		}
		return c.setRole(to)
	})
}

// Suspend takes away a user's access, reversibly: their keys are refused from
// the next request on. It fails with user.ErrOneself, authz.ErrPowerExceeded,
// user.ErrLastAdmin, user.ErrState, fault.ErrNotFound and fault.ErrInvalid.
func (s *Service) Suspend(ctx context.Context, by authz.Actor, org id.Org, u id.User, reason string) (user.User, error) {
	if err := by.Require(authz.UsersSuspend, org); err != nil {
		return user.User{}, err
	}
	return s.change(ctx, by, org, u, 0, audit.UserSuspended, func(c *changing) error { return c.suspend(reason) })
}

// Resume ends a suspension. It fails with authz.ErrPowerExceeded, user.ErrState
// and fault.ErrNotFound.
func (s *Service) Resume(ctx context.Context, by authz.Actor, org id.Org, u id.User) (user.User, error) {
	if err := by.Require(authz.UsersSuspend, org); err != nil {
		return user.User{}, err
	}
	return s.change(ctx, by, org, u, 0, audit.UserResumed, (*changing).resume)
}

// Remove ends a user's membership for good; their address is free again. It fails
// like Suspend, and with fault.ErrStale.
func (s *Service) Remove(ctx context.Context, by authz.Actor, org id.Org, u id.User, ifVersion int64) (user.User, error) {
	if err := by.Require(authz.UsersRemove, org); err != nil {
		return user.User{}, err
	}
	return s.change(ctx, by, org, u, ifVersion, audit.UserRemoved, (*changing).remove)
}

// change runs fn on a user in a transaction that holds the organization's turn:
// two that would each remove one of the last two admins come one after the other.
func (s *Service) change(
	ctx context.Context, by authz.Actor, org id.Org, u id.User, ifVersion int64, action audit.Action, fn func(*changing) error,
) (user.User, error) {
	now := s.clock.Now()
	var after user.User
	err := s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error {
		found, err := tx.Users.LockAll(ctx, []id.User{u})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fault.ErrNotFound
		}
		if err := fault.CheckVersion(found[0].Snapshot().Version, ifVersion); err != nil {
			return err
		}
		tops, err := tx.Users.CountActive(ctx, user.TopRole(org))
		if err != nil {
			return err
		}
		c := changing{by: by, now: now, user: found[0], tops: &tops}
		if err := c.run(fn); err != nil {
			return err
		}
		after = c.user
		if len(c.changes) == 0 {
			return nil
		}
		if err := tx.Users.UpdateAll(ctx, []user.User{c.user}); err != nil {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(org, now, by, action, resource, u.String(), c.changes))
	})
	if err != nil {
		return user.User{}, err
	}
	return after, nil
}

// changing is a user in the middle of a change, with the rules that every change
// keeps.
type changing struct {
	by      authz.Actor
	now     time.Time
	user    user.User
	tops    *int // how many active users have the organization's top role
	changes map[string]audit.Change
}

// run does the change. Nobody changes somebody who may do more than they, and the
// organization keeps an active admin.
func (c *changing) run(fn func(*changing) error) error {
	if err := c.by.RequireRank(c.user.Role()); err != nil {
		return err
	}
	before := c.user
	if err := fn(c); err != nil {
		c.user, c.changes = before, nil
		return err
	}
	tops := *c.tops
	if before.IsTop() {
		tops--
	}
	if c.user.IsTop() {
		tops++
	}
	if tops == 0 && before.IsTop() {
		c.user, c.changes = before, nil
		return user.ErrLastAdmin
	}
	*c.tops = tops
	return nil
}

func (c *changing) note(field string, before, after any) {
	if c.changes == nil {
		c.changes = map[string]audit.Change{}
	}
	c.changes[field] = audit.Change{Before: before, After: after}
}

// another fails for the actor themselves.
func (c *changing) another() error {
	if !c.by.User().IsZero() && c.by.User() == c.user.ID() {
		return user.ErrOneself
	}
	return nil
}

func (c *changing) rename(name string) error {
	before := c.user.Snapshot().Name
	changed, err := c.user.Rename(name, c.now)
	if changed {
		c.note("name", before, name)
	}
	return err
}

func (c *changing) setRole(to authz.Role) error {
	before := c.user.Role()
	if before == to {
		return nil
	}
	if err := c.another(); err != nil {
		return err
	}
	if err := c.by.RequirePower(to, 0); err != nil {
		return err
	}
	if _, err := c.user.SetRole(to, c.now); err != nil {
		return err
	}
	c.note("role", before.String(), to.String())
	return nil
}

func (c *changing) suspend(reason string) error {
	if err := c.another(); err != nil {
		return err
	}
	return c.move(func() error { return c.user.Suspend(reason, c.now) })
}

func (c *changing) resume() error { return c.move(func() error { return c.user.Resume(c.now) }) }

func (c *changing) remove() error {
	if err := c.another(); err != nil {
		return err
	}
	return c.move(func() error { return c.user.Remove(c.now) })
}

// move changes the state, and notes it with its reason.
func (c *changing) move(do func() error) error {
	before := c.user.Snapshot()
	if err := do(); err != nil {
		return err
	}
	after := c.user.Snapshot()
	c.note("state", before.State.String(), after.State.String())
	if before.Reason != after.Reason {
		c.note("reason", before.Reason, after.Reason)
	}
	return nil
}
