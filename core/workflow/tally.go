package workflow

import (
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
)

const (
	// fresh is how long a count of running workflows is good for. What was let through
	// since is added to it.
	fresh = time.Second
	// maxCounts bounds how many organizations' counts are kept, beyond those that are
	// good.
	maxCounts = 1 << 12
)

// RunningQuery chooses the executions that run, in Temporal's words.
const RunningQuery = "ExecutionStatus = 'Running'"

// Tally is what is known of how many workflows run, by organization. The zero value knows
// nothing.
//
// It is as true as Temporal's visibility store, which lags behind the starts by a
// moment, and there are several: so more can run than the quota says, by what is started
// within that moment by all of them together.
type Tally struct {
	mu     sync.Mutex
	counts map[id.Org]*count
}

// count is how many workflows ran at a time, and how many starts were let through
// since. Its lock is held while Temporal is asked, so that whoever comes meanwhile
// shares the answer.
type count struct {
	mu      sync.Mutex
	at      time.Time // zero: nobody has asked yet
	ran     int64
	started int64
}

// of returns the count of an organization, and forgets those that are of no use any
// more when they become too many.
func (t *Tally) of(o id.Org, now time.Time) *count {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[id.Org]*count{}
	}
	c := t.counts[o]
	if c == nil {
		if len(t.counts) >= maxCounts {
			t.forget(now)
		}
		c = &count{}
		t.counts[o] = c
	}
	return c
}

// forget drops what is old and is not being asked about.
func (t *Tally) forget(now time.Time) {
	for o, c := range t.counts {
		if c.mu.TryLock() {
			if now.Sub(c.at) > fresh {
				delete(t.counts, o)
			}
			c.mu.Unlock()
		}
	}
}

// Admit counts n more workflows that run, or fails with limit.ErrExceeded when l does not
// allow as many, and returns how many run by then; 0 of a dry run, which counts nothing.
// How many run is asked for when nobody has within a moment; it fails as that does: what
// can not be counted can hardly be borne more of.
func (t *Tally) Admit(o id.Org, now time.Time, l limit.Limit, n int64, running func() (int64, error)) (used int64, err error) {
	if l.DryRun {
		return 0, nil
	}
	c := t.of(o, now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || now.Sub(c.at) >= fresh {
		found, err := running()
		if err != nil {
			return 0, err
		}
		c.at, c.ran, c.started = now, found, 0
	}
	if err := l.Admit(limit.RunningWorkflows, c.ran+c.started, n); err != nil {
		return c.ran + c.started, err
	}
	c.started += n
	return c.ran + c.started, nil
}
