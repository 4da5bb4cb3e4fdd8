package apikeys

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Revoke ends a key for good, with all of its secrets. Revoking it again is
// success. It takes no power but the permission: a key that does harm must be
// stopped by whoever sees it. It fails with authz.ErrPowerExceeded for a key of
// the platform.
func (s *Service) Revoke(ctx context.Context, by authz.Actor, org id.Org, k id.APIKey) (apikey.Key, error) {
	if err := by.Require(authz.APIKeysRevoke, org); err != nil {
		return apikey.Key{}, err
	}
	if err := requireOwn(by, org); err != nil {
		return apikey.Key{}, err
	}
	now := s.clock.Now()
	var revoked apikey.Key
	err := s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error {
		var before apikey.Snapshot
		changed := false
		err := tx.APIKeys.Update(ctx, k, func(key *apikey.Key) error {
			before = key.Snapshot()
			changed = key.Revoke(now)
			revoked = *key
			return nil
		})
		if err != nil || !changed {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(org, now, by, audit.APIKeyRevoked, resource, k.String(),
			differences(before, revoked.Snapshot())))
	})
	if err != nil {
		return apikey.Key{}, err
	}
	return revoked, nil
}

// Delete removes a key that is revoked or has expired, if it still has the
// expected version; 0 is any. Its trail stays. It fails with fault.ErrNotFound,
// fault.ErrStale, apikey.ErrLive and authz.ErrPowerExceeded.
func (s *Service) Delete(ctx context.Context, by authz.Actor, org id.Org, k id.APIKey, expected int64) error {
	if err := by.Require(authz.APIKeysDelete, org); err != nil {
		return err
	}
	if err := requireOwn(by, org); err != nil {
		return err
	}
	now := s.clock.Now()
	return s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error {
		var last apikey.Snapshot
		err := tx.APIKeys.Delete(ctx, k, func(key *apikey.Key) error {
			last = key.Snapshot()
			if err := fault.CheckVersion(last.Version, expected); err != nil {
				return err
			}
			return key.RequireDeletable(now)
		})
		if err != nil {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(org, now, by, audit.APIKeyDeleted, resource, k.String(), removal(last)))
	})
}
