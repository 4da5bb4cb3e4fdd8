package auth

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// shard is a part of the cache under a lock of its own: slots without pointers, and
// where to find a slot by its key's hash or by its key's identifier, which two slots
// have while a key has two secrets.
type shard struct {
	room   int
	common common

	mu     sync.RWMutex
	slots  []slot
	byHash index
	byKey  index
	free   []uint32
	hand   int // where the search for a slot to give up goes on
	size   int

	hits, misses atomic.Uint64
	_            [64]byte // the next shard's lock is on another cache line
}

type slot struct {
	flat

	until time.Duration // on the stopwatch: the end of its life
	used  atomic.Bool   // since the hand came by; readers set it
}

// find returns the credential of a hash, unless its life is over or its organization
// has changed.
func (s *shard) find(hash *apikey.Hash, now time.Duration) (c apikey.Credential, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, ok := s.slotOf(hash)
	if !ok {
		return c, false
	}
	x := &s.slots[i]
	if now >= x.until {
		return c, false
	}
	if !x.used.Load() { // else many would write what is there
		x.used.Store(true)
	}
	return s.common.credential(&x.flat)
}

// put keeps a credential, in the place of another if there is no room.
func (s *shard) put(f flat, until time.Duration) (grown int) {
	before := s.size
	if i, known := s.slotOf(&f.hash); known {
		s.remove(i)
	}
	i := s.vacant()
	s.slots[i] = slot{flat: f, until: until}
	s.byHash.add(hashHome(&f.hash), i, s.hashHomeOf)
	s.byKey.add(keyHome(f.key), i, s.keyHomeOf)
	s.size++
	return s.size - before
}

// vacant returns a slot that holds nothing.
func (s *shard) vacant() uint32 {
	if len(s.free) == 0 && len(s.slots) < s.room {
		s.slots = append(s.slots, slot{})
		return uint32(len(s.slots) - 1) //nolint:gosec // below room
	}
	if len(s.free) == 0 {
		s.remove(s.leastUsed())
	}
	i := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	return i
}

// leastUsed goes round until it meets a slot that was not used since it was there
// last. No slot is vacant.
func (s *shard) leastUsed() uint32 {
	for {
		s.hand = (s.hand + 1) % len(s.slots)
		x := &s.slots[s.hand]
		if !x.used.Swap(false) || s.common.orgs.at(x.org).dead.Load() {
			return uint32(s.hand) //nolint:gosec // below room
		}
	}
}

// dropKey removes all that is kept of a key, and returns how many slots that was.
func (s *shard) dropKey(k id.APIKey) (n int) {
	for {
		i, found := s.byKey.search(keyHome(k), func(i uint32) bool { return s.slots[i].key == k })
		if !found {
			return n
		}
		s.remove(i)
		n++
	}
}

// clear removes everything, and returns how many slots that was.
func (s *shard) clear() (n int) {
	n = s.size
	for _, i := range s.byHash.cells {
		if i != 0 {
			s.common.release(&s.slots[i-1].flat)
		}
	}
	s.slots, s.free, s.byHash, s.byKey, s.size, s.hand = nil, nil, index{}, index{}, 0, 0
	return n
}

func (s *shard) remove(i uint32) {
	x := &s.slots[i]
	s.byHash.remove(hashHome(&x.hash), i, s.hashHomeOf)
	s.byKey.remove(keyHome(x.key), i, s.keyHomeOf)
	s.common.release(&x.flat)
	*x = slot{}
	s.free = append(s.free, i)
	s.size--
}

func (s *shard) slotOf(hash *apikey.Hash) (uint32, bool) {
	return s.byHash.search(hashHome(hash), func(i uint32) bool { return s.slots[i].hash == *hash })
}

// Both are random as they are: the one by its pepper, the other by its making.
func hashHome(h *apikey.Hash) uint32 { return binary.BigEndian.Uint32(h[:4]) }

func keyHome(k id.APIKey) uint32 {
	u := k.UUID()
	return binary.BigEndian.Uint32(u[12:])
}

func (s *shard) hashHomeOf(i uint32) uint32 { return hashHome(&s.slots[i].hash) }
func (s *shard) keyHomeOf(i uint32) uint32  { return keyHome(s.slots[i].key) }

// index finds slots by a number that is theirs, their home: a hash table with open
// addressing and linear probing. A cell holds a slot's number + 1, or 0.
type index struct {
	cells []uint32
	n     int
}

func (x *index) next(at uint32) uint32 { return (at + 1) & x.mask() }
func (x *index) mask() uint32          { return uint32(len(x.cells) - 1) } //nolint:gosec // at most twice the room

func (x *index) search(home uint32, is func(uint32) bool) (uint32, bool) {
	if x.n == 0 {
		return 0, false
	}
	for at := home & x.mask(); x.cells[at] != 0; at = x.next(at) {
		if i := x.cells[at] - 1; is(i) {
			return i, true
		}
	}
	return 0, false
}

func (x *index) add(home, i uint32, homeOf func(uint32) uint32) {
	if 4*(x.n+1) > 3*len(x.cells) {
		old := x.cells
		x.cells, x.n = make([]uint32, max(8, 2*len(old))), 0
		for _, cell := range old {
			if cell != 0 {
				x.place(homeOf(cell-1), cell)
			}
		}
	}
	x.place(home, i+1)
}

func (x *index) place(home, cell uint32) {
	at := home & x.mask()
	for x.cells[at] != 0 {
		at = x.next(at)
	}
	x.cells[at] = cell
	x.n++
}

// remove takes a slot out, and moves back those behind it that it kept from their
// home, so that no search ends before it comes to them.
func (x *index) remove(home, i uint32, homeOf func(uint32) uint32) {
	gap := home & x.mask()
	for x.cells[gap] != i+1 {
		gap = x.next(gap)
	}
	for at := x.next(gap); x.cells[at] != 0; at = x.next(at) {
		if away := (at - homeOf(x.cells[at]-1)) & x.mask(); away >= (at-gap)&x.mask() {
			x.cells[gap], gap = x.cells[at], at
		}
	}
	x.cells[gap] = 0
	x.n--
}
