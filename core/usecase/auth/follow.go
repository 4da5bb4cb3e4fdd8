package auth

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/sleep"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// lookEvery is how often the cache looks at what has changed when nothing wakes it.
	lookEvery = 500 * time.Millisecond

	// lookLimit bounds a look. It is shorter than freshFor, so that one slow look does
	// not make the cache stale.
	lookLimit = 2 * time.Second
)

// follow keeps the cache up with what changes, until ctx ends. While it can not, the
// cache becomes stale, and authentication asks the database each time.
func (s *Service) follow(ctx context.Context) {
	var cursor ports.CredentialCursor
	away := false
	for ctx.Err() == nil {
		next, err := s.look(ctx, cursor)
		if err == nil {
			cursor = next
		}
		s.tell(ctx, away, err)
		away = err != nil
		if s.feed.Wait(ctx, lookEvery) != nil {
			sleep.For(ctx, lookEvery)
		}
	}
}

// look drops from the cache what has changed since the cursor.
func (s *Service) look(ctx context.Context, cursor ports.CredentialCursor) (ports.CredentialCursor, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	found := s.cache.beginLook()
	changes, next, err := s.feed.Since(ctx, cursor)
	if err != nil {
		return cursor, err
	}
	s.cache.apply(changes, found)
	return next, nil
}

// tell logs when the feed goes and when it comes back.
func (s *Service) tell(ctx context.Context, away bool, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil && !away:
		s.log.WarnContext(ctx, "changes of credentials can not be followed; each key is looked up until they can", "error", err)
	case err == nil && away:
		s.log.InfoContext(ctx, "changes of credentials are followed again")
	}
}
