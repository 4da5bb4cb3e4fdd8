package workflows

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

const (
	// fresh is how long a count of running workflows is good for. What was let through
	// since is added to it.
	fresh = time.Second
	// maxCounts bounds how many organizations' counts are kept, beyond those that are
	// good.
	maxCounts = 1 << 12
)

// runningQuery chooses the executions that run, in Temporal's words.
const runningQuery = "ExecutionStatus = 'Running'"

// running is what is known of how many workflows run, by organization.
//
// It is as true as Temporal's visibility store, which lags behind the starts by a
// moment, and each process has its own: so more can run than the quota says, by what
// is started within that moment at all processes together.
type running struct {
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
func (r *running) of(o id.Org, now time.Time) *count {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[id.Org]*count{}
	}
	c := r.counts[o]
	if c == nil {
		if len(r.counts) >= maxCounts {
			r.forget(now)
		}
		c = &count{}
		r.counts[o] = c
	}
	return c
}

// forget drops what is old and is not being asked about.
func (r *running) forget(now time.Time) {
	for o, c := range r.counts {
		if c.mu.TryLock() {
			if now.Sub(c.at) > fresh {
				delete(r.counts, o)
			}
			c.mu.Unlock()
		}
	}
}

// admit fails with limit.ErrExceeded when the organization can not have one more
// workflow, or not one with so much input, and with limit.ErrRateExceeded when it has
// started too many.
func (s *Service) admit(ctx context.Context, row org.Org, in workflow.Start) error {
	set := row.Snapshot().Limits
	arguments := in.Input
	if in.Signal != nil {
		arguments = slices.Concat(arguments, in.Signal.Input)
	}
	if err := s.admitPayload(set, arguments); err != nil {
		return err
	}
	var c limit.Check
	if err := s.limiter.Take(ctx, limit.WorkflowStarts, limit.Holder{Org: row.ID(), OrgLimits: set}, 1, &c); err != nil {
		return err
	}
	return s.admitRunning(ctx, row, set)
}

// admitRunning counts one more workflow that runs. When Temporal can not say how many
// do, nothing is started: what it can not count it can hardly bear more of.
func (s *Service) admitRunning(ctx context.Context, row org.Org, set limit.Set) error {
	l, _ := s.limits.Of(limit.RunningWorkflows, set)
	if l.DryRun {
		return nil
	}
	now := s.clock.Now()
	c := s.running.of(row.ID(), now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || now.Sub(c.at) >= fresh {
		found, err := s.dispatcher.Count(ctx, row.Namespace(), runningQuery, false)
		if err != nil {
			return err
		}
		c.at, c.ran, c.started = now, found.Total, 0
	}
	if err := l.Admit(limit.RunningWorkflows, c.ran+c.started, 1); err != nil {
		s.limiter.Used(row.ID(), limit.RunningWorkflows, l, c.ran+c.started)
		return err
	}
	c.started++
	s.limiter.Used(row.ID(), limit.RunningWorkflows, l, c.ran+c.started)
	return nil
}

// admitPayload fails with limit.ErrExceeded when the arguments are larger together
// than the organization's quota.
func (s *Service) admitPayload(set limit.Set, arguments []json.RawMessage) error {
	var size int64
	for _, a := range arguments {
		size += int64(len(a))
	}
	l, _ := s.limits.Of(limit.PayloadBytes, set)
	return l.Admit(limit.PayloadBytes, 0, size)
}
