// Package auth finds out who is asking.
package auth

import (
	"context"
	"crypto/subtle"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Service authenticates API keys.
type Service struct {
	credentials ports.Credentials
	clock       ports.Clock
	peppers     apikey.Peppers
}

// New returns the service.
func New(credentials ports.Credentials, clock ports.Clock, peppers apikey.Peppers) *Service {
	return &Service{credentials: credentials, clock: clock, peppers: peppers}
}

// Authenticate returns the actor behind a presented key. It fails with
// fault.ErrUnauthenticated, which says why to nobody but the trail, for a key that is malformed,
// unknown, revoked, disabled or expired, or whose user or organization is
// suspended or gone.
func (s *Service) Authenticate(ctx context.Context, presented string) (authz.Actor, error) {
	secret, err := apikey.ParseSecret(presented)
	if err != nil {
		return authz.Actor{}, refused(authz.KeyMalformed, apikey.Credential{})
	}
	candidates := s.peppers.Candidates(secret)
	c, err := s.credentials.Find(ctx, candidates)
	if fault.IsKind(err, fault.NotFound) || (err == nil && !matches(candidates, c.Hash)) {
		return authz.Actor{}, refused(authz.KeyUnknown, apikey.Credential{})
	}
	if err != nil {
		return authz.Actor{}, err
	}
	if now := s.clock.Now(); !c.Usable(now) {
		return authz.Actor{}, refused(c.Unusable(now), c)
	}
	return authz.NewKeyActor(authz.KeyHolder{
		Org: c.Org, OrgSlug: c.OrgSlug, User: c.User, Key: c.Key,
		Role: apikey.OwnerRole(c.Org, c.User, c.UserRole), Scopes: c.Scopes, ExpiresAt: c.ExpiresAt,
	}), nil
}

// refused is the one fault of a key that is no good. Why it is none is its cause,
// for the trail alone.
func refused(why authz.FailureReason, c apikey.Credential) error {
	return fault.ErrUnauthenticated.Because(&authz.Failure{Reason: why, Org: c.Org, Key: c.Key})
}

// matches compares in constant time. The index has found the row already; this
// keeps the answer right even if a store ever searched more loosely.
func matches(candidates []apikey.Versioned, stored apikey.Versioned) bool {
	for _, c := range candidates {
		if c.Version == stored.Version && subtle.ConstantTimeCompare(c.Hash[:], stored.Hash[:]) == 1 {
			return true
		}
	}
	return false
}
