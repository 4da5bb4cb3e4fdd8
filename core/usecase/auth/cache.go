package auth

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// freshFor is for how long after a look at what has changed the cache is used, and
	// so the longest that a change can go unnoticed.
	freshFor = 3 * time.Second

	// maxLife is for how long a credential is kept at most; up to an eighth less, so
	// that those which came together do not go together. It bounds what nobody is told
	// of, such as a row that was changed past the triggers.
	maxLife = time.Hour

	maxShards = 64
	shardRoom = 16 // the least that a shard of several is worth
)

// cache keeps credentials by the hash of their secret under the current pepper. What
// it keeps is read only, and judged anew each time.
//
// It is right because of two rules. It answers only while the last look at the feed
// of changes is young (freshFor), and what has changed until a look is dropped before
// the next is made; nor does it answer of an organization of which this process has
// written something since, as whoever was answered is to be told the truth at once. And what a call has read is kept only if nothing was dropped since
// before it read: a call that read a row before its change must not keep it after its
// drop. So dropping begins by raising the generation, which a call notes before it
// reads, and compares under the lock that the drop needs as well:
//
//	drop sees what was kept, or keep sees the new generation.
type cache struct {
	common
	watch      ports.Stopwatch
	feed       ports.CredentialFeed
	shards     []shard
	unknowns   unknowns
	generation atomic.Uint64
	looked     atomic.Pointer[look] // the last one

	size        atomic.Int64
	invalidated atomic.Uint64
}

// look is a look at what has changed.
type look struct {
	began   time.Duration       // on the stopwatch
	written func(id.Org) uint64 // what this process had written before
}

// newCache returns a cache of at most room credentials. It answers nothing before it
// is told that somebody looks at what changes.
func newCache(room int, watch ports.Stopwatch, feed ports.CredentialFeed) *cache {
	n := maxShards
	for n > 1 && room/n < shardRoom {
		n /= 2
	}
	c := &cache{common: newCommon(), watch: watch, feed: feed, shards: make([]shard, n)}
	for i := range c.shards {
		c.shards[i].room, c.shards[i].common = (room+n-1)/n, c.common
	}
	return c
}

// answer is what the cache knows of a hash.
type answer int

const (
	notKept answer = iota
	kept
	outdated  // there was such a key not long ago
	isUnknown // there is no such key
)

// find returns what is known of a hash.
func (c *cache) find(hash *apikey.Hash) (apikey.Credential, answer) {
	s, now, last := c.shardOf(hash), c.watch.Elapsed(), c.looked.Load()
	young := last != nil && now-last.began < freshFor
	found, ok := s.find(hash, now)
	switch {
	case ok && young && last.written(found.Org) == c.feed.Written(found.Org):
		s.hits.Add(1)
		return found, kept
	case ok:
		s.misses.Add(1)
		return apikey.Credential{}, outdated
	case young && c.unknowns.has(*hash, now):
		s.hits.Add(1)
		return apikey.Credential{}, isUnknown
	}
	s.misses.Add(1)
	return apikey.Credential{}, notKept
}

// beginLook is called before the feed is asked.
func (c *cache) beginLook() look {
	return look{began: c.watch.Elapsed(), written: c.feed.WrittenUntil()}
}

// begin returns the generation that a call notes before it reads.
func (c *cache) begin() uint64 { return c.generation.Load() }

// keep keeps what was read by a call of a generation.
func (c *cache) keep(generation uint64, found apikey.Credential) {
	s := c.shardOf(&found.Hash.Hash)
	if s.room == 0 {
		return
	}
	until := c.watch.Elapsed() + maxLife - time.Duration(found.Hash.Hash[31])*maxLife/(8*math.MaxUint8)
	f := c.flatten(found)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.generation.Load() != generation {
		c.release(&f)
		return
	}
	c.size.Add(int64(s.put(f, until)))
}

// keepUnknown keeps that there was no key, as keep does.
func (c *cache) keepUnknown(generation uint64, hash apikey.Hash) {
	now := c.watch.Elapsed()
	c.unknowns.mu.Lock()
	defer c.unknowns.mu.Unlock()
	if c.generation.Load() == generation {
		c.unknowns.add(hash, now)
	}
}

// apply drops what a look has found changed. Then that is the last look.
func (c *cache) apply(changes ports.CredentialChanges, found look) {
	if changes.Everything || len(changes.Orgs)+len(changes.Keys) > 0 {
		c.generation.Add(1) // before anything is dropped: see cache
	}
	if changes.Everything {
		c.dropAll()
	}
	for _, o := range changes.Orgs {
		c.orgs.kill(o)
	}
	for _, k := range changes.Keys {
		for i := range c.shards {
			s := &c.shards[i]
			s.mu.Lock()
			c.size.Add(-int64(s.dropKey(k.Key)))
			s.mu.Unlock()
		}
	}
	c.invalidated.Add(uint64(len(changes.Orgs) + len(changes.Keys)))
	c.looked.Store(&found)
}

func (c *cache) dropAll() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n := s.clear()
		s.mu.Unlock()
		c.size.Add(-int64(n))
		c.invalidated.Add(uint64(n)) //nolint:gosec // not negative
	}
	c.unknowns.clear()
}

func (c *cache) shardOf(hash *apikey.Hash) *shard {
	return &c.shards[binary.BigEndian.Uint32(hash[4:8])%uint32(len(c.shards))] //nolint:gosec // a few
}

// stats implements what ports.CacheMeter asks for.
func (c *cache) stats() ports.CacheStats {
	now := c.watch.Elapsed()
	out := ports.CacheStats{Staleness: now, Size: c.size.Load(), Invalidated: c.invalidated.Load()}
	if last := c.looked.Load(); last != nil {
		out.Staleness = now - last.began
	}
	for i := range c.shards {
		out.Hits += c.shards[i].hits.Load()
		out.Misses += c.shards[i].misses.Load()
	}
	return out
}
