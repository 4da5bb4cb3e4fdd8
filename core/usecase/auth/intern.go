package auth

import (
	"slices"
	"sync"
	"sync/atomic"
)

const (
	chunkBits = 10
	chunkSize = 1 << chunkBits
)

// table keeps what many cached keys have in common, such as their organization,
// once. Who keeps a value has its number, and one reference to it. The number 0 is
// the zero value, which nobody has to give back.
//
// A value never moves and is never changed while there are references to it, so that
// reading takes no lock: whoever has a number was given it after the value was there.
type table[K comparable, V any] struct {
	same   func(a, b V) bool
	chunks atomic.Pointer[[]*[chunkSize]record[K, V]]

	mu     sync.Mutex
	number map[K]uint32 // of the value that is given out now
	used   uint32       // the greatest number that was ever given out
	free   []uint32
}

type record[K comparable, V any] struct {
	key   K
	value V
	refs  int         // guarded by the table's lock
	dead  atomic.Bool // it may not be used any more, by those who have its number either
}

func newTable[K comparable, V any](same func(a, b V) bool) *table[K, V] {
	t := &table[K, V]{same: same, number: map[K]uint32{}}
	t.chunks.Store(&[]*[chunkSize]record[K, V]{{}})
	return t
}

// at returns the value of a number, for those who have a reference to it.
func (t *table[K, V]) at(n uint32) *record[K, V] {
	return &(*t.chunks.Load())[n>>chunkBits][n%chunkSize]
}

// hold returns the number of a value, with a reference. Another value under the same
// key is outdated: it dies.
func (t *table[K, V]) hold(key K, value V) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, known := t.number[key]; known {
		if r := t.at(n); t.same(r.value, value) {
			r.refs++
			return n
		}
		t.end(key)
	}
	n := t.next()
	r := t.at(n)
	r.key, r.value, r.refs = key, value, 1
	r.dead.Store(false)
	t.number[key] = n
	return n
}

// next returns a number that nobody has.
func (t *table[K, V]) next() uint32 {
	if last := len(t.free) - 1; last >= 0 {
		n := t.free[last]
		t.free = t.free[:last]
		return n
	}
	t.used++
	if chunks := *t.chunks.Load(); int(t.used>>chunkBits) == len(chunks) {
		more := slices.Concat(chunks, []*[chunkSize]record[K, V]{{}})
		t.chunks.Store(&more)
	}
	return t.used
}

// drop gives a reference back.
func (t *table[K, V]) drop(n uint32) {
	if n == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.at(n)
	if r.refs--; r.refs > 0 {
		return
	}
	if t.number[r.key] == n {
		delete(t.number, r.key)
	}
	var (
		key   K
		value V
	)
	r.key, r.value = key, value
	t.free = append(t.free, n)
}

// kill makes a value one that may not be used any more.
func (t *table[K, V]) kill(key K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end(key)
}

func (t *table[K, V]) end(key K) {
	if n, known := t.number[key]; known {
		t.at(n).dead.Store(true)
		delete(t.number, key)
	}
}
