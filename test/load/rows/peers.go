package rows

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"

	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

// whoamiPeers asks the program what whoami asks, beside what one writes by hand
// with chi and the usual middleware: keys in a map, one limit a key, and a line
// in the log. They know no organization, no role and no revocation, count
// nothing, and limit once rather than twice.
var whoamiPeers = bench.Comparison{
	Rows: []bench.Row{
		{Name: "whoami-peers", Target: 1.0, Direction: bench.AtLeast},
		{Name: "whoami-peers-slog", Target: 1.0, Direction: bench.AtLeast},
	},
	Measure: func(t *bench.T) []float64 {
		ours := whoamiOfBulkhead(t)
		body := answerOf(t, ours)
		plain, logged := whoamiOfProgram(t, "httprate", body), whoamiOfProgram(t, "httprate+slog", body, t.TempDir()+"/log")
		series := bench.Interleave(t, ours.Side(t), plain.Side(t), logged.Side(t))
		bench.Ratio(t, "CPU µs/request", series[0], series[1])
		bench.Ratio(t, "CPU µs/request", series[0], series[2])
		return []float64{bench.Ratio(t, "requests/s", series[0], series[1]), bench.Ratio(t, "requests/s", series[0], series[2])}
	},
}

// peerKey is the one key that the peers know.
const peerKey = "bhk_peer"

// httprateKeys is the program whose first argument is the answer to whoever
// has the key.
func httprateKeys(ctx context.Context, ready func(any) error, args []string) error {
	return serve(ctx, ready, peer(args[0]))
}

// httprateKeysSlog is httprateKeys with a log, in the file that its second
// argument names.
func httprateKeysSlog(ctx context.Context, ready func(any) error, args []string) error {
	file, err := os.Create(args[1])
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return serve(ctx, ready, peer(args[0], logRequests(slog.New(slog.NewJSONHandler(file, nil)))))
}

// peer answers with JSON that it encodes, as handlers do.
func peer(answer string, more ...func(http.Handler) http.Handler) http.Handler {
	var value struct {
		APIKeyID     string `json:"api_key_id"`
		Kind         string `json:"kind"`
		Organization struct {
			ID   string `json:"id"`
			Slug string `json:"slug"`
		} `json:"organization"`
		Permissions []string `json:"permissions"`
		Role        string   `json:"role"`
		UserID      string   `json:"user_id"`
	}
	if err := json.Unmarshal([]byte(answer), &value); err != nil {
		panic(err)
	}
	keys := map[[sha256.Size]byte]bool{sha256.Sum256([]byte(peerKey)): true}
	router := chi.NewRouter()
	router.Use(middleware.RequestID, middleware.Recoverer)
	router.Use(more...)
	router.Use(
		func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
				if !keys[sha256.Sum256([]byte(key))] {
					http.Error(w, "who?", http.StatusUnauthorized)
					return
				}
				next.ServeHTTP(w, r)
			})
		},
		httprate.LimitBy(math.MaxInt32, time.Minute, func(r *http.Request) (string, error) {
			return r.Header.Get("Authorization"), nil
		}),
	)
	router.Get(whoamiPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value)
	})
	return router
}

// logRequests writes the line that Bulkhead writes.
func logRequests(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			next.ServeHTTP(ww, r)
			log.LogAttrs(r.Context(), slog.LevelInfo, "request",
				slog.String("request_id", middleware.GetReqID(r.Context())), slog.String("method", r.Method),
				slog.String("route", chi.RouteContext(r.Context()).RoutePattern()), slog.Int("status", ww.Status()),
				slog.Int("bytes", ww.BytesWritten()), slog.Int64("duration_us", time.Since(start).Microseconds()),
				slog.String("ip", r.RemoteAddr))
		})
	}
}
