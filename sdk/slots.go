package sdk

import (
	"context"

	"go.temporal.io/sdk/worker"
)

// The workers of a fleet share what their process can do. Temporal's own limits
// are for each worker, so that a thousand organizations would be promised a
// thousand times too much; and one limit for all would let idle workers starve
// the others, as a worker takes a slot before it asks for a task.
//
// So every worker has a few slots of its own, enough to keep asking, and takes
// what goes beyond from a pool that all share. A busy organization can use the
// whole pool, and never what another one needs to go on.

// ownSlots is how many slots a worker has of its own, of each sort: as many as
// its pollers, each of which holds one while it waits for a task.
const ownSlots = 2

// pool is a number of slots that many workers share.
type pool chan struct{}

// pools are the shared slots of a fleet, by sort.
type pools struct{ workflows, activities, local, nexus pool }

func newPools(workflowTasks, activities int) pools {
	return pools{
		workflows: make(pool, workflowTasks), activities: make(pool, activities),
		local: make(pool, activities), nexus: make(pool, activities),
	}
}

// tuner returns what decides when one worker may take another task.
func (p pools) tuner() (worker.WorkerTuner, error) {
	return worker.NewCompositeTuner(worker.CompositeTunerOptions{
		WorkflowSlotSupplier:        newSlotSupplier(p.workflows),
		ActivitySlotSupplier:        newSlotSupplier(p.activities),
		SessionActivitySlotSupplier: newSlotSupplier(p.activities),
		LocalActivitySlotSupplier:   newSlotSupplier(p.local),
		NexusSlotSupplier:           newSlotSupplier(p.nexus),
	})
}

// slotSupplier is a worker.SlotSupplier: one worker's own slots, then the pool's.
type slotSupplier struct{ own, shared pool }

func newSlotSupplier(shared pool) *slotSupplier {
	return &slotSupplier{own: make(pool, ownSlots), shared: shared}
}

// ReserveSlot waits for a slot.
func (s *slotSupplier) ReserveSlot(ctx context.Context, info worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	if p := s.TryReserveSlot(info); p != nil {
		return p, nil
	}
	select {
	case s.own <- struct{}{}:
		return &worker.SlotPermit{UserData: s.own}, nil
	case s.shared <- struct{}{}:
		return &worker.SlotPermit{UserData: s.shared}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TryReserveSlot returns a slot if one is free, the worker's own ones first.
func (s *slotSupplier) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit {
	for _, p := range []pool{s.own, s.shared} {
		select {
		case p <- struct{}{}:
			return &worker.SlotPermit{UserData: p}
		default:
		}
	}
	return nil
}

// MarkSlotUsed has nothing to do: reserved and used slots count alike.
func (s *slotSupplier) MarkSlotUsed(worker.SlotMarkUsedInfo) {}

// ReleaseSlot gives a slot back to where it came from.
func (s *slotSupplier) ReleaseSlot(info worker.SlotReleaseInfo) {
	if p, ok := info.Permit().UserData.(pool); ok {
		<-p
	}
}

// MaxSlots returns the most slots that this worker can ever have.
func (s *slotSupplier) MaxSlots() int { return cap(s.own) + cap(s.shared) }
