package rows

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/buckets"
	"github.com/bulkheadhq/bulkhead/adapters/system"
	"github.com/bulkheadhq/bulkhead/adapters/telemetry"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

// cacheMemory keeps keys in memory, as the product does and in a Go map by their hash.
// Each side is a process of its own.
var cacheMemory = bench.Comparison{
	Rows: []bench.Row{{Name: "auth-cache-memory", Target: 1.2, Direction: bench.AtMost}},
	Measure: func(t *bench.T) []float64 {
		keys := 1_000_000
		if t.Short {
			keys = 20_000
		}
		side := func(name, program string) bench.Side {
			return bench.Side{Name: name, Round: func() bench.Sample {
				var memory held
				bench.StartProgram(t, &memory, program, strconv.Itoa(keys)).Stop()
				return bench.Sample{"bytes/key": float64(memory.Bytes) / float64(keys), "ms/collection": memory.Collection.Seconds() * 1000}
			}}
		}
		t.Rounds = min(t.Rounds, 5) // the same each time
		series := bench.Interleave(t, side("bulkhead", "cache"), side("map", "map"))
		bench.Ratio(t, "ms/collection", series[0], series[1])
		return []float64{bench.Ratio(t, "bytes/key", series[0], series[1])}
	},
}

// perCachedOrg is how many keys an organization has, which share what is its own.
const perCachedOrg = 100

// credential returns what a database would say of the key at a place: nothing of it is
// shared with what it said of another.
func credential(i int, org id.Org, hash apikey.Versioned) apikey.Credential {
	networks, err := apikey.ParseIPList(nil)
	if err != nil {
		panic(err) // an empty list is one
	}
	return apikey.Credential{
		Key: id.New[id.APIKeyKind](), Org: org, OrgSlug: fmt.Sprintf("tenant-%d", i/perCachedOrg), OrgActive: true,
		User: id.New[id.UserKind](), UserRole: authz.Member, UserOK: true, Scopes: authz.Member.Permissions(),
		Hash: hash, State: apikey.Active, AllowedIPs: networks, Generation: 1,
	}
}

// inventory is a database in which every key is found.
type inventory struct {
	orgs []id.Org
	next int
}

// Find implements ports.Credentials for one caller at a time.
func (v *inventory) Find(_ context.Context, candidates []apikey.Versioned) (apikey.Credential, error) {
	i := v.next
	v.next++
	return credential(i, v.orgs[i/perCachedOrg], candidates[0]), nil
}

// unchanging is a feed on which nothing happens.
type unchanging struct{ ports.CredentialFeed }

func (unchanging) Written(id.Org) uint64 { return 0 }

// noUses is where uses are noted that nobody asks for.
type noUses struct{ ports.KeyUses }

func (noUses) Record(context.Context, []apikey.Use) error { return nil }

// sizeOf is a meter that says how many keys a cache holds.
type sizeOf struct{ read func() ports.CacheStats }

func (s *sizeOf) WatchCache(read func() ports.CacheStats) { s.read = read }

// held is what a process says of the memory that it holds.
type held struct {
	Bytes      int64         // of the heap
	Collection time.Duration // that looking through it once takes
}

// hold returns what build builds, and the memory of it when all else is gone.
func hold(build func() (any, error)) (held, any, error) {
	before := heap()
	made, err := build()
	after := heap()
	begin := time.Now()
	runtime.GC()
	return held{Bytes: after - before, Collection: time.Since(begin)}, made, err
}

// heap returns how many bytes are in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers held goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// keepInCache is the program that lets the product's own service keep so many keys.
func keepInCache(ctx context.Context, ready func(any) error, args []string) error {
	return keep(ctx, ready, args, func(n int, peppers apikey.Peppers, orgs []id.Org) (any, error) {
		metrics, size, log := telemetry.NewMetrics(), &sizeOf{}, slog.New(slog.DiscardHandler)
		service := auth.New(auth.Deps{
			Credentials: &inventory{orgs: orgs}, Feed: unchanging{}, Uses: noUses{},
			Clock: system.Clock{}, Watch: system.Stopwatch{}, Peppers: peppers,
			Limiter: limits.New(nil, limits.Stores{Buckets: buckets.NewMemory()}, limit.Standard{}, system.Clock{}, metrics, log),
			Meter:   metrics, CacheMeter: size, Log: log, Settings: auth.Settings{CacheKeys: 2 * n}, // the shards are not equally full
		})
		for range n {
			secret, err := apikey.NewSecret(rand.Reader)
			if err != nil {
				return nil, err
			}
			if _, err := service.Authenticate(ctx, secret.Reveal(), netip.Addr{}); err != nil {
				return nil, err
			}
		}
		if kept := size.read().Size; kept != int64(n) {
			return nil, fmt.Errorf("%d of %d keys are kept", kept, n)
		}
		return service, service.Flush(ctx) // what is noted of their use is no part of them
	})
}

// keepInMap is the program that keeps so many keys in a Go map.
func keepInMap(ctx context.Context, ready func(any) error, args []string) error {
	return keep(ctx, ready, args, func(n int, peppers apikey.Peppers, orgs []id.Org) (any, error) {
		kept := map[apikey.Hash]apikey.Credential{}
		for i := range n {
			secret, err := apikey.NewSecret(rand.Reader)
			if err != nil {
				return nil, err
			}
			hash := peppers.Hash(secret)
			kept[hash.Hash] = credential(i, orgs[i/perCachedOrg], hash)
		}
		return kept, nil
	})
}

// keep is a program that keeps so many keys in some way, and says what that takes.
func keep(ctx context.Context, ready func(any) error, args []string, in func(n int, peppers apikey.Peppers, orgs []id.Org) (any, error)) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	pepper := make([]byte, 32)
	_, _ = rand.Read(pepper) // it does not fail
	peppers, err := apikey.NewPeppers(map[int16][]byte{1: pepper})
	if err != nil {
		return err
	}
	orgs := make([]id.Org, n/perCachedOrg+1)
	for i := range orgs {
		orgs[i] = id.New[id.OrgKind]()
	}
	memory, made, err := hold(func() (any, error) { return in(n, peppers, orgs) })
	if err != nil {
		return err
	}
	if err := ready(memory); err != nil {
		return err
	}
	<-ctx.Done()
	runtime.KeepAlive(made)
	return nil
}
