package httpapi

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
	"github.com/bulkheadhq/bulkhead/ports"
)

// sink is a ResponseWriter that costs nothing.
type sink struct{ header http.Header }

func (s sink) Header() http.Header       { return s.header }
func (sink) Write(b []byte) (int, error) { return len(b), nil }
func (sink) WriteHeader(int)             {}

// instant is buckets that cost nothing.
type instant struct{}

func (instant) Take(_ context.Context, charges []ratelimit.Charge, decisions []ratelimit.Decision) error {
	for i := range charges {
		decisions[i] = ratelimit.Decision{Allowed: true, Remaining: 5_999, ResetAfter: time.Millisecond}
	}
	return nil
}

func (instant) Forget(context.Context, ...ratelimit.Bucket) error { return nil }

// BenchmarkWhoami is the whole of an authenticated request in this package, next
// to a bare handler that writes the same bytes. The ratio of the two over a
// socket, where both pay for net/http, is what counts in the end; here the
// difference is what this package costs.
func BenchmarkWhoami(b *testing.B) {
	made := setup(b)
	made.server.limiter = limits.New(made.memory, limits.Stores{Buckets: instant{}}, limit.Standard{}, fixedClock(now), made.memory, slog.New(slog.DiscardHandler))
	want := httptest.NewRecorder()
	made.server.ServeHTTP(want, request(http.MethodGet, whoamiURL, made.admin, ""))

	bare := chi.NewRouter()
	body := want.Body.Bytes()
	bare.Get(whoamiURL, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	made.server.lines, made.server.countOther = unread{}, func(int, time.Duration) {}
	for _, e := range made.server.contract {
		e.count = made.server.countOther
	}
	serve := func(h http.Handler) func(*testing.B) {
		return func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context()) // as net/http makes one for each request
			defer cancel()
			r := request(http.MethodGet, whoamiURL, made.admin, "").WithContext(ctx)
			w := sink{http.Header{}}
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
		}
	}
	b.Run("chi", serve(bare))
	b.Run("bulkhead", serve(made.server))
	made.server.lines = records{slog.New(slog.NewJSONHandler(discard{}, nil))}
	b.Run("bulkhead, logging records", serve(made.server))

	// What of it is the core's: the hash of the key.
	secret, peppers := must(apikey.NewSecret(rand.Reader)), must(apikey.NewPeppers(map[int16][]byte{1: make([]byte, 32)}))
	b.Run("hash", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			peppers.Candidates(secret)
		}
	})
}

// processorTime is what the process has used so far, the collector included. On a
// machine that others use, too, it says more than the time that has passed.
func processorTime(b *testing.B) int64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// unread is a log that nobody keeps.
type unread struct{}

func (unread) Request(ports.Request) {}

// discard is not io.Discard, for which slog would skip the work.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
