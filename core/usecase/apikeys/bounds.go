package apikeys

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
)

// requirePower fails with authz.ErrPowerExceeded unless the actor may have to do with a
// key of an owner who has a role: its power must be the actor's too and, since whoever
// holds a user's key acts in that user's name, no other user of it may stand higher.
func requirePower(by authz.Actor, owner id.User, role authz.Role, scopes authz.Set) error {
	if err := by.RequirePower(role, scopes); err != nil {
		return err
	}
	if owner.IsZero() || owner == by.User() {
		return nil
	}
	return by.RequireRank(role)
}

// bounds are what an actor's own key binds the keys to that it makes or changes: else it
// would be bound to nothing itself.
type bounds struct {
	by        authz.Actor
	addresses apikey.IPList
	limits    limit.Set
	starts    org.AllowList // what its role may start
}

// bounds reads those of an actor, in an organization.
func (s *Service) bounds(ctx context.Context, by authz.Actor, o id.Org) (bounds, error) {
	b := bounds{by: by}
	if org.BindsGrants(by) {
		row, err := s.store.Reads(o).Org(ctx)
		if err != nil {
			return bounds{}, err
		}
		b.starts = row.Snapshot().Settings.AllowList
	}
	if !by.IsBound() {
		return b, nil
	}
	own, err := s.store.Reads(by.Org()).APIKey(ctx, by.Key())
	if err != nil {
		return bounds{}, err
	}
	at := own.Snapshot()
	b.addresses, b.limits = at.AllowedIPs, at.Limits
	return b, nil
}

// power fails with authz.ErrPowerExceeded unless the actor may have to do with a key
// whose owner has a role, and with what it may start.
func (b bounds) power(owner id.User, role authz.Role, scopes authz.Set) error {
	if err := requirePower(b.by, owner, role, scopes); err != nil {
		return err
	}
	return b.starts.CheckGrant(b.by, role, authz.Effective(role, scopes))
}

// hold fails when a key is bound less than they bind.
func (b bounds) hold(key apikey.Snapshot) error {
	if !key.AllowedIPs.Within(b.addresses) {
		return fault.InvalidField("/allowed_ips", "range", "must stay within the addresses of the key that makes or changes it")
	}
	if !key.Limits.Within(b.limits) {
		return fault.InvalidField("/limits", "range", "must be no wider than the limits of the key that makes or changes it")
	}
	return nil
}
