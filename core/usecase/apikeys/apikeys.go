// Package apikeys is the life of API keys, from their making to their removal.
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
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Service makes, shows, changes, rotates and ends API keys.
type Service struct {
	store   ports.Store
	limiter ports.Limiter
	limits  limit.Standard
	clock   ports.Clock
	peppers apikey.Peppers
	random  io.Reader
}

// New returns the service. limits are those of organizations for which none were set;
// random is a cryptographic source.
func New(store ports.Store, limiter ports.Limiter, limits limit.Standard, clock ports.Clock, peppers apikey.Peppers, random io.Reader) *Service {
	return &Service{store: store, limiter: limiter, limits: limits, clock: clock, peppers: peppers, random: random}
}

// resource is what keys are called in the trail.
const resource = "apikey"

// CreateInput is a new key.
type CreateInput struct {
	UserID      id.User // zero: a key of the organization itself
	Name        string
	Description string
	Scopes      []string
	AllowedIPs  []string
	Metadata    map[string]string
	Limits      map[limit.Name]limit.Spec
	ExpiresAt   *time.Time // nil: as the organization's policy says; of a zero time: never
}

// Create creates a key and returns it with its secret, which exists nowhere else
// afterwards. The key can be given no more power than the actor has, nobody's name who
// stands higher, and no longer life, no other addresses and no wider limits than the key
// that makes it has, and may start no more than the allow-list lets the actor start. It
// fails with authz.ErrPowerExceeded, limit.ErrExceeded, org.ErrState for an organization
// that is being deleted, apikey.ErrUnknownScope, apikey.ErrScopesUnset, fault.ErrInvalid
// for a broken rule, and fault.ErrInvalid naming /user_id for a user who is absent or not
// active.
func (s *Service) Create(ctx context.Context, by authz.Actor, org id.Org, in CreateInput) (apikey.Key, apikey.Secret, error) {
	if err := by.Require(authz.APIKeysCreate, org); err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	spec, err := in.spec()
	if err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	secret, err := apikey.NewSecret(s.random)
	if err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	i, now := id.New[id.APIKeyKind](), s.clock.Now()
	if err := spec.Check(now); err != nil { // before anything is asked
		return apikey.Key{}, apikey.Secret{}, err
	}
	if spec.ExpiresAt, err = s.expiry(ctx, by, org, in.ExpiresAt, now); err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	key, err := apikey.New(i, org, spec, secret, s.peppers.Hash(secret), now)
	if err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	bound, err := s.bounds(ctx, by, org)
	if err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	if err := bound.hold(key.Snapshot()); err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	err = s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error {
		row, err := tx.Orgs.Lock(ctx) // before the user, as whoever changes users does
		if err != nil {
			return err
		}
		if err := row.RequireStaying(); err != nil {
			return err
		}
		if err := s.admit(ctx, tx, row); err != nil {
			return err
		}
		role, err := newOwnerRole(ctx, tx, org, in.UserID)
		if err != nil {
			return err
		}
		if err := bound.power(in.UserID, role, spec.Scopes); err != nil {
			return err
		}
		if err := tx.APIKeys.Insert(ctx, key); err != nil {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(org, now, by, audit.APIKeyCreated, resource, i.String(), creation(key)))
	})
	if err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	return key, secret, nil
}

// admit fails with limit.ErrExceeded unless the organization, whose row is locked, can
// have one more key.
func (s *Service) admit(ctx context.Context, tx ports.Tx, row org.Org) error {
	counts, err := tx.Orgs.Counts(ctx)
	if err != nil {
		return err
	}
	l, _ := s.limits.Of(limit.APIKeys, row.Snapshot().Limits)
	used := int64(counts.APIKeys)
	if err := l.Admit(limit.APIKeys, used, 1); err != nil {
		s.limiter.Used(row.ID(), limit.APIKeys, l, used)
		return err
	}
	s.limiter.Used(row.ID(), limit.APIKeys, l, used+1)
	return nil
}

// spec reads what was asked for, but for the expiry, which is a matter of policy.
func (in CreateInput) spec() (spec apikey.Spec, err error) {
	spec = apikey.Spec{UserID: in.UserID, Name: in.Name, Description: in.Description}
	if in.ExpiresAt != nil {
		spec.ExpiresAt = in.ExpiresAt.Truncate(time.Microsecond)
	}
	if spec.Scopes, err = parseScopes(in.Scopes); err != nil {
		return apikey.Spec{}, err
	}
	if spec.AllowedIPs, err = apikey.ParseIPList(in.AllowedIPs); err != nil {
		return apikey.Spec{}, err
	}
	if spec.Metadata, err = apikey.NewMetadata(in.Metadata); err != nil {
		return apikey.Spec{}, err
	}
	spec.Limits, err = limit.NewKeySet(in.Limits)
	return spec, err
}

// expiry returns when a key ends whose maker chose given; nil: they chose nothing.
func (s *Service) expiry(ctx context.Context, by authz.Actor, org id.Org, given *time.Time, now time.Time) (time.Time, error) {
	var chosen time.Time
	if given != nil {
		chosen = given.Truncate(time.Microsecond)
	}
	policy, err := s.policy(ctx, org)
	if err != nil {
		return time.Time{}, err
	}
	at, err := policy.Expiry(chosen, given != nil, now)
	if err != nil {
		return time.Time{}, err
	}
	return at, outlives(by, at)
}

// outlives fails when a key that ends at the given time would outlive the one
// that makes it, or that learns its secret.
func outlives(by authz.Actor, at time.Time) error {
	if end := by.ExpiresAt(); !end.IsZero() && (at.IsZero() || at.After(end)) {
		return fault.InvalidField("/expires_at", "range", "must not be later than the end of the key that makes it")
	}
	return nil
}

func parseScopes(names []string) (authz.Set, error) {
	s, err := authz.ParseSet(names)
	if unknown := (*authz.UnknownPermissionError)(nil); errors.As(err, &unknown) {
		return 0, apikey.ErrUnknownScope.WithFields(fault.Field{
			Pointer: "/scopes/" + strconv.Itoa(unknown.Index), Rule: "enum", Detail: unknown.Rule(),
		})
	}
	return s, err
}

// newOwnerRole returns the role that bounds a new key. It locks its user, so that
// the role can not change between the check and the commit.
func newOwnerRole(ctx context.Context, tx ports.Tx, org id.Org, owner id.User) (authz.Role, error) {
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

// Get shows a key, without its secret.
func (s *Service) Get(ctx context.Context, by authz.Actor, org id.Org, k id.APIKey) (apikey.Key, error) {
	if err := by.Require(authz.APIKeysRead, org); err != nil {
		return apikey.Key{}, err
	}
	return s.store.Reads(org).APIKey(ctx, k)
}

// ListFilter says which keys to list. The zero filter is all of them.
type ListFilter struct {
	UserID      id.User
	State       apikey.State
	ExpiresSoon bool
}

// List lists the keys that the filter admits, revoked ones too.
func (s *Service) List(ctx context.Context, by authz.Actor, org id.Org, f ListFilter, r page.Request) (page.Page[apikey.Key], error) {
	if err := by.Require(authz.APIKeysRead, org); err != nil {
		return page.Page[apikey.Key]{}, err
	}
	filter := apikey.Filter{UserID: f.UserID, State: f.State}
	if f.ExpiresSoon {
		filter.ExpiresSoonAt = s.clock.Now()
	}
	return s.store.Reads(org).APIKeys(ctx, filter, r)
}
