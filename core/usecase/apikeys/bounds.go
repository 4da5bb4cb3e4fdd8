package apikeys

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
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
	addresses apikey.IPList
	limits    limit.Set
}

// bounds reads those of an actor.
func (s *Service) bounds(ctx context.Context, by authz.Actor) (bounds, error) {
	if !by.IsBound() {
		return bounds{}, nil
	}
	own, err := s.store.Reads(by.Org()).APIKey(ctx, by.Key())
	if err != nil {
		return bounds{}, err
	}
	at := own.Snapshot()
	return bounds{addresses: at.AllowedIPs, limits: at.Limits}, nil
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
