package buckets

import (
	"sync"

	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// cell is a bucket in a shard. Without pointers in it, the garbage collector passes
// the tables by.
type cell struct {
	bucket ratelimit.Bucket
	tat    int64 // 0: the cell was never used, and ends each search
}

// forgotten is the time of a bucket that is as if it had never been used, in a cell
// that ends no search.
const forgotten = -1

// shard is a share of the buckets: a hash table with open addressing. Nothing is
// removed from it: the cell of an idle bucket goes to the next one that searches past
// it, and a table that has become full is built again from the buckets that are not.
type shard struct {
	mu    sync.Mutex
	last  int64 // the latest time it was used at: later users may have read the clock before
	cells []cell
	used  int      // cells that a search does not end at
	_     [16]byte // a cache line to itself
}

// leastCells is how many cells a table has at least.
const leastCells = 8

// roomFor is how many cells a table gets for so many buckets: between four and three
// quarters of an eighth of them stay free until it is built again.
func roomFor(buckets int) int { return max(leastCells, buckets*3/2) }

// reserve makes room for n buckets more, of which none may be known.
func (s *shard) reserve(m *Memory, n int) {
	if (s.used+n)*8 > len(s.cells)*7 {
		s.rebuild(m, n)
	}
}

// find returns the bucket's time, and its cell: the one that it has, or when it has
// none, which its time of 0 says, the one that it is to get. There is a free one.
func (s *shard) find(b *ratelimit.Bucket, hash uint32) (at *cell, tat int64) {
	if len(s.cells) == 0 {
		return nil, 0
	}
	for i := s.home(hash); ; {
		c := &s.cells[i]
		if c.tat == 0 {
			if at == nil {
				at = c
			}
			return at, 0
		}
		if c.bucket == *b {
			return c, c.tat
		}
		if at == nil && c.tat <= s.last {
			at = c
		}
		if i++; i == len(s.cells) {
			i = 0
		}
	}
}

// home is the cell where the search for a hash begins.
func (s *shard) home(hash uint32) int {
	return int(uint64(hash) * uint64(len(s.cells)) >> 32)
}

// put writes a bucket into the cell that find returned.
func (s *shard) put(at *cell, b *ratelimit.Bucket, tat int64) {
	if at.tat == 0 {
		s.used++
	}
	*at = cell{bucket: *b, tat: tat}
}

// live counts the buckets that are not idle.
func (s *shard) live() int {
	n := 0
	for i := range s.cells {
		if s.cells[i].tat > s.last {
			n++
		}
	}
	return n
}

// rebuild makes a table of the buckets that are not idle, with room for n more.
func (s *shard) rebuild(m *Memory, n int) {
	old := s.cells
	s.cells, s.used = make([]cell, roomFor(s.live()+n)), 0
	for i := range old {
		if c := &old[i]; c.tat > s.last {
			at, _ := s.find(&c.bucket, m.place(&c.bucket).hash)
			s.put(at, &c.bucket, c.tat)
		}
	}
}

// sweep gives back the memory of a table that has become much too large.
func (s *shard) sweep(m *Memory) {
	now := m.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, now)
	switch live := s.live(); {
	case live == 0:
		s.cells, s.used = nil, 0
	case len(s.cells) > 2*roomFor(live):
		s.rebuild(m, 0)
	}
}
