package revocation

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

// The size of the run. make test/revocation asks for more.
var (
	revocations = flag.Int("revocations", 300, "how many keys lose their power")
	cuts        = flag.Int("cuts", 20, "how often at least connections that listen are cut meanwhile")
)

// What must hold. A change that is not noticed for as long as patience is one that was
// missed.
const (
	mostCommonly = 100 * time.Millisecond // for 99 of 100, while nothing disturbs
	mostEver     = 2 * time.Second
	mostCutOff   = 5 * time.Second
	patience     = 10 * time.Second
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.RemoveBuilt()
	os.Exit(code)
}

func TestRevocation(t *testing.T) {
	w := newWorld(t)
	targets := w.add(mixed(*revocations))
	w.warm(targets, w.urls...)
	for _, node := range w.nodes {
		if kept := w.kept(node); kept < len(targets) {
			t.Fatalf("a node keeps %d of %d keys: nothing would be shown", kept, len(targets))
		}
	}

	calm := w.revoke(targets[:len(targets)/2])
	disturbing, enough := context.WithCancel(t.Context())
	cut := make(chan int, 1)
	var soFar atomic.Int64
	go func() { cut <- w.disturb(disturbing, &soFar) }()
	disturbed := w.revoke(targets[len(targets)/2:])
	harness.Eventually(t, "connections are cut", func() bool { return soFar.Load() >= int64(*cuts) })
	enough()
	t.Logf("%d connections that listen were cut", <-cut)
	cutOff := w.cutOff()

	slices.Sort(calm.lags)
	p99 := calm.lags[len(calm.lags)*99/100]
	longest := max(calm.lags[len(calm.lags)-1], slices.Max(disturbed.lags))
	missed := calm.missed + disturbed.missed
	// The last line of make test/revocation.
	summary := fmt.Sprintf("revocation: %d revoked, %d missed, p99 %d ms, max %d ms, cut-off %.1f s",
		len(targets), missed, p99.Milliseconds(), longest.Milliseconds(), cutOff.Seconds())
	t.Log(summary)
	if path := os.Getenv("REVOCATION_REPORT"); path != "" {
		if err := os.WriteFile(path, []byte(summary+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("Should miss none", func(t *testing.T) { is.New(t).Equal(missed, 0) })
	t.Run("Should notice at once, by and large", func(t *testing.T) { is.New(t).True(p99 < mostCommonly) })
	t.Run("Should notice soon whatever disturbs", func(t *testing.T) { is.New(t).True(longest < mostEver) })
	t.Run("Should stop without the database", func(t *testing.T) { is.New(t).True(cutOff < mostCutOff) })
}

// result is what was seen of many revocations, on each node.
type result struct {
	lags   []time.Duration
	missed int
}

// revoke takes the power of each target, and watches every node for how long it is
// still accepted.
func (w *world) revoke(targets []target) result {
	w.t.Helper()
	lags := make([]time.Duration, len(targets)*len(w.urls))
	for _, err := range each(4, len(targets), func(i int) error {
		x := targets[i]
		if err := x.kind.change(w.t.Context(), w, w.apis[i%len(w.apis)], x); err != nil {
			return fmt.Errorf("%s: %w", x.kind.name, err)
		}
		changed := time.Now()
		return first(each(len(w.urls), len(w.urls), func(n int) (err error) {
			lags[i*len(w.urls)+n], err = w.accepted(w.urls[n], x, changed)
			return err
		}))
	}) {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	out := result{lags: lags}
	for _, lag := range lags {
		if lag >= patience {
			out.missed++
		}
	}
	return out
}

// accepted returns how long after its change a key was still accepted: when the last
// such request began, or patience.
func (w *world) accepted(url string, x target, changed time.Time) (lag time.Duration, err error) {
	often := time.NewTicker(time.Millisecond) // and not as fast as it goes: the nodes share the machine
	defer often.Stop()
	for ; lag < patience; <-often.C {
		began := time.Since(changed)
		status, accepted, err := w.present(w.t.Context(), url, x)
		if err != nil {
			return 0, err
		}
		if !accepted {
			if status != http.StatusOK && status != http.StatusUnauthorized {
				return 0, fmt.Errorf("%s: answered with %d", x.kind.name, status)
			}
			return lag, nil
		}
		lag = began
	}
	return patience, nil
}

func first(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// disturb cuts the connections by which the nodes hear of changes, again and again
// until ctx ends, and returns how many it has cut.
func (w *world) disturb(ctx context.Context, soFar *atomic.Int64) int {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return int(soFar.Load())
		case <-tick.C:
		}
		var n int64
		if err := w.db.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name LIKE '% listen'`).Scan(&n); err != nil && ctx.Err() == nil {
			w.t.Errorf("cut connections: %v", err)
		}
		soFar.Add(n)
	}
}

// cutOff returns for how long a node accepts a key from memory after its way to the
// database was cut. What it answers then must not be that the key is no good.
func (w *world) cutOff() time.Duration {
	w.t.Helper()
	database, err := url.Parse(w.stack.Database.AppURL)
	if err != nil {
		w.t.Fatal(err)
	}
	p := newProxy(w.t, database.Host)
	through := func(raw string) string {
		u, err := url.Parse(raw)
		if err != nil {
			w.t.Fatal(err)
		}
		u.Host = p.address
		return u.String()
	}
	address, node := w.stack.With(w.t,
		"BULKHEAD_DATABASE_URL="+through(w.stack.Database.AppURL), "BULKHEAD_DATABASE_AUTH_URL="+through(w.stack.Database.AuthURL))
	node.Start(w.t)
	x := w.add([]kind{kinds[0]})[0]
	harness.Eventually(w.t, "the node answers from memory", func() bool {
		w.warm([]target{x}, address)
		return w.kept(node) > 0
	})
	p.cut.Store(true)
	cut := time.Now()
	last := time.Duration(0)
	for unavailable := 0; unavailable < 2; {
		ctx, cancel := context.WithTimeout(w.t.Context(), 2*patience)
		status, accepted, err := w.present(ctx, address, x)
		cancel()
		switch {
		case err != nil:
			w.t.Fatalf("cut off: %v", err)
		case accepted:
			last = time.Since(cut)
		case status == http.StatusServiceUnavailable:
			unavailable++
		default:
			w.t.Fatalf("cut off, a good key is answered with %d", status)
		}
		if last > 2*patience {
			return last
		}
	}
	return last
}
