package temporal

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/ports"
)

// TokenSource signs the tokens that Temporal's frontend checks.
type TokenSource interface {
	Token(ctx context.Context, c signing.Claims) (string, error)
}

const (
	// maxTokens bounds the cache. Above it tokens are signed more often, which
	// costs tens of microseconds each.
	maxTokens = 4096
	// signTimeout bounds the wait for a token, whoever else waits for it.
	signTimeout = 5 * time.Second
	// clockSkew is how much sooner than we a frontend may find a token expired.
	clockSkew = 15 * time.Second
	// tenantSubject names the control plane in the tokens it uses for tenants.
	tenantSubject = "system:dispatcher"
)

var errNoTenant = errors.New("temporal: a token for this namespace would not confine its bearer")

// tokenCache keeps tokens until half of their life is over. It drops those that
// were not used for the longest time.
type tokenCache struct {
	source TokenSource
	clock  ports.Clock

	mu    sync.Mutex
	byKey map[string]*list.Element // of *cachedToken, by permission
	order *list.List               // the most recently used first
}

// cachedToken is a token, or the promise of one. All but its lock is guarded by
// that lock, which the one that signs holds while the others wait.
type cachedToken struct {
	permission string

	lock    chan struct{} // holds one element when free: a lock that a context can give up on
	token   string
	renewAt time.Time
	endsAt  time.Time
}

func newTokenCache(source TokenSource, clock ports.Clock) *tokenCache {
	return &tokenCache{source: source, clock: clock, byKey: map[string]*list.Element{}, order: list.New()}
}

// tenant returns a token that is good for one namespace alone.
func (c *tokenCache) tenant(ctx context.Context, namespace string) (string, error) {
	if !validTenant(namespace) {
		return "", errNoTenant
	}
	return c.get(ctx, signing.TenantClaims(tenantSubject, namespace, signing.Write, c.clock.Now()))
}

// controlPlane returns a token that is good for the whole cluster.
func (c *tokenCache) controlPlane(ctx context.Context) (string, error) {
	return c.get(ctx, signing.ControlPlaneClaims(c.clock.Now()))
}

// get returns the cached token of the claims' permission, or signs one. A token
// is signed once for all that wait for it. When that fails, the old one does as
// long as it is valid: a pause of the signer is no pause of the tenants.
func (c *tokenCache) get(ctx context.Context, claims signing.Claims) (string, error) {
	t := c.entry(claims.Permission)
	select {
	case <-t.lock:
	case <-ctx.Done():
		return "", toFault(ctx.Err())
	}
	defer func() { t.lock <- struct{}{} }()
	now := claims.IssuedAt
	if now.Before(t.renewAt) {
		return t.token, nil
	}
	ctx, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	token, err := c.source.Token(ctx, claims)
	if err != nil {
		if now.Add(clockSkew).Before(t.endsAt) {
			return t.token, nil
		}
		return "", err
	}
	life := claims.ExpiresAt.Sub(claims.IssuedAt)
	t.token, t.renewAt, t.endsAt = token, now.Add(life/2), claims.ExpiresAt
	return token, nil
}

func (c *tokenCache) entry(permission string) *cachedToken {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[permission]; ok {
		c.order.MoveToFront(e)
		return e.Value.(*cachedToken)
	}
	t := &cachedToken{permission: permission, lock: make(chan struct{}, 1)}
	t.lock <- struct{}{}
	c.byKey[permission] = c.order.PushFront(t)
	if c.order.Len() > maxTokens {
		oldest := c.order.Remove(c.order.Back()).(*cachedToken)
		delete(c.byKey, oldest.permission)
	}
	return t
}
