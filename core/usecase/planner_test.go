package usecase_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/ports/porttest"
)

// planner is Temporal's schedules with a memory: of which there are, whether they are
// paused, and with what note. Its list can be late.
type planner struct {
	scheduler

	mu     *sync.Mutex
	there  map[string]schedule.Summary
	unseen map[string]bool // by the list
}

func newPlanner(t *temporal) *planner {
	return &planner{scheduler: scheduler{t}, mu: &sync.Mutex{}, there: map[string]schedule.Summary{}, unseen: map[string]bool{}}
}

// put makes a schedule past Bulkhead.
func (p *planner) put(scheduleID string, paused bool, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.there[scheduleID] = schedule.Summary{ID: scheduleID, Paused: paused, Note: note}
}

// remove deletes a schedule past Bulkhead.
func (p *planner) remove(scheduleID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.there, scheduleID)
}

func (p *planner) of(scheduleID string) schedule.Summary {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.there[scheduleID]
}

func (p *planner) Create(ctx context.Context, namespace string, by authz.Actor, s schedule.Schedule) error {
	if err := p.remote("Schedules.Create " + namespace); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, exists := p.there[s.ID]; exists {
		return schedule.ErrExists
	}
	p.there[s.ID] = schedule.Summary{ID: s.ID, Paused: s.Paused, Note: s.Note}
	return nil
}

func (p *planner) Describe(_ context.Context, namespace, scheduleID string) (schedule.Status, error) {
	if err := p.remote("Schedules.Describe " + namespace); err != nil {
		return schedule.Status{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	found, exists := p.there[scheduleID]
	if !exists {
		return schedule.Status{}, schedule.ErrNotFound
	}
	return schedule.Status{Schedule: schedule.Schedule{ID: scheduleID, Paused: found.Paused, Note: found.Note}, Version: 1}, nil
}

// List gives two to a page, so that whoever forgets the next page is found out.
func (p *planner) List(_ context.Context, namespace string, r page.TokenRequest) (page.TokenPage[schedule.Summary], error) {
	if err := p.remote("Schedules.List " + namespace); err != nil {
		return page.TokenPage[schedule.Summary]{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var out page.TokenPage[schedule.Summary]
	for _, i := range slices.Sorted(maps.Keys(p.there)) {
		if p.unseen[i] || strings.Compare(i, string(r.Token)) <= 0 {
			continue
		}
		if len(out.Items) == 2 {
			out.Next = []byte(out.Items[1].ID)
			return out, nil
		}
		out.Items = append(out.Items, p.there[i])
	}
	return out, nil
}

func (p *planner) Delete(_ context.Context, namespace, scheduleID string, _ int64) error {
	p.remove(scheduleID)
	return p.remote("Schedules.Delete " + namespace)
}

func (p *planner) DeleteAll(_ context.Context, namespace string) error {
	if err := p.remote("Schedules.DeleteAll " + namespace); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.there, func(i string, _ schedule.Summary) bool { return !p.unseen[i] })
	return nil
}

func (p *planner) Hold(_ context.Context, namespace, scheduleID, note string) error {
	if err := p.remote("Schedules.Hold " + namespace + " " + scheduleID); err != nil {
		return err
	}
	return p.change(scheduleID, func(f *schedule.Summary) {
		if !f.Paused {
			f.Paused, f.Note = true, note
		}
	})
}

func (p *planner) Release(_ context.Context, namespace, scheduleID, mark, note string) (runs bool, err error) {
	if err := p.remote("Schedules.Release " + namespace + " " + scheduleID); err != nil {
		return false, err
	}
	err = p.change(scheduleID, func(f *schedule.Summary) {
		if f.Paused && strings.Contains(f.Note, mark) {
			f.Paused, f.Note = false, note
		}
		runs = !f.Paused
	})
	return runs, err
}

func (p *planner) change(scheduleID string, fn func(*schedule.Summary)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, exists := p.there[scheduleID]
	if !exists {
		return schedule.ErrNotFound
	}
	fn(&found)
	p.there[scheduleID] = found
	return nil
}

func TestPlannerContract(t *testing.T) {
	t.Parallel()
	porttest.ScheduleDeletion(t, porttest.ScheduleDeletionSetup{
		Schedules: newPlanner(newWorld(t).temporal), Namespace: "org-acme-01234567", Absent: "org-absent-00000000", Many: 5,
	})
}
