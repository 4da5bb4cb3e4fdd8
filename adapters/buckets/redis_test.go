package buckets_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/bulkheadhq/bulkhead/adapters/buckets"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/ports/porttest"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// patience is a deadline that a busy machine keeps.
const patience = 20 * time.Second

func openRedis(t testing.TB, url string, deadline time.Duration) *buckets.Redis {
	t.Helper()
	r, err := buckets.NewRedis(url, deadline)
	must(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// plainClient is a client that looks at the server from the side.
func plainClient(t testing.TB, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	must(t, err)
	c := redis.NewClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestRedis(t *testing.T) {
	t.Parallel()
	porttest.Buckets(t, func(t *testing.T) porttest.BucketStore {
		server := harness.Redis(t)
		client := plainClient(t, server.URL)
		now := func() time.Duration {
			at, err := client.Time(t.Context()).Result()
			must(t, err)
			return time.Duration(at.UnixNano())
		}
		return porttest.BucketStore{
			Replica: func() ports.Buckets { return openRedis(t, server.URL, patience) },
			Now:     now,
			Pass: func(by time.Duration) {
				until := now() + by
				harness.Eventually(t, "time passes", func() bool { return now() >= until })
			},
		}
	})
}

func TestRedisKeys(t *testing.T) {
	t.Parallel()
	server := harness.Redis(t)
	r, client := openRedis(t, server.URL, patience), plainClient(t, server.URL)
	var d [1]ratelimit.Decision

	t.Run("Should keep a bucket until it has recovered, and none that was only asked", func(t *testing.T) {
		is := is.New(t)
		c := chargesOf(2, ratelimit.Rate{Count: 1, Period: time.Hour, Burst: 2})
		c[1].Cost = 0
		is.NoErr(r.Take(t.Context(), c[:1], d[:]))
		is.NoErr(r.Take(t.Context(), c[1:], d[:]))
		keys, err := client.Keys(t.Context(), "*").Result()
		is.NoErr(err)
		is.Equal(len(keys), 1)
		is.True(strings.HasPrefix(keys[0], "bulkhead:bucket:"))
		left, err := client.PTTL(t.Context(), keys[0]).Result()
		is.NoErr(err)
		is.True(left > 59*time.Minute && left <= time.Hour+time.Second)
	})

	t.Run("Should go on when the server has forgotten the script", func(t *testing.T) {
		is := is.New(t)
		c := chargesOf(1, ratelimit.Rate{Count: 1, Period: time.Hour, Burst: 9})
		is.NoErr(r.Take(t.Context(), c, d[:]))
		is.NoErr(client.ScriptFlush(t.Context()).Err())
		is.NoErr(r.Take(t.Context(), c, d[:]))
		is.Equal(d[0].Remaining, int64(7))
	})

	t.Run("Should count exactly with the largest numbers", func(t *testing.T) {
		is := is.New(t)
		for _, rate := range []ratelimit.Rate{
			generous,
			{Count: 1, Period: 1 << 62, Burst: 1 << 62},
			{Count: 1 << 62, Period: time.Second, Burst: 1 << 62},
			{Count: 1, Period: 24 * time.Hour, Burst: 1 << 40},
		} {
			c := chargesOf(1, rate)
			c[0].Cost = 0
			is.NoErr(r.Take(t.Context(), c, d[:]))
			most := d[0].Remaining
			is.True(most > 0)
			c[0].Cost = most + 1
			is.NoErr(r.Take(t.Context(), c, d[:]))
			is.True(!d[0].Allowed)
			c[0].Cost = most
			is.NoErr(r.Take(t.Context(), c, d[:]))
			is.True(d[0].Allowed)
		}
	})

	t.Run("Should recover when the server's clock was set back", func(t *testing.T) {
		is := is.New(t)
		c := chargesOf(1, ratelimit.Rate{Count: 1, Period: time.Hour, Burst: 2})
		is.NoErr(r.Take(t.Context(), c, d[:]))
		keys, err := client.Keys(t.Context(), "*").Result()
		is.NoErr(err)
		for _, k := range keys {
			is.NoErr(client.Set(t.Context(), k, "8000000000000000", 0).Err()) // decades ahead
		}
		is.NoErr(r.Take(t.Context(), c, d[:]))
		is.True(!d[0].Allowed)
		is.Equal(d[0].RetryAfter, time.Hour) // not decades
		is.NoErr(r.Take(t.Context(), c, d[:]))
		is.True(d[0].RetryAfter < time.Hour) // and it gets on
	})
}

func TestRedisAway(t *testing.T) {
	t.Parallel()
	charge := chargesOf(1, generous)

	t.Run("Should be unavailable while the server is away, and there again with it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		server := harness.Redis(t)
		r := openRedis(t, server.URL, patience)
		var d [1]ratelimit.Decision
		is.NoErr(r.Take(t.Context(), charge, d[:]))
		server.Kill()
		for range 10 {
			is.True(errors.Is(r.Take(t.Context(), charge, d[:]), fault.ErrUnavailable))
			is.True(errors.Is(r.Forget(t.Context(), charge[0].Bucket), fault.ErrUnavailable))
		}
		server.Start(t)
		harness.Eventually(t, "it is available", func() bool { return r.Take(t.Context(), charge, d[:]) == nil })
		is.True(d[0].Allowed)
	})

	t.Run("Should wait for the deadline a few times only", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		server := harness.Redis(t)
		const deadline = 50 * time.Millisecond
		r := openRedis(t, server.URL, deadline)
		server.Signal(syscall.SIGSTOP)
		defer server.Signal(syscall.SIGCONT)
		var d [1]ratelimit.Decision
		waited, began := 0, time.Now()
		for range 100 {
			before := time.Now()
			is.True(errors.Is(r.Take(t.Context(), charge, d[:]), fault.ErrUnavailable))
			if time.Since(before) >= deadline/2 {
				waited++
			}
		}
		is.True(waited >= 3)
		is.True(waited <= 3+int(time.Since(began)/time.Second)) // and once a second to find out
	})

	t.Run("Should not take a caller who gives up for a server that is away", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		r := openRedis(t, harness.Redis(t).URL, patience)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		var d [1]ratelimit.Decision
		for range 10 {
			is.True(errors.Is(r.Take(gone, charge, d[:]), fault.ErrUnavailable))
		}
		is.NoErr(r.Take(t.Context(), charge, d[:]))
	})

	t.Run("Should not repeat the password of a URL that it cannot read", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, err := buckets.NewRedis("redis://:hunter2@host:port:x/y", time.Second)
		is.True(err != nil)
		is.True(!strings.Contains(err.Error(), "hunter2"))
	})
}

func TestRedisRefuses(t *testing.T) {
	t.Parallel()
	nothing := ratelimit.Rate{Count: 1, Period: time.Hour, Burst: 1}

	t.Run("Should burden the server with what it lets through, however much is asked for", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		server := harness.Redis(t)
		r, client := openRedis(t, server.URL, patience), plainClient(t, server.URL)
		c := chargesOf(1, nothing)
		var d [1]ratelimit.Decision
		is.NoErr(r.Take(t.Context(), c, d[:]))
		is.True(d[0].Allowed)
		began := time.Now()
		for range 10_000 {
			is.NoErr(r.Take(t.Context(), c, d[:]))
			is.True(!d[0].Allowed)
		}
		is.True(evaluated(t, client) <= 3+int(time.Since(began)/time.Second)) // the first twice, as the server did not know the script
	})

	t.Run("Should refuse a flood while the server does not answer, and not call it away by that", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		server := harness.Redis(t)
		r := openRedis(t, server.URL, patience)
		c := chargesOf(1, nothing)
		var d [1]ratelimit.Decision
		for range 2 {
			is.NoErr(r.Take(t.Context(), c, d[:]))
		}
		server.Signal(syscall.SIGSTOP)
		for range 100 {
			is.NoErr(r.Take(t.Context(), c, d[:]))
			is.True(!d[0].Allowed)
		}
		server.Signal(syscall.SIGCONT)
		is.NoErr(r.Take(t.Context(), chargesOf(1, generous), d[:]))
		is.NoErr(r.Forget(t.Context(), c[0].Bucket))
		is.NoErr(r.Take(t.Context(), c, d[:]))
		is.True(d[0].Allowed) // it was forgotten here as well
	})

	t.Run("Should not leave the server alone because whoever found out gave up", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		server := harness.Redis(t)
		r := openRedis(t, server.URL, patience)
		var d [1]ratelimit.Decision
		server.Kill()
		for range 10 {
			is.True(r.Take(t.Context(), chargesOf(1, generous), d[:]) != nil)
		}
		server.Start(t)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		harness.Eventually(t, "those who gave up find out that it is back", func() bool { return r.Take(gone, chargesOf(1, generous), d[:]) == nil })
	})
}

// evaluated is how many scripts a server was asked to run.
func evaluated(t *testing.T, client *redis.Client) int {
	t.Helper()
	text, err := client.Info(t.Context(), "commandstats").Result()
	must(t, err)
	n := 0
	for line := range strings.SplitSeq(text, "\r\n") {
		after, ok := strings.CutPrefix(line, "cmdstat_eval") // and evalsha
		if !ok {
			continue
		}
		_, calls, _ := strings.Cut(after, "calls=")
		calls, _, _ = strings.Cut(calls, ",")
		one, err := strconv.Atoi(calls)
		must(t, err)
		n += one
	}
	return n
}

func TestRedisCloses(t *testing.T) {
	is := is.New(t)
	server := harness.Redis(t)
	known := goleak.IgnoreCurrent()
	r, err := buckets.NewRedis(server.URL, patience)
	is.NoErr(err)
	var d [1]ratelimit.Decision
	is.NoErr(r.Take(t.Context(), chargesOf(1, generous), d[:]))
	is.NoErr(r.Close())
	goleak.VerifyNone(t, known)
}

func BenchmarkRedis(b *testing.B) {
	server := harness.Redis(b)
	r := openRedis(b, server.URL, patience)
	charges := chargesOf(2*1024, generous)
	var worker atomic.Uint64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var d [2]ratelimit.Decision
		for i := worker.Add(1) * 79; pb.Next(); i += 31 {
			at := int(i%1024) * 2
			if err := r.Take(b.Context(), charges[at:at+2], d[:]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
