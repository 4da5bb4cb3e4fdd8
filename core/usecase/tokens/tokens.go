// Package tokens signs the data-plane tokens that Temporal's frontend accepts,
// and looks after the keys that sign them.
package tokens

import (
	"context"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/ports"
)

// keysLife is how long a process believes what it knows of the signing keys. It
// is far below signing.Policy.Publish and Retire, so that no process signs with
// a key that verifiers do not know yet, or no longer know.
const keysLife = 15 * time.Second

// While the database is away, the keys are asked for again after retryAfter, and
// callers that can do with the known ones wait no longer than readLimit.
const (
	retryAfter = time.Second
	readLimit  = 2 * time.Second
)

// Service signs tokens and rotates their keys.
type Service struct {
	store  ports.Store
	keys   ports.SigningKeys
	crypto ports.TokenCrypto
	clock  ports.Clock
	policy signing.Policy

	mu       sync.Mutex // held while the keys are read, so that one caller reads for all
	known    []signing.Key
	readAt   time.Time
	rereadAt time.Time
}

// New returns the service.
func New(store ports.Store, keys ports.SigningKeys, crypto ports.TokenCrypto, clock ports.Clock, policy signing.Policy) *Service {
	return &Service{store: store, keys: keys, crypto: crypto, clock: clock, policy: policy}
}

// Token is a signed data-plane token.
type Token struct {
	JWT       string
	Namespace string
	Access    signing.Access
	ExpiresAt time.Time
}

// Exchange signs a token for the organization's namespace. The organization must
// be active. The token does not outlive the key it is exchanged for. Nobody gets a token for the system's namespace. It fails with
// org.ErrNotActive, org.ErrReserved and signing.ErrNoActiveKey.
func (s *Service) Exchange(ctx context.Context, by authz.Actor, o id.Org, access signing.Access) (Token, error) {
	needed := authz.TokensRead
	if access == signing.Write {
		needed = authz.TokensWrite
	}
	if err := by.Require(needed, o); err != nil {
		return Token{}, err
	}
	row, err := s.store.Reads(o).Org(ctx)
	if err != nil {
		return Token{}, err
	}
	if err := row.RequireActive(); err != nil {
		return Token{}, err
	}
	claims := signing.TenantClaims(by.Subject(), row.Namespace(), access, s.clock.Now()).Until(by.ExpiresAt())
	jwt, err := s.Token(ctx, claims)
	if err != nil {
		return Token{}, err
	}
	return Token{JWT: jwt, Namespace: row.Namespace(), Access: access, ExpiresAt: claims.ExpiresAt}, nil
}

// Token signs claims with the active key. It is for Bulkhead's own calls of
// Temporal; callers' tokens come from Exchange, which authorizes. It fails with
// signing.ErrNoActiveKey.
func (s *Service) Token(ctx context.Context, c signing.Claims) (string, error) {
	keys, err := s.current(ctx)
	if err != nil {
		return "", err
	}
	for _, k := range keys {
		if k.State == signing.Active {
			return s.crypto.Sign(k, c)
		}
	}
	return "", signing.ErrNoActiveKey
}

// KeySet returns the JWKS document of the keys that verifiers should know. It
// fails with signing.ErrNoActiveKey as long as there are none.
func (s *Service) KeySet(ctx context.Context) ([]byte, error) {
	keys, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, signing.ErrNoActiveKey
	}
	return s.crypto.KeySet(keys)
}

// current returns the keys, read at most keysLife ago or, while the database is
// away, those that were known last. Verifiers ask for the key set all the time,
// and one that gets none refuses every token: an outage of the database must not
// become one of every worker.
func (s *Service) current(ctx context.Context) ([]signing.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if now.Before(s.rereadAt) {
		return s.known, nil
	}
	// Keys that left the set while nobody could tell us are good for no longer
	// than they would have been published anyway, with the token signed last.
	fallback := s.known
	if now.Sub(s.readAt) >= s.policy.Retire-signing.TokenLife {
		fallback = nil
	}
	if fallback != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readLimit)
		defer cancel()
	}
	keys, err := s.keys.List(ctx)
	if err != nil {
		if fallback == nil {
			return nil, err
		}
		s.rereadAt = s.clock.Now().Add(retryAfter) // from the end of the wait: nobody queues for the next one
		return fallback, nil
	}
	if len(keys) > 0 { // none is not worth remembering: the first is about to be made
		s.known, s.readAt, s.rereadAt = keys, now, now.Add(keysLife)
	}
	return keys, nil
}

// Rotate does what is due: it makes the first key, publishes the next one, puts
// it to use, and retires old ones. With force it begins a rotation whatever the
// active key's age. It is safe to call anywhere at any time.
func (s *Service) Rotate(ctx context.Context, force bool) error {
	err := s.keys.Change(ctx, func(keys []signing.Key) ([]signing.Key, error) {
		return s.apply(keys, force)
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rereadAt = time.Time{}
	return nil
}

// apply returns the keys that the plan makes or changes.
func (s *Service) apply(keys []signing.Key, force bool) ([]signing.Key, error) {
	now := s.clock.Now()
	plan := signing.Next(keys, s.policy, now, force)
	var changed []signing.Key
	if plan.Create != (signing.State{}) {
		k, err := s.crypto.Generate(plan.Create, now)
		if err != nil {
			return nil, err
		}
		changed = append(changed, k)
	}
	moves := map[string]signing.State{}
	for _, k := range plan.Retire {
		moves[k] = signing.Retired
	}
	// The relieved key goes first: the database allows one active key at a time.
	if plan.Retiring != "" {
		moves[plan.Retiring] = signing.Retiring
	}
	for _, k := range keys {
		if to, ok := moves[k.ID]; ok {
			changed = append(changed, k.Move(to, now))
		}
	}
	for _, k := range keys {
		if k.ID == plan.Activate {
			changed = append(changed, k.Move(signing.Active, now))
		}
	}
	return changed, nil
}
