package auth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// flushEvery is how often the notes are written, and so the most that is lost
	// of them when a process is killed.
	flushEvery = 2 * time.Second

	// maxNotes bounds what is kept between two writes, maxWork what is to be done
	// about single keys. What finds no room is left out: it comes again with the
	// key's next use.
	maxNotes = 1 << 16
	maxWork  = 1 << 10
)

// notes is what requests leave behind about keys in use. It is memory alone: no
// request waits for it to be written.
type notes struct {
	uses  ports.KeyUses
	store ports.Store
	clock ports.Clock
	meter ports.KeyMeter
	log   *slog.Logger
	wake  chan struct{} // something should not wait for the next write

	mu      sync.Mutex
	seen    map[secretID]time.Time
	endings map[apikey.Ref]int32 // keys whose old secret ends with the use of this generation
	rehash  map[secretID]rehash
}

// secretID is one secret of one key.
type secretID struct {
	apikey.Ref
	generation int32
}

type rehash struct{ from, to apikey.Versioned }

func newNotes(uses ports.KeyUses, store ports.Store, clock ports.Clock, meter ports.KeyMeter, log *slog.Logger) *notes {
	n := &notes{uses: uses, store: store, clock: clock, meter: meter, log: log, wake: make(chan struct{}, 1)}
	n.take()
	return n
}

// batch is what was noted between two writes.
type batch struct {
	seen    map[secretID]time.Time
	endings map[apikey.Ref]int32
	rehash  map[secretID]rehash
}

// take returns the notes and begins anew.
func (n *notes) take() batch {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := batch{n.seen, n.endings, n.rehash}
	n.seen, n.endings, n.rehash = map[secretID]time.Time{}, map[apikey.Ref]int32{}, map[secretID]rehash{}
	return b
}

// use notes that a key is in use, and what there is to do because of that.
func (n *notes) use(f found, peppers apikey.Peppers) {
	c := f.credential
	ref := apikey.Ref{Org: c.Org, Key: c.Key}
	secret := secretID{ref, c.Generation}
	n.mu.Lock()
	dropped := f.at.After(n.seen[secret]) && !note(n.seen, secret, f.at, maxNotes)
	urgent := c.EndsOld(f.at) && note(n.endings, ref, c.Generation, maxWork)
	if c.Hash.Version != peppers.Current() {
		note(n.rehash, secret, rehash{from: c.Hash, to: peppers.Hash(f.secret)}, maxWork)
	}
	n.mu.Unlock()
	if dropped {
		n.meter.UsesDropped(1)
	}
	if urgent {
		select {
		case n.wake <- struct{}{}:
		default: // it is on its way already
		}
	}
}

// note keeps a value unless there is no room.
func note[K comparable, V any](in map[K]V, key K, value V, room int) bool {
	if _, known := in[key]; !known && len(in) >= room {
		return false
	}
	in[key] = value
	return true
}

// Run follows what changes, so that keys need not be looked up for each request, and
// writes what requests note about keys in use, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var following sync.WaitGroup
	following.Go(func() { s.follow(ctx) })
	s.write(ctx)
	following.Wait()
}

// write writes the notes every few seconds, until ctx ends. The use of a rotated
// key's new secret, when that is what the old one ends with, is written at once.
func (s *Service) write(ctx context.Context) {
	every := time.NewTicker(flushEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		case <-s.notes.wake:
		}
		if err := s.Flush(ctx); err != nil && ctx.Err() == nil {
			s.notes.log.WarnContext(ctx, "uses of API keys not noted yet; trying again", "error", err)
		}
	}
}

// Flush writes what was noted about keys in use. What can not be written is kept
// for the next time, as far as there is room. It is for one caller at a time: Run,
// and after it whoever ends the process.
func (s *Service) Flush(ctx context.Context) error {
	n, b := s.notes, s.notes.take()
	return errors.Join(n.endOld(ctx, b.endings), n.record(ctx, b.seen), n.hashAnew(ctx, b.rehash))
}

// record writes when secrets were last used, in one statement.
func (n *notes) record(ctx context.Context, seen map[secretID]time.Time) error {
	uses := make([]apikey.Use, 0, len(seen))
	for s, at := range seen {
		uses = append(uses, apikey.Use{Org: s.Org, Key: s.Key, Generation: s.generation, At: at})
	}
	err := n.uses.Record(ctx, uses)
	if err == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for s, at := range seen {
		if later, again := n.seen[s]; !again || later.Before(at) {
			note(n.seen, s, at, maxNotes)
		}
	}
	return err
}

// endOld ends the old secrets whose successor was seen.
func (n *notes) endOld(ctx context.Context, endings map[apikey.Ref]int32) error {
	var failed []error
	for ref, generation := range endings {
		err := n.end(ctx, ref, generation)
		if err == nil || fault.IsKind(err, fault.NotFound) {
			continue
		}
		failed = append(failed, err)
		n.mu.Lock()
		note(n.endings, ref, generation, maxWork)
		n.mu.Unlock()
	}
	return errors.Join(failed...)
}

func (n *notes) end(ctx context.Context, ref apikey.Ref, generation int32) error {
	now := n.clock.Now()
	return n.store.WriteTx(ctx, ref.Org, func(ctx context.Context, tx ports.Tx) error {
		ended, lastFour := false, ""
		err := tx.APIKeys.Update(ctx, ref.Key, func(key *apikey.Key) error {
			ended = key.Seen(generation, now)
			lastFour = key.Snapshot().Old.LastFour
			return nil
		})
		if err != nil || !ended {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(ref.Org, now, authz.KeyKeeper, audit.APIKeyOldSecretEnded, "apikey", ref.Key.String(),
			map[string]audit.Change{"old_last_four": {Before: lastFour}}))
	})
}

// hashAnew stores secrets under the current pepper. What fails comes again with
// the key's next use.
func (n *notes) hashAnew(ctx context.Context, work map[secretID]rehash) error {
	for s, r := range work {
		if err := n.uses.Rehash(ctx, s.Org, s.Key, r.from, r.to); err != nil {
			return err
		}
	}
	return nil
}
