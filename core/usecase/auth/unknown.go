package auth

import (
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
)

const (
	// unknownRoom and unknownLife bound what is remembered of presented keys that are
	// none, so that whoever sends one over and over does not reach the database. No
	// change is told of a key that is new, and none is needed: nobody can have presented
	// it before.
	unknownRoom = 4096
	unknownLife = 5 * time.Second
)

// unknowns is the hashes of keys that are none: those of the present period, and of
// the one before, which ends when the time is over or its room is full.
type unknowns struct {
	mu          sync.Mutex
	now, before map[apikey.Hash]struct{}
	since       time.Duration
}

func (u *unknowns) has(h apikey.Hash, now time.Duration) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turn(now)
	_, recent := u.now[h]
	_, older := u.before[h]
	return recent || older
}

// add is for callers that hold the lock.
func (u *unknowns) add(h apikey.Hash, now time.Duration) {
	u.turn(now)
	if u.now == nil {
		u.now = map[apikey.Hash]struct{}{}
	}
	u.now[h] = struct{}{}
}

func (u *unknowns) turn(now time.Duration) {
	switch over := now - u.since; {
	case over >= 2*unknownLife:
		u.now, u.before, u.since = nil, nil, now
	case over >= unknownLife || len(u.now) >= unknownRoom:
		u.now, u.before, u.since = nil, u.now, now
	}
}

func (u *unknowns) clear() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.now, u.before = nil, nil
}
