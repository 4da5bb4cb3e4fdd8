// Package buckets keeps the state of rates: in this process, which is enough for one
// replica, or in Redis, which all replicas share.
package buckets

import (
	"context"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// shardCount is by how many locks the buckets are guarded: a power of two, so many
	// that two requests of different tenants hardly ever meet, and that sweeping one
	// shard holds nobody up.
	shardCount = 1024

	// sweepEvery is how often one of the shards is swept: all are within two minutes.
	sweepEvery = 100 * time.Millisecond

	// inlineCharges is for how many charges Take needs no memory. A request meets the
	// limits of its organization and of its key.
	inlineCharges = 4
)

// Memory keeps the buckets in this process: each replica then lets through as much as
// the rate allows. A bucket takes some 40 bytes, and only until it has recovered: what
// is idle is as if it had never been used, and its place is used again.
type Memory struct {
	seed   [2]uint64 // secret, so that nobody can choose buckets that meet
	now    func() int64
	shards [shardCount]shard

	stop    chan struct{}
	stopped sync.WaitGroup
}

var _ ports.Buckets = (*Memory)(nil)

// NewMemory returns a store without buckets. It is swept until Close.
func NewMemory() *Memory {
	start := time.Now()
	// Of all clocks of the operating system this one is exact and never goes back. One
	// that a goroutine moves on would save 20 ns, and let through too much each time it
	// catches up with the real one.
	m := NewMemoryAt(func() int64 { return int64(time.Since(start)) })
	m.stop = make(chan struct{})
	m.stopped.Go(m.sweepAll)
	return m
}

// NewMemoryAt returns a store with a clock of its own, in nanoseconds, which nobody sweeps.
func NewMemoryAt(now func() int64) *Memory {
	return &Memory{seed: [2]uint64{rand.Uint64(), rand.Uint64()}, now: now} //nolint:gosec // ChaCha8, seeded by the system
}

// Close ends the sweeping.
func (m *Memory) Close() {
	if m.stop != nil {
		close(m.stop)
		m.stopped.Wait()
	}
}

// place is where a bucket is looked for.
type place struct {
	shard uint32
	hash  uint32 // within the shard
}

// place hashes by one folded multiplication, as wyhash does: hash/maphash would take as
// long as all the rest but the clock.
func (m *Memory) place(b *ratelimit.Bucket) place {
	high, low := bits.Mul64(binary.LittleEndian.Uint64(b[:8])^m.seed[0], binary.LittleEndian.Uint64(b[8:])^m.seed[1])
	h := high ^ low
	return place{shard: uint32(h % shardCount), hash: uint32(h >> 32)}
}

// Take implements ports.Buckets. It does not fail.
func (m *Memory) Take(_ context.Context, charges []ratelimit.Charge, decisions []ratelimit.Decision) error {
	if n := len(charges); n == 1 {
		m.takeOne(&charges[0], &decisions[0])
	} else if n <= inlineCharges {
		var places [inlineCharges]place
		var tats, next [inlineCharges]int64
		m.takeAll(charges, decisions, places[:n], tats[:n], next[:n])
	} else {
		m.takeAll(charges, decisions, make([]place, n), make([]int64, n), make([]int64, n))
	}
	return nil
}

func (m *Memory) takeOne(c *ratelimit.Charge, d *ratelimit.Decision) {
	p := m.place(&c.Bucket)
	now := m.now()
	s := &m.shards[p.shard]
	s.mu.Lock()
	s.last = max(s.last, now)
	s.reserve(m, 1)
	at, tat := s.find(&c.Bucket, p.hash)
	next, decision := c.Rate.Take(tat, s.last, c.Cost)
	if next != tat {
		s.put(at, &c.Bucket, next)
	}
	s.mu.Unlock()
	*d = decision
}

func (m *Memory) takeAll(charges []ratelimit.Charge, decisions []ratelimit.Decision, places []place, tats, next []int64) {
	for i := range charges {
		places[i] = m.place(&charges[i].Bucket)
	}
	now := m.lock(places)
	for i := range charges {
		s := &m.shards[places[i].shard]
		s.last = now
		s.reserve(m, len(charges))
		_, tats[i] = s.find(&charges[i].Bucket, places[i].hash)
	}
	ratelimit.Take(charges, tats, now, next, decisions)
	for i := range charges {
		if next[i] != tats[i] {
			s := &m.shards[places[i].shard]
			at, _ := s.find(&charges[i].Bucket, places[i].hash) // again, as a charge before it may have got the place
			s.put(at, &charges[i].Bucket, next[i])
		}
	}
	m.unlock(places)
}

// Forget implements ports.Buckets. It does not fail.
func (m *Memory) Forget(_ context.Context, buckets ...ratelimit.Bucket) error {
	for i := range buckets {
		p := m.place(&buckets[i])
		s := &m.shards[p.shard]
		s.mu.Lock()
		if at, tat := s.find(&buckets[i], p.hash); tat != 0 {
			at.tat = forgotten
		}
		s.mu.Unlock()
	}
	return nil
}

// lock locks the shards of places, each once and in their order, so that two who
// need the same do not wait for each other. It returns the time.
func (m *Memory) lock(places []place) int64 {
	now := m.now()
	for i, ok := following(places, 0); ok; i, ok = following(places, i+1) {
		m.shards[i].mu.Lock()
		now = max(now, m.shards[i].last)
	}
	return now
}

func (m *Memory) unlock(places []place) {
	for i, ok := following(places, 0); ok; i, ok = following(places, i+1) {
		m.shards[i].mu.Unlock()
	}
}

// following returns the lowest shard of places that is not below from.
func following(places []place, from uint32) (shard uint32, ok bool) {
	shard = shardCount
	for i := range places {
		if places[i].shard >= from {
			shard = min(shard, places[i].shard)
		}
	}
	return shard, shard < shardCount
}

func (m *Memory) sweepAll() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for i := 0; ; i = (i + 1) % shardCount {
		select {
		case <-m.stop:
			return
		case <-tick.C:
			m.shards[i].sweep(m)
		}
	}
}
