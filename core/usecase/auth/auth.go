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
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Deps is what the service works with.
type Deps struct {
	Credentials ports.Credentials
	Feed        ports.CredentialFeed
	Uses        ports.KeyUses
	Store       ports.Store
	Clock       ports.Clock
	Watch       ports.Stopwatch
	Peppers     apikey.Peppers
	Limiter     ports.Limiter
	Meter       ports.KeyMeter
	CacheMeter  ports.CacheMeter
	Log         *slog.Logger
	Settings    Settings
}

// Settings is what a deployment chooses.
type Settings struct {
	CacheKeys int // how many keys are kept in memory at most; 0: none
}

// Service authenticates API keys.
type Service struct {
	credentials ports.Credentials
	feed        ports.CredentialFeed
	clock       ports.Clock
	peppers     apikey.Peppers
	limiter     ports.Limiter
	log         *slog.Logger
	cache       *cache
	notes       *notes
}

// New returns the service. What it notes of keys in use is written by Run, which
// also follows what changes: without it each key is looked up each time.
func New(d Deps) *Service {
	s := &Service{
		credentials: d.Credentials, feed: d.Feed, clock: d.Clock, peppers: d.Peppers, limiter: d.Limiter, log: d.Log,
		cache: newCache(d.Settings.CacheKeys, d.Watch, d.Feed),
		notes: newNotes(d.Uses, d.Store, d.Clock, d.Meter, d.Log),
	}
	d.CacheMeter.WatchCache(s.cache.stats)
	return s
}

// Caller is who presented a key, with the limits that hold for them.
type Caller struct {
	Actor  authz.Actor
	Limits limit.Holder
}

// Authenticate returns who is behind a key that was presented from an
// address. It fails with fault.ErrUnauthenticated, which says why to nobody but
// the trail, for a key that is malformed, unknown, revoked, disabled or expired,
// that can not be used from there, or whose user or organization is suspended or
// gone. From an address where too many have failed it fails with
// limit.ErrRateExceeded, which says when to come back: keys that are in memory, or are
// there to be looked up anew, go on working from there, as somebody else behind the same
// address may have failed, and no other is looked up.
func (s *Service) Authenticate(ctx context.Context, presented string, ip netip.Addr) (Caller, error) {
	caller, err := s.identify(ctx, presented, ip)
	if fault.IsKind(err, fault.Unauthenticated) {
		if limited := s.limiter.Fail(ctx, ip); limited != nil {
			return Caller{}, limited
		}
	}
	return caller, err
}

// identify is Authenticate, without counting who fails.
func (s *Service) identify(ctx context.Context, presented string, ip netip.Addr) (Caller, error) {
	secret, err := apikey.ParseSecret(presented)
	if err != nil {
		return Caller{}, refused(authz.KeyMalformed, apikey.Credential{})
	}
	f, err := s.find(ctx, secret, func() error { return s.limiter.MayFail(ctx, ip) })
	if fault.IsKind(err, fault.NotFound) {
		return Caller{}, refused(authz.KeyUnknown, apikey.Credential{})
	}
	if err != nil {
		return Caller{}, err
	}
	code := apikey.Judge(f.credential, apikey.Presented{Now: f.at, IP: ip})
	if code != apikey.Valid {
		return Caller{}, refused(code.Reason(), f.credential)
	}
	s.notes.use(f, s.peppers)
	return Caller{Actor: f.credential.Actor(), Limits: f.credential.Holder()}, nil
}

// found is a presented key that is stored.
type found struct {
	secret     apikey.Secret
	credential apikey.Credential
	at         time.Time
}

// find returns what is kept of a key, or looks it up in one round trip. It fails with
// fault.ErrNotFound for one that is not stored, and as may does, who is asked before the
// database is.
func (s *Service) find(ctx context.Context, secret apikey.Secret, may func() error) (found, error) {
	hash := s.peppers.Hash(secret)
	c, known := s.cache.find(&hash.Hash)
	switch known {
	case kept:
		return found{secret: secret, credential: c, at: s.clock.Now()}, nil
	case isUnknown:
		return found{}, fault.ErrNotFound
	case outdated: // nobody has guessed it
	case notKept:
		if err := may(); err != nil {
			return found{}, err
		}
	}
	c, err := s.lookUp(ctx, secret, hash)
	if err != nil {
		return found{}, err
	}
	return found{secret: secret, credential: c, at: s.clock.Now()}, nil
}

// lookUp asks the database, and keeps what it says. A key under an older pepper is
// kept once it is hashed anew, which its first use brings about: what is kept has one
// hash.
func (s *Service) lookUp(ctx context.Context, secret apikey.Secret, hash apikey.Versioned) (apikey.Credential, error) {
	generation := s.cache.begin()
	candidates := s.peppers.Candidates(secret)
	c, err := s.credentials.Find(ctx, candidates)
	if fault.IsKind(err, fault.NotFound) {
		s.cache.keepUnknown(generation, hash.Hash)
	}
	if err != nil {
		return apikey.Credential{}, err
	}
	if !matches(candidates, c.Hash) {
		return apikey.Credential{}, fault.ErrNotFound
	}
	if c.Hash == hash {
		s.cache.keep(generation, c)
	}
	return c, nil
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
