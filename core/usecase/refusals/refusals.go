// Package refusals puts requests that were refused into the trails: those that an
// actor's power did not allow, and those whose credential was no good.
//
// Whoever is refused can be refused a million times a minute. So requests leave
// nothing but a count in memory, which is written once a minute: one entry for
// each kind of refusal, a bounded number for each organization, whatever comes.
package refusals

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// Window is how long refusals of one kind are counted before they are written,
	// and the most that is lost of them when a process is killed.
	Window = time.Minute
	// MaxKinds bounds how many entries a process writes for one organization in a
	// window. The last ones, one for each action, count all that found no room.
	MaxKinds = 32
	others   = 2
	// MaxWaiting bounds how many wait in all. What finds no room is counted in the
	// log alone.
	MaxWaiting = 4096
	// lastFlush is how long the end of the process waits for the last write.
	lastFlush = 5 * time.Second
)

// Other is the reason of an entry that counts refusals of many kinds.
const Other = "other"

// Service counts refusals and writes them.
type Service struct {
	store ports.Store
	clock ports.Clock
	log   *slog.Logger

	mu      sync.Mutex
	kinds   map[kind]*count
	perOrg  map[id.Org]int
	dropped int64
}

// kind is what refusals have in common that are one entry.
type kind struct {
	org            id.Org
	action         audit.Action
	user           id.User
	key            id.APIKey
	resource, what string
	reason         string
}

// count is how many there were, and who and when the first was.
type count struct {
	n     int64
	first authz.Actor
	at    time.Time
}

// New returns the service. What it counts is written by Run.
func New(store ports.Store, clock ports.Clock, log *slog.Logger) *Service {
	s := &Service{store: store, clock: clock, log: log}
	s.take()
	return s
}

// take returns what was counted and begins anew. The lock is held, or not needed.
func (s *Service) take() (map[kind]*count, int64) {
	kinds, dropped := s.kinds, s.dropped
	s.kinds, s.perOrg, s.dropped = map[kind]*count{}, map[id.Org]int{}, 0
	return kinds, dropped
}

// Forbidden counts a request that its actor's power did not allow. It takes no
// time and never fails.
func (s *Service) Forbidden(by authz.Actor, operation, code string) {
	s.note(kind{
		org: by.Org(), action: audit.AccessRefused, user: by.User(), key: by.Key(), resource: "operation", what: operation, reason: code,
	}, by, 1, s.clock.Now())
}

// Unauthenticated counts a request whose credential was no good, in the trail of
// the organization whose key it is, or else of the system organization. by is
// nobody, with the origin of the request.
func (s *Service) Unauthenticated(by authz.Actor, cause error) {
	f, ok := errors.AsType[*authz.CredentialError](cause)
	if !ok {
		f = &authz.CredentialError{Reason: authz.CredentialsMissing}
	}
	k := kind{org: id.SystemOrg, action: audit.AccessUnauthenticated, resource: "apikey", reason: string(f.Reason)}
	if !f.Org.IsZero() {
		k.org, k.what = f.Org, f.Key.String()
	}
	s.note(k, by, 1, s.clock.Now())
}

// note adds to a count, if there is room.
func (s *Service) note(k kind, first authz.Actor, n int64, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.kinds[k]; ok {
		c.n += n
		return
	}
	if s.perOrg[k.org] >= MaxKinds-others {
		k = kind{org: k.org, action: k.action, resource: k.resource, reason: Other}
		if c, ok := s.kinds[k]; ok {
			c.n += n
			return
		}
	}
	if len(s.kinds) >= MaxWaiting {
		s.dropped += n
		return
	}
	s.kinds[k] = &count{n: n, first: first, at: at}
	s.perOrg[k.org]++
}

// Run writes what was counted once in a window, and at the end.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(Window)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.Flush(ctx)
		case <-ctx.Done():
			s.last(ctx)
			return
		}
	}
}

// last writes what was counted at the end of the process, which does not wait long.
func (s *Service) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
	defer cancel()
	s.Flush(ctx)
}

// Flush writes what was counted, one transaction for each organization. What can
// not be written waits for the next time, as far as there is room.
func (s *Service) Flush(ctx context.Context) {
	s.mu.Lock()
	kinds, dropped := s.take()
	s.mu.Unlock()
	if dropped > 0 {
		s.log.WarnContext(ctx, "refusals were too many kinds to be kept; they are not in the trail", "count", dropped)
	}
	byOrg := map[id.Org][]kind{}
	for k := range kinds {
		byOrg[k.org] = append(byOrg[k.org], k)
	}
	for o, own := range byOrg {
		err := s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
			for _, k := range own {
				if err := tx.Audit.Append(ctx, entry(k, kinds[k])); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			continue
		}
		s.log.WarnContext(ctx, "refusals not written to the trail; trying again", "organization", o.String(), "error", err)
		for _, k := range own {
			s.note(k, kinds[k].first, kinds[k].n, kinds[k].at)
		}
	}
}

func entry(k kind, c *count) audit.Entry {
	e := audit.Accepted(k.org, c.at, c.first, k.action, k.resource, k.what, map[string]audit.Change{"reason": audit.Created(k.reason)})
	if k.reason == Other {
		e.Actor = authz.Actor{} // there were many
	}
	e.Outcome, e.Count = audit.Refused, c.n
	return e
}
