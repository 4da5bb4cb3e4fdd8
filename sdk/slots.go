package sdk

import (
	"context"
	"slices"
	"sync"

	"go.temporal.io/sdk/worker"
)

// The workers of a fleet share what their process can do. Temporal's own limits
// are for each worker, so that a thousand organizations would be promised a
// thousand times too much; and one limit for all would let idle workers starve
// the others, as a worker takes a slot before it asks for a task.
//
// So every worker has a few slots of its own, enough to keep asking, and takes
// what goes beyond from a pool that all share. A busy organization can use the
// whole pool, and never what another one needs to go on. When more is wanted than
// there is, a slot that comes free goes to the organization that holds the fewest.

// ownSlots is how many slots a worker has of its own, of each sort: as many as
// its pollers, each of which holds one while it waits for a task.
const ownSlots = 2

// busyPollers is how many pollers a worker has for activities at most.
const busyPollers = 8

// pool is a number of slots that many workers share.
type pool struct {
	size int

	mu      sync.Mutex
	free    int
	waiting []*claim // in the order in which they came
	own     int      // slots of workers' own that are taken
}

// account is what one organization holds of a pool.
type account struct{ held int }

// claim is a wait for a slot.
type claim struct {
	by      *account
	granted chan struct{} // closed when the slot is the claim's
}

func newPool(size int) *pool { return &pool{size: size, free: size} }

// take takes a slot if one is free. Nobody waits then.
func (p *pool) take(by *account) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free == 0 {
		return false
	}
	p.free--
	by.held++
	return true
}

// claim asks for a slot, which may be granted at once. It is to be given up, or given
// back.
func (p *pool) claim(by *account) *claim {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &claim{by: by, granted: make(chan struct{})}
	p.waiting = append(p.waiting, c)
	p.grant()
	return c
}

// give gives a slot back.
func (p *pool) give(by *account) {
	p.mu.Lock()
	defer p.mu.Unlock()
	by.held--
	p.free++
	p.grant()
}

// giveUp ends a claim, whether it was granted or not.
func (p *pool) giveUp(c *claim) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, c); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return
	}
	c.by.held--
	p.free++
	p.grant()
}

// grant gives what is free to who holds the fewest; among equals to who came first.
func (p *pool) grant() {
	for p.free > 0 && len(p.waiting) > 0 {
		least := 0
		for i, c := range p.waiting {
			if c.by.held < p.waiting[least].by.held {
				least = i
			}
		}
		c := p.waiting[least]
		p.waiting = slices.Delete(p.waiting, least, least+1)
		p.free--
		c.by.held++
		close(c.granted)
	}
}

// count notes that a worker has taken one of its own slots, or given it back.
func (p *pool) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own += n
}

func (p *pool) stats() SlotStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return SlotStats{Shared: p.size, SharedTaken: p.size - p.free, OwnTaken: p.own, Waiting: len(p.waiting)}
}

// pools are the shared slots of a fleet, by sort.
type pools struct{ workflows, activities, local, nexus *pool }

func newPools(workflowTasks, activities int) pools {
	return pools{
		workflows: newPool(workflowTasks), activities: newPool(activities),
		local: newPool(activities), nexus: newPool(activities),
	}
}

// accounts are those of one organization, for all of its workers.
type accounts struct{ workflows, activities, local, nexus account }

// tuner returns what decides when one worker may take another task.
func (p pools) tuner(by *accounts) (worker.WorkerTuner, error) {
	return worker.NewCompositeTuner(worker.CompositeTunerOptions{
		WorkflowSlotSupplier:        newSlotSupplier(p.workflows, &by.workflows),
		ActivitySlotSupplier:        newSlotSupplier(p.activities, &by.activities),
		SessionActivitySlotSupplier: newSlotSupplier(p.activities, &by.activities),
		LocalActivitySlotSupplier:   newSlotSupplier(p.local, &by.local),
		NexusSlotSupplier:           newSlotSupplier(p.nexus, &by.nexus),
	})
}

// slotSupplier is a worker.SlotSupplier: one worker's own slots, then the pool's.
type slotSupplier struct {
	own    chan struct{}
	shared *pool
	by     *account
}

// isShared marks a permit whose slot is the pool's.
type isShared bool

func newSlotSupplier(shared *pool, by *account) *slotSupplier {
	return &slotSupplier{own: make(chan struct{}, ownSlots), shared: shared, by: by}
}

// ReserveSlot waits for a slot.
func (s *slotSupplier) ReserveSlot(ctx context.Context, info worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	if p := s.TryReserveSlot(info); p != nil {
		return p, nil
	}
	c := s.shared.claim(s.by)
	select {
	case <-c.granted:
		return &worker.SlotPermit{UserData: isShared(true)}, nil
	case s.own <- struct{}{}:
		s.shared.giveUp(c)
		return s.ownPermit(), nil
	case <-ctx.Done():
		s.shared.giveUp(c)
		return nil, ctx.Err()
	}
}

// TryReserveSlot returns a slot if one is free, the worker's own ones first.
func (s *slotSupplier) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit {
	select {
	case s.own <- struct{}{}:
		return s.ownPermit()
	default:
	}
	if s.shared.take(s.by) {
		return &worker.SlotPermit{UserData: isShared(true)}
	}
	return nil
}

func (s *slotSupplier) ownPermit() *worker.SlotPermit {
	s.shared.count(1)
	return &worker.SlotPermit{UserData: isShared(false)}
}

// MarkSlotUsed has nothing to do: reserved and used slots count alike.
func (s *slotSupplier) MarkSlotUsed(worker.SlotMarkUsedInfo) {}

// ReleaseSlot gives a slot back to where it came from.
func (s *slotSupplier) ReleaseSlot(info worker.SlotReleaseInfo) {
	shared, ok := info.Permit().UserData.(isShared)
	switch {
	case !ok: // no permit of ours
	case bool(shared):
		s.shared.give(s.by)
	default:
		<-s.own
		s.shared.count(-1)
	}
}

// MaxSlots returns the most slots that this worker can ever have.
func (s *slotSupplier) MaxSlots() int { return cap(s.own) + s.shared.size }
