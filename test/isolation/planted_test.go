package isolation

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/test/harness"
	"github.com/bulkheadhq/bulkhead/test/isolation/faults"
)

const root = "../.."

// TestFaults needs no stack, so that a fault which does not fit the source any
// more fails at once.
func TestFaults(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, f := range faults.All {
		t.Run("Should fit the source: "+f.Name, func(t *testing.T) {
			if names[f.Name] {
				t.Error("there are two faults of this name")
			}
			names[f.Name] = true
			if _, err := f.Overlay(root, t.TempDir()); err != nil {
				t.Error(err)
			}
		})
	}
}

// mostLog is how much is shown of a log, in bytes: a crash fits in.
const mostLog = 16 << 10

// planted is a program with a fault in it.
type planted struct {
	fault faults.Fault
	path  string
	err   error
}

// plant builds the product with each fault, one after another, and sends the
// programs: the next is built while the one before is attacked.
func plant(ctx context.Context, dir string, all []faults.Fault) <-chan planted {
	built := make(chan planted, 2)
	go func() {
		defer close(built)
		for i, f := range all {
			p := planted{fault: f, path: filepath.Join(dir, "bulkhead-"+strconv.Itoa(i))}
			p.err = build(ctx, f, p.path)
			select {
			case built <- p:
			case <-ctx.Done():
				return
			}
		}
	}()
	return built
}

// build builds the product with a fault. The flags are those of make build, so
// that what is not changed is compiled once.
func build(ctx context.Context, f faults.Fault, path string) error {
	dir := path + ".src"
	if out, err := exec.CommandContext(ctx, "mkdir", "-p", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	overlay, err := f.Overlay(root, dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-overlay", overlay, "-o", path, "./cmd/bulkhead")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build with the fault %q: %w\n%s", f.Name, err, out)
	}
	return nil
}

// find attacks a program with a fault until something is found. The sample comes
// first, as it takes a second, and all attacks after it.
func (w *world) find(t *testing.T, p planted) (finding, bool) {
	t.Helper()
	if p.err != nil {
		t.Fatal(p.err)
	}
	if p.fault.SQL != "" {
		w.database.exec(t, p.fault.SQL)
		defer w.database.exec(t, p.fault.Undo)
	}
	theirs := *w
	theirs.url, theirs.api = w.stack.WithProgram(t, p.path)
	theirs.api.Start(t)
	defer theirs.api.Stop()
	theirs.settle(t)
	if p.fault.Bypass {
		// It ends when it finds its role to be above the policies, and would ask again if the
		// connection were cut under the question.
		harness.Eventually(t, "the program has checked its role", func() bool {
			return strings.Contains(theirs.api.Log(), `"msg":"dependency checked","name":"Postgres"`)
		})
		theirs.bypass(t, true)
		defer w.bypass(t, false)
	}
	for _, most := range []int{2 * perFamily, 0} {
		r := &run{w: &theirs, first: true, sampled: most}
		r.everything(t)
		if len(r.findings) > 0 {
			if f := r.findings[0]; f.oracle == serverFault || f.oracle == noAnswer {
				log := theirs.api.Log()
				t.Logf("the log of the program ends with\n%s", log[max(0, len(log)-mostLog):])
			}
			return r.findings[0], true
		}
	}
	return finding{}, false
}

// bypass takes row-level security off the application's role, or binds it again,
// for all connections from here on.
func (w *world) bypass(t testing.TB, on bool) {
	t.Helper()
	attribute := "NOBYPASSRLS"
	if on {
		attribute = "BYPASSRLS"
	}
	w.database.exec(t, "ALTER ROLE bulkhead_app "+attribute)
	// Plans and connections remember what they were made with.
	w.database.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bulkhead_app'")
	w.settle(t)
}

// settle waits until the API answers from every one of its connections: as many are
// asked at a time as an attack will ask, since one after another would all be
// answered from the connection that was used last.
func (w *world) settle(t testing.TB) {
	t.Helper()
	const rounds = 4
	q := &request{method: "GET", path: "/api/v0/organizations/" + w.a.ID}
	deadline := time.Now().Add(time.Minute)
	for good := 0; good < rounds; {
		var all sync.WaitGroup
		var failed atomic.Pointer[string]
		for range concurrency {
			all.Go(func() {
				got, err := w.do(t.Context(), q, &credential{header: bearer(w.a.key)})
				if err != nil || got.status != http.StatusOK {
					why := fmt.Sprint(err, " ", got.bytes())
					failed.Store(&why)
				}
			})
		}
		all.Wait()
		if good++; failed.Load() != nil {
			good = 0
		}
		if why := failed.Load(); why != nil && time.Now().After(deadline) {
			t.Fatalf("the API does not settle: %s", *why)
		}
	}
}

// power plants every fault and counts those that are found.
func (w *world) power(t *testing.T, all []faults.Fault) (found int) {
	t.Helper()
	for p := range plant(t.Context(), t.TempDir(), all) {
		t.Run("Should find: "+p.fault.Name, func(t *testing.T) {
			started := time.Now()
			f, ok := w.find(t, p)
			if !ok {
				t.Errorf("no attack has found it")
				return
			}
			if f.oracle == serverFault || f.oracle == noAnswer {
				t.Errorf("the fault breaks the product, and opens nothing: %s", f)
				return
			}
			found++
			t.Logf("found in %v by %q: %s", time.Since(started).Round(time.Millisecond), f.oracle, f.attack)
		})
	}
	return found
}
