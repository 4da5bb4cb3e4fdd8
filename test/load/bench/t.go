package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// T is what a comparison gets: a testing.TB, so that it may start all that
// test/harness starts, and how thoroughly to measure. It knows what the harness
// needs of a testing.TB, and panics at what it does not, such as Setenv.
type T struct {
	testing.TB // of nothing: it cannot be implemented otherwise

	Short  bool
	Rounds int           // how many rounds to measure, after one to warm up
	Round  time.Duration // how long a round of one side should take

	name     string
	progress io.Writer
	ctx      context.Context
	cancel   context.CancelFunc
	cleanups []func()
	failed   bool
}

func newT(ctx context.Context, name string, o Options) *T {
	t := &T{Short: o.Short, Rounds: rounds, Round: roundTime, name: name, progress: o.Progress}
	if o.Short {
		t.Rounds, t.Round = shortRounds, shortRoundOf
	}
	t.ctx, t.cancel = context.WithCancel(ctx)
	return t
}

// run calls f, which may end early by FailNow, and then cleans up.
func (t *T) run(f func()) {
	t.guard(f)
	t.cancel()
	for len(t.cleanups) > 0 {
		last := t.cleanups[len(t.cleanups)-1]
		t.cleanups = t.cleanups[:len(t.cleanups)-1]
		t.guard(last)
	}
}

// guard calls f in a goroutine of its own, which FailNow can end.
func (t *T) guard(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if cause := recover(); cause != nil {
				t.Errorf("panic: %v\n%s", cause, debug.Stack())
			}
		}()
		f()
	}()
	<-done
}

// Name is that of the comparison's first row.
func (t *T) Name() string { return t.name }

// Context ends before what Cleanup registered runs.
func (t *T) Context() context.Context { return t.ctx }

// Cleanup registers what runs when the comparison has ended, the last first.
func (t *T) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

// Helper does nothing: a failure names no line.
func (t *T) Helper() {}

// Failed tells whether the comparison has failed.
func (t *T) Failed() bool { return t.failed }

// Fail marks the comparison as failed.
func (t *T) Fail() { t.failed = true }

// FailNow ends the comparison. It must be called by the goroutine that runs it.
func (t *T) FailNow() {
	t.failed = true
	runtime.Goexit()
}

// Log says something of the progress.
func (t *T) Log(args ...any) {
	text := strings.TrimSuffix(fmt.Sprintln(args...), "\n")
	_, _ = fmt.Fprintf(t.progress, "   %s\n", strings.ReplaceAll(text, "\n", "\n   "))
}

// Logf says something of the progress.
func (t *T) Logf(format string, args ...any) { t.Log(fmt.Sprintf(format, args...)) }

// Error says why the comparison fails, and goes on.
func (t *T) Error(args ...any) { t.Log(args...); t.Fail() }

// Errorf says why the comparison fails, and goes on.
func (t *T) Errorf(format string, args ...any) { t.Logf(format, args...); t.Fail() }

// Fatal says why the comparison fails, and ends it.
func (t *T) Fatal(args ...any) { t.Log(args...); t.FailNow() }

// Fatalf says why the comparison fails, and ends it.
func (t *T) Fatalf(format string, args ...any) { t.Logf(format, args...); t.FailNow() }

// TempDir returns a folder that is removed when the comparison has ended.
func (t *T) TempDir() string {
	dir, err := os.MkdirTemp("", "bulkhead-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// loadAverage is what the machine has to do besides, so that a result can be
// judged.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
