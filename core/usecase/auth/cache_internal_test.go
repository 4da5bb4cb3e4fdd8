package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/ports"
)

// stopwatch is moved by hand.
type stopwatch struct{ at atomic.Int64 }

func (w *stopwatch) Elapsed() time.Duration  { return time.Duration(w.at.Load()) }
func (w *stopwatch) advance(d time.Duration) { w.at.Add(int64(d)) }

// noWriter is a feed in a process that writes nothing.
type noWriter struct{ ports.CredentialFeed }

func (noWriter) Written(id.Org) uint64 { return 0 }

func (noWriter) WrittenUntil() func(id.Org) uint64 { return func(id.Org) uint64 { return 0 } }

// watched returns a cache that has just looked at what has changed.
func watched(room int) (*cache, *stopwatch) {
	w := &stopwatch{}
	c := newCache(room, w, noWriter{})
	c.apply(ports.CredentialChanges{Everything: true}, lookAt(0))
	return c, w
}

// lookAt is a look that began then.
func lookAt(began time.Duration) look { return look{began: began, written: noWriter{}.WrittenUntil()} }

func hashOf(n int) apikey.Hash {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return sha256.Sum256(b[:])
}

// credentialOf is the credential of a key of the n-th secret.
func credentialOf(org id.Org, n int) apikey.Credential {
	return apikey.Credential{
		Key: id.New[id.APIKeyKind](), Org: org, OrgSlug: "acme", OrgActive: true, UserOK: true, State: apikey.Active,
		Hash: apikey.Versioned{Version: 1, Hash: hashOf(n)}, Generation: 1,
	}
}

func keep(c *cache, all ...apikey.Credential) {
	for _, one := range all {
		c.keep(c.begin(), one)
	}
}

func TestFlat(t *testing.T) {
	t.Parallel()
	whole := apikey.Credential{
		Key: id.New[id.APIKeyKind](), Org: id.New[id.OrgKind](), OrgSlug: "acme", OrgActive: true, User: id.New[id.UserKind](),
		UserRole: authz.NewCustomRole(id.New[id.RoleKind](), "ci", authz.SetOf(authz.UsersRead)), UserOK: true,
		Scopes: authz.SetOf(authz.WorkflowsRead), Hash: apikey.Versioned{Version: 7, Hash: hashOf(1)}, State: apikey.Disabled,
		ExpiresAt: time.UnixMicro(1_700_000_000_123_456).UTC(), Generation: 3,
		AllowedIPs: apikey.IPList{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
		OrgLimits:  limit.Set{limit.Requests: {Rate: ratelimit.Rate{Count: 5, Period: time.Second, Burst: 2}}},
		KeyLimits:  limit.Set{limit.Users: {Max: 3, DryRun: true}},
		Old:        true, Rotated: true, OldExpiresAt: time.UnixMicro(1_600_000_000_000_001).UTC(), OldUntilSeen: true,
	}
	back := func(c apikey.Credential) apikey.Credential {
		tables := newCommon()
		f := tables.flatten(c)
		got, _ := tables.credential(&f)
		return got
	}

	t.Run("Should bring every field back", func(t *testing.T) {
		is := is.New(t)
		is.Equal(back(whole), whole)
		is.Equal(back(apikey.Credential{}), apikey.Credential{})
		for field := range reflect.TypeFor[apikey.Credential]().Fields() {
			is.True(!reflect.ValueOf(whole).FieldByIndex(field.Index).IsZero()) // it has something to lose
			one := apikey.Credential{}
			reflect.ValueOf(&one).Elem().FieldByIndex(field.Index).Set(reflect.ValueOf(whole).FieldByIndex(field.Index))
			is.Equal(back(one), one) // and mixes it with no other
		}
	})

	t.Run("Should hold no pointer", func(t *testing.T) {
		is := is.New(t)
		is.True(!holdsPointer(reflect.TypeFor[slot]()))
		is.True(holdsPointer(reflect.TypeFor[apikey.Credential]())) // it would be noticed
	})

	t.Run("Should keep nothing of what was given back", func(t *testing.T) {
		is := is.New(t)
		tables := newCommon()
		f := tables.flatten(whole)
		g := tables.flatten(whole)
		is.Equal(f, g) // what they have in common is there once
		tables.release(&f)
		tables.release(&g)
		is.Equal([]int{len(tables.orgs.number), len(tables.roles.number), len(tables.addresses.number), len(tables.limits.number)}, []int{0, 0, 0, 0})
		h := tables.flatten(whole)
		is.Equal(h, f) // the numbers are used again
	})
}

func holdsPointer(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			if holdsPointer(f.Type) {
				return true
			}
		}
		return false
	case reflect.Array:
		return holdsPointer(t.Elem())
	case reflect.Pointer, reflect.String, reflect.Slice, reflect.Map, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return true
	default:
		return false
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	org := id.New[id.OrgKind]()

	t.Run("Should answer while somebody follows what changes, and not before nor after", func(t *testing.T) {
		is := is.New(t)
		w := &stopwatch{}
		c := newCache(100, w, noWriter{})
		one := credentialOf(org, 1)
		keep(c, one)
		_, known := c.find(&one.Hash.Hash)
		is.Equal(known, outdated)
		c.apply(ports.CredentialChanges{}, lookAt(0))
		got, known := c.find(&one.Hash.Hash)
		is.Equal(known, kept)
		is.Equal(got, one)
		w.advance(freshFor - 1)
		_, known = c.find(&one.Hash.Hash)
		is.Equal(known, kept)
		w.advance(1)
		_, known = c.find(&one.Hash.Hash)
		is.Equal(known, outdated)
		c.apply(ports.CredentialChanges{}, lookAt(w.Elapsed()-freshFor)) // a look that took as long says nothing of now
		_, known = c.find(&one.Hash.Hash)
		is.Equal(known, outdated)
		c.apply(ports.CredentialChanges{}, lookAt(w.Elapsed()))
		_, known = c.find(&one.Hash.Hash)
		is.Equal(known, kept)
		is.Equal(c.stats(), ports.CacheStats{Size: 1, Hits: 3, Misses: 3})
	})

	t.Run("Should keep nothing for longer than its life", func(t *testing.T) {
		is := is.New(t)
		c, w := watched(100)
		one := credentialOf(org, 1)
		keep(c, one)
		w.advance(maxLife - maxLife/8 - 1)
		c.apply(ports.CredentialChanges{}, lookAt(w.Elapsed()))
		_, known := c.find(&one.Hash.Hash)
		is.Equal(known, kept)
		w.advance(maxLife / 8)
		c.apply(ports.CredentialChanges{}, lookAt(w.Elapsed()))
		_, known = c.find(&one.Hash.Hash)
		is.Equal(known, notKept)
	})

	t.Run("Should drop a changed key with both its secrets, a changed organization, or everything, and no more", func(t *testing.T) {
		is := is.New(t)
		c, _ := watched(1000)
		other := id.New[id.OrgKind]()
		one, two, foreign := credentialOf(org, 1), credentialOf(org, 2), credentialOf(other, 3)
		old := credentialOf(org, 4)
		old.Key, old.Old = one.Key, true
		keep(c, one, two, foreign, old)
		known := func() (out []bool) {
			for n := 1; n <= 4; n++ {
				h := hashOf(n)
				_, a := c.find(&h)
				out = append(out, a == kept)
			}
			return out
		}
		is.Equal(known(), []bool{true, true, true, true})
		c.apply(ports.CredentialChanges{Keys: []apikey.Ref{{Org: org, Key: one.Key}}}, lookAt(0))
		is.Equal(known(), []bool{false, true, true, false})
		c.apply(ports.CredentialChanges{Orgs: []id.Org{org}}, lookAt(0))
		is.Equal(known(), []bool{false, false, true, false})
		keep(c, two)
		is.Equal(known(), []bool{false, true, true, false})
		c.apply(ports.CredentialChanges{Everything: true}, lookAt(0))
		is.Equal(known(), []bool{false, false, false, false})
		is.Equal(c.stats().Size, int64(0))
	})

	t.Run("Should serve no key of an organization that was read otherwise since", func(t *testing.T) {
		is := is.New(t)
		c, _ := watched(1000)
		before, after := credentialOf(org, 1), credentialOf(org, 2)
		after.OrgActive = false
		keep(c, before, after)
		_, known := c.find(&before.Hash.Hash)
		is.Equal(known, notKept)
		got, known := c.find(&after.Hash.Hash)
		is.Equal(known, kept)
		is.True(!got.OrgActive)
	})

	t.Run("Should not keep what was read before something was dropped", func(t *testing.T) {
		is := is.New(t)
		c, _ := watched(1000)
		one := credentialOf(org, 1)
		began := c.begin()
		c.apply(ports.CredentialChanges{Keys: []apikey.Ref{{Org: org, Key: one.Key}}}, lookAt(0))
		c.keep(began, one)
		c.keepUnknown(began, hashOf(2))
		for n := range 2 {
			h := hashOf(n + 1)
			_, known := c.find(&h)
			is.Equal(known, notKept)
		}
		is.Equal(len(c.orgs.number), 0) // nor anything of it
	})

	t.Run("Should keep nothing more of what was read before, from before it begins to drop", func(t *testing.T) {
		is := is.New(t)
		c, _ := watched(1000)
		began := c.begin()
		for i := range c.shards {
			c.shards[i].mu.Lock()
		}
		dropped := make(chan struct{})
		go func() {
			defer close(dropped)
			c.apply(ports.CredentialChanges{Keys: []apikey.Ref{{Key: id.New[id.APIKeyKind]()}}}, lookAt(0))
		}()
		for deadline := time.Now().Add(10 * time.Second); c.begin() == began; runtime.Gosched() {
			is.True(time.Now().Before(deadline))
		}
		for i := range c.shards {
			c.shards[i].mu.Unlock()
		}
		<-dropped
	})

	t.Run("Should remember what is no key, for a short time and not too many", func(t *testing.T) {
		is := is.New(t)
		c, w := watched(1000)
		h := hashOf(1)
		c.keepUnknown(c.begin(), h)
		_, known := c.find(&h)
		is.Equal(known, isUnknown)
		w.advance(2 * unknownLife)
		c.apply(ports.CredentialChanges{}, lookAt(w.Elapsed()))
		_, known = c.find(&h)
		is.Equal(known, notKept)
		for n := range 10 * unknownRoom {
			c.keepUnknown(c.begin(), hashOf(n))
		}
		is.True(len(c.unknowns.now)+len(c.unknowns.before) <= 2*unknownRoom)
	})

	t.Run("Should hold no more than its room, and give up first what is not used", func(t *testing.T) {
		is := is.New(t)
		const room = 64
		c, _ := watched(room)
		used := credentialOf(org, 0)
		keep(c, used)
		for n := 1; n < 50*room; n++ {
			keep(c, credentialOf(org, n))
			_, known := c.find(&used.Hash.Hash)
			is.Equal(known, kept)
		}
		is.True(c.stats().Size <= room)
		none, _ := watched(0)
		keep(none, used)
		_, known := none.find(&used.Hash.Hash)
		is.Equal(known, notKept)
	})

	t.Run("Should find what is there and nothing else, whatever comes and goes", func(t *testing.T) {
		is := is.New(t)
		s := shard{room: 300, common: newCommon()}
		keys := make([]id.APIKey, 40)
		for i := range keys {
			keys[i] = id.New[id.APIKeyKind]()
		}
		stored := map[int]id.APIKey{}
		for range 30_000 {
			n := rand.IntN(250)
			switch k := keys[rand.IntN(len(keys))]; {
			case rand.IntN(4) > 0:
				one := credentialOf(org, n)
				one.Key = k
				s.put(s.common.flatten(one), time.Hour)
				stored[n] = k
			default:
				s.dropKey(k)
				for n, of := range stored {
					if of == k {
						delete(stored, n)
					}
				}
			}
			h := hashOf(n)
			got, ok := s.find(&h, 0)
			is.Equal(ok, stored[n] != id.APIKey{})
			is.Equal(got.Key, stored[n])
			is.Equal(s.size, len(stored))
		}
	})
}

func TestCacheAllocations(t *testing.T) { // not at once with others, who allocate as well
	t.Run("Should find without allocating", func(t *testing.T) {
		is := is.New(t)
		c, _ := watched(1000)
		one := credentialOf(id.New[id.OrgKind](), 1)
		keep(c, one)
		is.Equal(testing.AllocsPerRun(100, func() { c.find(&one.Hash.Hash) }), 0.0)
	})
}

// TestCacheRaces changes keys while others read and keep them. Once a change has
// been applied, nobody may be told of what was before it.
func TestCacheRaces(t *testing.T) {
	t.Parallel()
	const keys, readers, changes = 2, 6, 20_000
	c, _ := watched(1000)
	var stored, applied [keys]atomic.Int32
	all := make([]apikey.Credential, keys)
	orgs := []id.Org{id.New[id.OrgKind](), id.New[id.OrgKind]()}
	for n := range all {
		all[n] = credentialOf(orgs[n%2], n)
	}
	var wrong atomic.Value
	over := make(chan struct{})
	var reading sync.WaitGroup
	for r := range readers {
		reading.Go(func() {
			for i := r; ; i++ {
				select {
				case <-over:
					return
				default:
				}
				n := i % keys
				least := applied[n].Load()
				got, known := c.find(&all[n].Hash.Hash)
				if known == kept {
					if got.Generation < least {
						wrong.Store(fmt.Sprintf("generation %d after %d was applied", got.Generation, least))
					}
					continue
				}
				began := c.begin()
				one := all[n]
				one.Generation = stored[n].Load()
				for range i % 7 {
					runtime.Gosched() // it takes its time
				}
				c.keep(began, one)
			}
		})
	}
	for i := range changes {
		n := i % keys
		now := stored[n].Add(1)
		change := ports.CredentialChanges{Keys: []apikey.Ref{{Key: all[n].Key}}}
		if i%5 == 0 {
			runtime.Gosched()
			change = ports.CredentialChanges{Orgs: []id.Org{all[n].Org}}
		}
		c.apply(change, lookAt(0))
		applied[n].Store(now)
	}
	close(over)
	reading.Wait()
	t.Run("Should tell nobody of what was before a change that was applied", func(t *testing.T) {
		is := is.New(t)
		is.Equal(wrong.Load(), nil)
	})
}
