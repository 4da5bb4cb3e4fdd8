package apikeys

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/ports"
)

// UpdateInput is what a key is to become. What is nil stays.
type UpdateInput struct {
	Name        *string
	Description *string
	Scopes      *[]string
	AllowedIPs  *[]string
	Metadata    *map[string]string
	Limits      map[limit.Name]limit.Spec // all of them; empty: none
	ExpiresAt   *time.Time                // of a zero time: never
}

// Update changes a key that still has the expected version; 0 is any. Nobody
// changes a key that has more power than they, or gives it more, or one of somebody who
// stands higher; and no key changes another, or itself, to one with other addresses or
// wider limits than its own. It fails with
// fault.ErrNotFound, fault.ErrStale, authz.ErrPowerExceeded, apikey.ErrState,
// apikey.ErrUnknownScope and fault.ErrInvalid.
func (s *Service) Update(ctx context.Context, by authz.Actor, org id.Org, k id.APIKey, expected int64, in UpdateInput) (apikey.Key, error) {
	if err := by.Require(authz.APIKeysUpdate, org); err != nil {
		return apikey.Key{}, err
	}
	change, err := in.change()
	if err != nil {
		return apikey.Key{}, err
	}
	now := s.clock.Now()
	if in.ExpiresAt != nil {
		at, err := s.expiry(ctx, by, org, in.ExpiresAt, now)
		if err != nil {
			return apikey.Key{}, err
		}
		change.ExpiresAt = &at
	}
	return s.change(ctx, by, org, k, now, audit.APIKeyUpdated, func(key *apikey.Key) error {
		if err := fault.CheckVersion(key.Snapshot().Version, expected); err != nil {
			return err
		}
		_, err := key.Apply(change, now)
		return err
	})
}

// change reads what was asked for, but for the expiry.
func (in UpdateInput) change() (apikey.Change, error) {
	c := apikey.Change{Name: in.Name, Description: in.Description}
	if in.Scopes != nil {
		scopes, err := parseScopes(*in.Scopes)
		if err != nil {
			return apikey.Change{}, err
		}
		c.Scopes = &scopes
	}
	if in.AllowedIPs != nil {
		list, err := apikey.ParseIPList(*in.AllowedIPs)
		if err != nil {
			return apikey.Change{}, err
		}
		c.AllowedIPs = &list
	}
	if in.Metadata != nil {
		m, err := apikey.NewMetadata(*in.Metadata)
		if err != nil {
			return apikey.Change{}, err
		}
		c.Metadata = &m
	}
	if in.Limits != nil {
		limits, err := limit.NewKeySet(in.Limits)
		if err != nil {
			return apikey.Change{}, err
		}
		c.Limits = &limits
	}
	return c, nil
}

// Disable switches a key off, reversibly. It fails with fault.ErrNotFound,
// authz.ErrPowerExceeded and, unless the key is active, apikey.ErrState.
func (s *Service) Disable(ctx context.Context, by authz.Actor, org id.Org, k id.APIKey) (apikey.Key, error) {
	if err := by.Require(authz.APIKeysUpdate, org); err != nil {
		return apikey.Key{}, err
	}
	now := s.clock.Now()
	return s.change(ctx, by, org, k, now, audit.APIKeyDisabled, func(key *apikey.Key) error { return key.Disable(now) })
}

// Enable switches it on again. It fails with fault.ErrNotFound,
// authz.ErrPowerExceeded and, unless the key is disabled, apikey.ErrState.
func (s *Service) Enable(ctx context.Context, by authz.Actor, org id.Org, k id.APIKey) (apikey.Key, error) {
	if err := by.Require(authz.APIKeysUpdate, org); err != nil {
		return apikey.Key{}, err
	}
	now := s.clock.Now()
	return s.change(ctx, by, org, k, now, audit.APIKeyEnabled, func(key *apikey.Key) error { return key.Enable(now) })
}

// Rotate gives a key a new secret and returns it, which exists nowhere else
// afterwards. The old one lives on as the rotation says. Whoever rotates a key
// learns a secret of its power and its life, so they need both themselves. It
// fails with fault.ErrNotFound, authz.ErrPowerExceeded, fault.ErrInvalid when the
// key outlives the actor's or is less bound, apikey.ErrState and apikey.ErrTwoSecrets.
func (s *Service) Rotate(ctx context.Context, by authz.Actor, org id.Org, k id.APIKey, r apikey.Rotation) (apikey.Key, apikey.Secret, error) {
	if err := by.Require(authz.APIKeysRotate, org); err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	secret, err := apikey.NewSecret(s.random)
	if err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	now, hash := s.clock.Now(), s.peppers.Hash(secret)
	key, err := s.change(ctx, by, org, k, now, audit.APIKeyRotated, func(key *apikey.Key) error {
		if err := outlives(by, key.Snapshot().ExpiresAt); err != nil {
			return err
		}
		return key.Rotate(secret, hash, r, now)
	})
	if err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	return key, secret, nil
}

// change lets fn change a key that has no more power than the actor, nor has it
// afterwards, and writes
// the trail of what became of it; nothing when nothing did. The key's user is locked
// before the key, as whoever makes a key does; a key never changes hands, so that its
// user can be read before.
func (s *Service) change(ctx context.Context, by authz.Actor, org id.Org, k id.APIKey, now time.Time, action audit.Action,
	fn func(key *apikey.Key) error,
) (apikey.Key, error) {
	if err := requireOwn(by, org); err != nil {
		return apikey.Key{}, err
	}
	seen, err := s.store.Reads(org).APIKey(ctx, k)
	if err != nil {
		return apikey.Key{}, err
	}
	bound, err := s.bounds(ctx, by, org)
	if err != nil {
		return apikey.Key{}, err
	}
	var changed apikey.Key
	err = s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error {
		role, err := ownerRole(ctx, tx, org, seen.Snapshot().UserID)
		if err != nil {
			return err
		}
		var changes map[string]audit.Change
		err = tx.APIKeys.Update(ctx, k, func(key *apikey.Key) error {
			before := key.Snapshot()
			if err := bound.power(before.UserID, role, before.Scopes); err != nil {
				return err
			}
			if err := fn(key); err != nil {
				return err
			}
			after := key.Snapshot()
			if err := bound.power(after.UserID, role, after.Scopes); err != nil {
				return err
			}
			if err := bound.hold(after); err != nil {
				return err
			}
			changed, changes = *key, differences(before, after)
			return nil
		})
		if err != nil || len(changes) == 0 {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(org, now, by, action, resource, k.String(), changes))
	})
	if err != nil {
		return apikey.Key{}, err
	}
	return changed, nil
}

// ownerRole returns the role that bounds a key, whatever has become of its user.
func ownerRole(ctx context.Context, tx ports.Tx, org id.Org, owner id.User) (authz.Role, error) {
	if owner.IsZero() {
		return apikey.OwnerRole(org, id.User{}, authz.Role{}), nil
	}
	u, err := tx.Users.Lock(ctx, owner)
	if err != nil {
		return authz.Role{}, err
	}
	return u.Role(), nil
}

// requireOwn leaves the keys of the system organization to actors of the
// platform: whoever could end the operators' keys could lock them out.
func requireOwn(by authz.Actor, org id.Org) error {
	if org == id.SystemOrg && !by.IsPlatform() {
		return authz.ErrPowerExceeded
	}
	return nil
}
