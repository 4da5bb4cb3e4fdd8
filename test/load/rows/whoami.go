package rows

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

const whoamiPath = "/api/v0/auth/whoami"

// whoami asks the program as it is shipped, on a real database, who a key is: it
// authenticates, authorizes, limits, counts and logs each request. Beside it a
// handler under chi answers the same bytes to whoever asks.
var whoami = bench.Comparison{
	Rows: []bench.Row{
		{Name: "whoami", Target: 0.80, Direction: bench.AtLeast},
		{Name: "whoami-p99", Target: 1.5, Direction: bench.AtMost},
	},
	Measure: func(t *bench.T) []float64 {
		ours := whoamiOfBulkhead(t)
		bare := whoamiOfProgram(t, "chi", answerOf(t, ours))
		series := bench.Interleave(t, ours.Side(t), bare.Side(t))
		bench.Ratio(t, "CPU µs/request", series[0], series[1])
		return []float64{bench.Ratio(t, "requests/s", series[0], series[1]), bench.Ratio(t, "p99 ms", series[0], series[1])}
	},
}

// unlimited configures limits that are kept and never reached: what is measured is
// what they cost, not what they refuse.
const unlimited = "BULKHEAD_LIMITS=requests=1000000000/1m/1000000000"

// whoamiOfBulkhead starts the product and returns the request of an operator's
// key, which has a limit of its own beside that of its organization.
func whoamiOfBulkhead(t *bench.T) bench.Target {
	stack := harness.Prepare(t, harness.Postgres(t).Database(t))
	operator := stack.Bootstrap(t).OperatorKey
	url, api := stack.With(t, unlimited)
	api.LogTo(t.TempDir() + "/log")
	api.Start(t)
	key := limitedKey(t, url, operator)
	address := strings.TrimPrefix(url, "http://")
	return bench.Target{
		Name: "bulkhead", Address: address, PID: api.PID(),
		Request: bench.Get(address, whoamiPath, "Authorization: Bearer "+key),
	}
}

// limitedKey makes a key with the power of another and a limit that it never reaches.
func limitedKey(t *bench.T, url, operator string) string {
	t.Helper()
	api, err := sdk.New(sdk.Config{URL: url, APIKey: operator})
	if err != nil {
		t.Fatal(err)
	}
	me, err := api.Whoami(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, err := api.CreateAPIKey(t.Context(), me.Organization.ID, sdk.APIKeyCreate{
		Name: "bench", UserID: me.UserID,
		Limits: sdk.APIKeyLimits{Requests: sdk.Rate{Count: 1_000_000_000, PeriodSeconds: 60, Burst: 1_000_000_000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return key.Secret
}

// answerOf returns the body with which a target answers.
func answerOf(t *bench.T, g bench.Target) string {
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", g.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	request := strings.Replace(g.Request, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
	if !json.Valid([]byte(body)) {
		t.Fatalf("no JSON: %.80q", body)
	}
	return body
}

// whoamiOfProgram starts another program that answers with the body.
func whoamiOfProgram(t *bench.T, name, body string, args ...string) bench.Target {
	var ready struct{ Address string }
	p := bench.StartProgram(t, &ready, name, append([]string{body}, args...)...)
	return bench.Target{
		Name: name, Address: ready.Address, PID: p.PID,
		Request: bench.Get(ready.Address, whoamiPath, "Authorization: Bearer "+peerKey),
	}
}

// bareChi is the program that answers with its first argument.
func bareChi(ctx context.Context, ready func(any) error, args []string) error {
	body := []byte(args[0])
	router := chi.NewRouter()
	router.Get(whoamiPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	return serve(ctx, ready, router)
}

// serve serves a handler at a port of its own until ctx ends.
func serve(ctx context.Context, ready func(any) error, h http.Handler) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := ready(map[string]string{"Address": l.Addr().String()}); err != nil {
		return err
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
