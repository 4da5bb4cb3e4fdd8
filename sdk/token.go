package sdk

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// fetchTimeout bounds a fetch that nobody may be waiting for any more.
	fetchTimeout = 30 * time.Second

	// A token is fetched anew at 55 to 65 % of its life, so that a fleet that
	// started together does not refresh together.
	refreshFrom   = 0.55
	refreshSpread = 0.10

	// A token is not used in its last moments: it must still be valid when it
	// arrives, by Temporal's clock.
	lastMoments = 10 * time.Second

	firstFetchPause   = 500 * time.Millisecond
	longestFetchPause = 30 * time.Second
)

var errStale = errors.New("the API gave a token that has expired already: is this machine's clock right?")

// tokenSource keeps one namespace's token fresh. It fetches when asked and never
// by itself, so an idle one costs nothing and none has to be stopped.
type tokenSource struct {
	fetch  func(context.Context) (*Token, error)
	now    func() time.Time
	jitter func() float64

	mu        sync.Mutex
	token     secret
	refreshAt time.Time
	expiresAt time.Time
	flight    chan struct{} // closed when the fetch under way has ended; nil: none is
	failures  int           // fetches that failed since the last that did not
	retryAt   time.Time     // no fetch before
	err       error         // of the last fetch, when it failed
}

func newTokenSource(fetch func(context.Context) (*Token, error)) *tokenSource {
	return &tokenSource{fetch: fetch, now: time.Now, jitter: dice}
}

// get returns a valid token. While one is at hand it never waits: the next is
// fetched beside it, by one caller for all. Failed fetches are spaced, also when
// there is no token and every call fails until the API is back.
func (s *tokenSource) get(ctx context.Context) (secret, error) {
	for {
		token, flight, err := s.look(ctx)
		if flight == nil {
			return token, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-flight:
		}
	}
}

// look returns a token, or what to wait for, or why there is neither.
func (s *tokenSource) look(ctx context.Context) (secret, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	valid := now.Before(s.expiresAt)
	if valid && now.Before(s.refreshAt) {
		return s.token, nil, nil
	}
	if s.flight == nil && !now.Before(s.retryAt) {
		s.flight = make(chan struct{})
		// The fetch serves everyone who waits, so it outlives the caller who began it.
		go s.refresh(context.WithoutCancel(ctx))
	}
	switch {
	case valid:
		return s.token, nil, nil
	case s.flight != nil:
		return "", s.flight, nil
	}
	return "", nil, s.err
}

func (s *tokenSource) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	asked := s.now() // its life counts from before the request: better too short than too long
	t, err := s.fetch(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		err = s.store(t, asked)
	}
	if err != nil {
		s.err = err
		s.retryAt = s.now().Add(s.pause(err))
		s.failures++
	}
	close(s.flight)
	s.flight = nil
}

// store takes a token into use.
func (s *tokenSource) store(t *Token, asked time.Time) error {
	life := t.ExpiresAt.Sub(asked)
	if life <= 0 {
		return errStale
	}
	s.token = secret(t.Token)
	s.refreshAt = asked.Add(time.Duration(float64(life) * (refreshFrom + refreshSpread*s.jitter())))
	s.expiresAt = t.ExpiresAt.Add(-min(lastMoments, life/10))
	s.failures, s.retryAt, s.err = 0, time.Time{}, nil
	return nil
}

func (s *tokenSource) pause(err error) time.Duration {
	d := backoff(s.failures, firstFetchPause, longestFetchPause, s.jitter())
	if problem, ok := errors.AsType[*Error](err); ok {
		d = max(d, problem.RetryAfter)
	}
	return d
}
