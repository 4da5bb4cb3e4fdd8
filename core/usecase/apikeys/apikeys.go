// Package apikeys creates, shows and revokes API keys.
package apikeys

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Service creates, shows and revokes API keys.
type Service struct {
	store   ports.Store
	clock   ports.Clock
	peppers apikey.Peppers
	random  io.Reader
}

// New returns the service. random is a cryptographic source.
func New(store ports.Store, clock ports.Clock, peppers apikey.Peppers, random io.Reader) *Service {
	return &Service{store: store, clock: clock, peppers: peppers, random: random}
}

// CreateInput is a new key.
type CreateInput struct {
	UserID    id.User // zero: a key of the organization itself
	Name      string
	Scopes    []string
	ExpiresAt time.Time // zero: never
}

// Create creates a key and returns it with its secret, which exists nowhere else
// afterwards. The key can be given no more power than the actor has. It fails
// with authz.ErrPowerExceeded, apikey.ErrUnknownScope, apikey.ErrScopesUnset,
// fault.ErrInvalid for a broken rule, and fault.ErrInvalid naming /user_id for a
// user who is absent or not active.
func (s *Service) Create(ctx context.Context, by authz.Actor, org id.Org, in CreateInput) (apikey.Key, apikey.Secret, error) {
	if err := by.Require(authz.APIKeysCreate, org); err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	scopes, err := parseScopes(in.Scopes)
	if err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	if end := by.ExpiresAt(); !end.IsZero() && (in.ExpiresAt.IsZero() || in.ExpiresAt.After(end)) {
		return apikey.Key{}, apikey.Secret{}, fault.InvalidField("/expires_at", "range", "must not be later than the end of the key that makes it")
	}
	secret, err := apikey.NewSecret(s.random)
	if err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	now := s.clock.Now()
	spec := apikey.Spec{UserID: in.UserID, Name: in.Name, Scopes: scopes, ExpiresAt: in.ExpiresAt.Truncate(time.Microsecond)}
	key, err := apikey.New(id.New[id.APIKeyKind](), org, spec, secret, s.peppers.Hash(secret), now)
	if err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	err = s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error {
		role, err := ownerRole(ctx, tx, org, in.UserID)
		if err != nil {
			return err
		}
		if err := by.RequirePower(role, scopes); err != nil {
			return err
		}
		if err := tx.APIKeys.Insert(ctx, key); err != nil {
			return err
		}
		return tx.Audit.Append(ctx, audit.Succeeds(org, now, by, audit.APIKeyCreated, "apikey", key.Snapshot().ID.String(),
			map[string]audit.Change{"name": audit.Created(in.Name), "user": audit.Created(in.UserID.String()), "scopes": audit.Created(scopes.Names())}))
	})
	if err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	return key, secret, nil
}

func parseScopes(names []string) (authz.Set, error) {
	s, err := authz.ParseSet(names)
	if unknown := (*authz.UnknownPermissionError)(nil); errors.As(err, &unknown) {
		return 0, apikey.ErrUnknownScope.WithFields(fault.Field{
			Pointer: "/scopes/" + strconv.Itoa(unknown.Index), Rule: "enum", Detail: "must be one of: " + unknown.Known,
		})
	}
	return s, err
}

// ownerRole returns the role that bounds a key. It locks its user, so that the
// role can not change between the check and the commit.
func ownerRole(ctx context.Context, tx ports.Tx, org id.Org, owner id.User) (authz.Role, error) {
	if owner.IsZero() {
		return apikey.OwnerRole(org, id.User{}, authz.Role{}), nil
	}
	u, err := tx.Users.Lock(ctx, owner)
	if err == nil {
		err = u.RequireActive()
	}
	if fault.IsKind(err, fault.NotFound) || fault.IsKind(err, fault.Conflict) {
		return authz.Role{}, fault.InvalidField("/user_id", "active_user", "must be an active user of the organization")
	}
	if err != nil {
		return authz.Role{}, err
	}
	return u.Role(), nil
}

// Revoke ends a key for good. Revoking it again is success. In the system
// organization it is for actors of the platform alone: whoever could revoke the
// operators' keys could lock them out. It fails with authz.ErrPowerExceeded.
func (s *Service) Revoke(ctx context.Context, by authz.Actor, org id.Org, k id.APIKey) (apikey.Key, error) {
	if err := by.Require(authz.APIKeysRevoke, org); err != nil {
		return apikey.Key{}, err
	}
	if org == id.SystemOrg && !by.IsPlatform() {
		return apikey.Key{}, authz.ErrPowerExceeded
	}
	now := s.clock.Now()
	var revoked apikey.Key
	err := s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error {
		var before apikey.State
		changed := false
		err := tx.APIKeys.Update(ctx, k, func(key *apikey.Key) error {
			before = key.Snapshot().State
			changed = key.Revoke(now)
			revoked = *key
			return nil
		})
		if err != nil || !changed {
			return err
		}
		return tx.Audit.Append(ctx, audit.Succeeds(org, now, by, audit.APIKeyRevoked, "apikey", k.String(),
			map[string]audit.Change{"state": {Before: before.String(), After: apikey.Revoked.String()}}))
	})
	if err != nil {
		return apikey.Key{}, err
	}
	return revoked, nil
}

// Get shows a key, without its secret.
func (s *Service) Get(ctx context.Context, by authz.Actor, org id.Org, k id.APIKey) (apikey.Key, error) {
	if err := by.Require(authz.APIKeysRead, org); err != nil {
		return apikey.Key{}, err
	}
	return s.store.Reads(org).APIKey(ctx, k)
}

// List lists all keys, revoked ones too.
func (s *Service) List(ctx context.Context, by authz.Actor, org id.Org, r page.Request) (page.Page[apikey.Key], error) {
	if err := by.Require(authz.APIKeysRead, org); err != nil {
		return page.Page[apikey.Key]{}, err
	}
	return s.store.Reads(org).APIKeys(ctx, r)
}
