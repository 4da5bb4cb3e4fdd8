package sdk

import (
	"sync/atomic"
	"time"
)

// FleetStats is how a fleet does at one moment. It names no organization, so that
// all of it can become metrics, with the pool as their one label.
type FleetStats struct {
	Pool   string
	Member string

	Assigned int // organizations that it should serve
	Serving  int // those that it does serve; while one moves, its predecessor as well

	// Failures counts how often an organization could not be served, or not any more,
	// and was tried again.
	Failures uint64
	// Unanswered counts the questions for assignments that had no answer, and Answered
	// is when the last one had; zero: none yet.
	Unanswered uint64
	Answered   time.Time

	WorkflowTasks   SlotStats
	Activities      SlotStats
	LocalActivities SlotStats
	NexusTasks      SlotStats
}

// SlotStats is how many tasks of a sort a fleet runs, or waits for.
type SlotStats struct {
	Shared      int // slots that the organizations share
	SharedTaken int
	OwnTaken    int // slots that each worker has of its own: two
	Waiting     int // who waits for a shared slot
}

// FleetEvent is something that happens in a fleet.
type FleetEvent struct {
	Kind FleetEventKind
	Pool string
	// Organization is the slug of who it is about; "" for all. There may be thousands:
	// it is for a log, and no label of a metric.
	Organization string
	Err          error
	Took         time.Duration // what the kind says
}

// FleetEventKind is what happened.
type FleetEventKind string

// The kinds of events. There are no others.
const (
	// FleetServing is that an organization is served; it took so long since it was assigned.
	FleetServing FleetEventKind = "serving"
	// FleetStopped is that an organization is not served any more; it took so long to drain.
	FleetStopped FleetEventKind = "stopped"
	// FleetFailed is that an organization cannot be served, and is tried again.
	FleetFailed FleetEventKind = "failed"
	// FleetAnswered is that the API has said what to serve; it took so long, waiting included.
	FleetAnswered FleetEventKind = "answered"
	// FleetUnanswered is that it has not: what is known is served on.
	FleetUnanswered FleetEventKind = "unanswered"
)

// Stats returns how the fleet does now. It may be called at any time, by anybody.
func (f *Fleet) Stats() FleetStats {
	m := &f.meter
	s := FleetStats{
		Pool: f.query.Pool, Member: f.query.Member,
		Assigned: int(m.assigned.Load()), Serving: int(m.serving.Load()),
		Failures: m.failures.Load(), Unanswered: m.unanswered.Load(),
		WorkflowTasks: f.pools.workflows.stats(), Activities: f.pools.activities.stats(),
		LocalActivities: f.pools.local.stats(), NexusTasks: f.pools.nexus.stats(),
	}
	if at := m.answered.Load(); at != nil {
		s.Answered = *at
	}
	return s
}

// meter counts what happens in a fleet, and tells who observes it.
type meter struct {
	observe func(FleetEvent)
	pool    string

	assigned, serving    atomic.Int64
	failures, unanswered atomic.Uint64
	answered             atomic.Pointer[time.Time]
}

func (m *meter) note(e FleetEvent) {
	switch e.Kind {
	case FleetServing:
		m.serving.Add(1)
	case FleetStopped:
		m.serving.Add(-1)
	case FleetFailed:
		m.failures.Add(1)
	case FleetAnswered:
		now := time.Now()
		m.answered.Store(&now)
	case FleetUnanswered:
		m.unanswered.Add(1)
	}
	if m.observe != nil {
		e.Pool = m.pool
		m.observe(e)
	}
}
