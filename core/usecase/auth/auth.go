// Package auth finds out who is asking, and says the same of a key that another
// service was shown.
package auth

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net/netip"
	"time"

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
	notes       *notes
}

// New returns the service. What it notes of keys in use is written by Run.
func New(credentials ports.Credentials, uses ports.KeyUses, store ports.Store, clock ports.Clock,
	peppers apikey.Peppers, meter ports.KeyMeter, log *slog.Logger,
) *Service {
	return &Service{
		credentials: credentials, clock: clock, peppers: peppers,
		notes: newNotes(uses, store, clock, meter, log),
	}
}

// Authenticate returns the actor behind a key that was presented from an
// address. It fails with fault.ErrUnauthenticated, which says why to nobody but
// the trail, for a key that is malformed, unknown, revoked, disabled or expired,
// that can not be used from there, or whose user or organization is suspended or
// gone.
func (s *Service) Authenticate(ctx context.Context, presented string, ip netip.Addr) (authz.Actor, error) {
	secret, err := apikey.ParseSecret(presented)
	if err != nil {
		return authz.Actor{}, refused(authz.KeyMalformed, apikey.Credential{})
	}
	f, err := s.find(ctx, secret)
	if fault.IsKind(err, fault.NotFound) {
		return authz.Actor{}, refused(authz.KeyUnknown, apikey.Credential{})
	}
	if err != nil {
		return authz.Actor{}, err
	}
	code := apikey.Judge(f.credential, apikey.Presented{Now: f.at, IP: ip})
	if code != apikey.Valid {
		return authz.Actor{}, refused(code.Reason(), f.credential)
	}
	s.notes.use(f, s.peppers)
	return f.credential.Actor(), nil
}

// found is a presented key that is stored.
type found struct {
	secret     apikey.Secret
	credential apikey.Credential
	at         time.Time
}

// find looks a key up, in one round trip. It fails with fault.ErrNotFound for one
// that is not stored.
func (s *Service) find(ctx context.Context, secret apikey.Secret) (found, error) {
	candidates := s.peppers.Candidates(secret)
	c, err := s.credentials.Find(ctx, candidates)
	if err != nil {
		return found{}, err
	}
	if !matches(candidates, c.Hash) {
		return found{}, fault.ErrNotFound
	}
	return found{secret: secret, credential: c, at: s.clock.Now()}, nil
}

// refused is the one fault of a key that is no good. Why it is none is its cause,
// for the trail alone.
func refused(why authz.FailureReason, c apikey.Credential) error {
	return fault.ErrUnauthenticated.Because(&authz.CredentialError{Reason: why, Org: c.Org, Key: c.Key})
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
