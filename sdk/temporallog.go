package sdk

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/log"
)

// temporalLog writes what Temporal's client says to a slog.Logger. What workflows
// and activities log passes as it is. What a client says about itself is made
// for one worker in a process; of hundreds, each of these lines would come
// hundreds of times.
type temporalLog struct {
	log   *slog.Logger
	polls *occasional
}

// Lines of Temporal's client, by their text as they have nothing else.
const (
	startedWorker = "Started Worker"
	stoppedWorker = "Stopped Worker"
	failedPoll    = "Failed to poll for task."
)

func newTemporalLog(l *slog.Logger) *temporalLog {
	return &temporalLog{log: l, polls: &occasional{every: time.Minute}}
}

// Debug logs at slog.LevelDebug.
func (l *temporalLog) Debug(msg string, keyvals ...any) { l.write(slog.LevelDebug, msg, keyvals) }

// Info logs at slog.LevelInfo, except what the fleet says itself, once for an
// organization.
func (l *temporalLog) Info(msg string, keyvals ...any) {
	level := slog.LevelInfo
	if msg == startedWorker || msg == stoppedWorker {
		level = slog.LevelDebug
	}
	l.write(level, msg, keyvals)
}

// Warn logs at slog.LevelWarn, except most of the same complaint of all pollers.
func (l *temporalLog) Warn(msg string, keyvals ...any) {
	level := slog.LevelWarn
	if msg == failedPoll && !l.polls.now(time.Now()) {
		level = slog.LevelDebug
	}
	l.write(level, msg, keyvals)
}

// Error logs at slog.LevelError.
func (l *temporalLog) Error(msg string, keyvals ...any) { l.write(slog.LevelError, msg, keyvals) }

// With returns a logger that adds the pairs to each line.
func (l *temporalLog) With(keyvals ...any) log.Logger {
	return &temporalLog{log: l.log.With(keyvals...), polls: l.polls}
}

func (l *temporalLog) write(level slog.Level, msg string, keyvals []any) {
	l.log.Log(context.Background(), level, msg, keyvals...) //nolint:sloglint // the text is Temporal's
}

// occasional says yes once in a while.
type occasional struct {
	every time.Duration

	mu   sync.Mutex
	last time.Time
}

func (o *occasional) now(t time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.last.IsZero() && t.Sub(o.last) < o.every {
		return false
	}
	o.last = t
	return true
}
