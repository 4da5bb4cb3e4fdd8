// Package leaks ends API keys that are known to somebody they were not meant for.
package leaks

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Who reports leaks; what is counted by.
const (
	sourceOperator = "operator"
	sourceGitHub   = "github"
)

// Service ends leaked keys.
type Service struct {
	credentials ports.Credentials
	store       ports.Store
	clock       ports.Clock
	peppers     apikey.Peppers
	meter       ports.KeyMeter
}

// New returns the service.
func New(credentials ports.Credentials, store ports.Store, clock ports.Clock, peppers apikey.Peppers, meter ports.KeyMeter) *Service {
	return &Service{credentials: credentials, store: store, clock: clock, peppers: peppers, meter: meter}
}

// Report ends a key that an operator holds in their hands, whichever organization
// it belongs to. found is false for what is no key of this deployment. It fails
// with fault.ErrForbidden.
func (s *Service) Report(ctx context.Context, by authz.Actor, presented string) (key apikey.Key, found bool, err error) {
	if err := by.RequirePlatform(authz.APIKeysReport); err != nil {
		return apikey.Key{}, false, err
	}
	return s.end(ctx, by, presented, sourceOperator, "")
}

// Leak is a key that was found in public.
type Leak struct {
	Token string
	URL   string // where
}

// Scanned ends the keys that GitHub's secret scanning found, whose signature the
// caller has checked. It tells of each whether it is a key of this deployment.
func (s *Service) Scanned(ctx context.Context, by authz.Origin, found []Leak) ([]bool, error) {
	actor := authz.LeakScanner.From(by)
	ours := make([]bool, len(found))
	for i, leak := range found {
		var err error
		if _, ours[i], err = s.end(ctx, actor, leak.Token, sourceGitHub, leak.URL); err != nil {
			return nil, err
		}
	}
	return ours, nil
}

// end revokes the key behind a leaked secret. A secret that a rotation has ended
// is on record and harms nobody: the key stays as it is.
func (s *Service) end(ctx context.Context, by authz.Actor, presented, source, url string) (apikey.Key, bool, error) {
	secret, err := apikey.ParseSecret(presented)
	if err != nil {
		return apikey.Key{}, false, nil //nolint:nilerr // that is the answer
	}
	c, err := s.credentials.Find(ctx, s.peppers.Candidates(secret))
	if fault.IsKind(err, fault.NotFound) {
		return apikey.Key{}, false, nil
	}
	if err != nil {
		return apikey.Key{}, false, err
	}
	now := s.clock.Now()
	var key apikey.Key
	err = s.store.WriteTx(ctx, c.Org, func(ctx context.Context, tx ports.Tx) error {
		var before apikey.State
		err := tx.APIKeys.Update(ctx, c.Key, func(k *apikey.Key) error {
			before = k.Snapshot().State
			if k.Accepts(c.Generation, now) {
				k.Revoke(now)
			}
			key = *k
			return nil
		})
		if err != nil {
			return err
		}
		changes := map[string]audit.Change{"last_four": audit.Created(secret.LastFour()), "source": audit.Created(source)}
		if url != "" {
			changes["url"] = audit.Created(url)
		}
		if after := key.Snapshot().State; after != before {
			changes["state"] = audit.Change{Before: before.String(), After: after.String()}
		}
		return tx.Audit.Append(ctx, audit.Accepted(c.Org, now, by, audit.APIKeyLeaked, "apikey", c.Key.String(), changes))
	})
	if fault.IsKind(err, fault.NotFound) {
		return apikey.Key{}, false, nil // deleted since
	}
	if err != nil {
		return apikey.Key{}, false, err
	}
	s.meter.LeakReported(source)
	return key, true, nil
}
