package sdk

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
	"go.temporal.io/sdk/worker"
)

// release is what Temporal's client gives a slot back with.
type release struct {
	worker.SlotReleaseInfo
	permit *worker.SlotPermit
}

func (r release) Permit() *worker.SlotPermit { return r.permit }

func TestSlots(t *testing.T) {
	t.Run("Should let a busy worker have the pool and leave every other its own", func(t *testing.T) {
		is := is.New(t)
		shared := newPool(3)
		busy, idle := newSlotSupplier(shared, &account{}), newSlotSupplier(shared, &account{})
		var permits []*worker.SlotPermit
		for p := busy.TryReserveSlot(nil); p != nil; p = busy.TryReserveSlot(nil) {
			permits = append(permits, p)
		}
		is.Equal(len(permits), ownSlots+3)
		is.Equal(busy.MaxSlots(), ownSlots+3)
		for range ownSlots {
			is.True(idle.TryReserveSlot(nil) != nil)
		}
		is.True(idle.TryReserveSlot(nil) == nil)
		is.Equal(shared.stats(), SlotStats{Shared: 3, SharedTaken: 3, OwnTaken: 2 * ownSlots})
		busy.ReleaseSlot(release{permit: permits[len(permits)-1]}) // it came from the pool
		is.True(idle.TryReserveSlot(nil) != nil)
		for _, p := range permits[:ownSlots] {
			busy.ReleaseSlot(release{permit: p})
		}
		is.Equal(shared.stats(), SlotStats{Shared: 3, SharedTaken: 3, OwnTaken: ownSlots})
	})
	t.Run("Should wait for a slot until there is one or the context ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			shared := newPool(0)
			s := newSlotSupplier(shared, &account{})
			var last *worker.SlotPermit
			for range ownSlots {
				last = s.TryReserveSlot(nil)
			}
			ctx, cancel := context.WithCancel(t.Context())
			got := make(chan error)
			reserve := func() {
				_, err := s.ReserveSlot(ctx, nil)
				got <- err
			}
			go reserve()
			synctest.Wait()
			is.Equal(shared.stats().Waiting, 1)
			s.ReleaseSlot(release{permit: last})
			is.NoErr(<-got)
			go reserve()
			synctest.Wait()
			cancel()
			is.True(errors.Is(<-got, context.Canceled))
			is.Equal(shared.stats(), SlotStats{OwnTaken: ownSlots})
		})
	})
	t.Run("Should give what comes free to who has the least, also when another waits for longer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			const size = 12
			shared := newPool(size)
			ctx, stop := context.WithCancel(t.Context())
			var all sync.WaitGroup
			// Each organization has more work than there are slots, of a second each and a
			// little: no two end at once, so that all who want one wait for each.
			var tasks atomic.Int64
			orgs := make([]account, 3)
			work := func(by *account, pollers int) {
				s := newSlotSupplier(shared, by)
				for range pollers {
					all.Go(func() {
						for ctx.Err() == nil {
							p, err := s.ReserveSlot(ctx, nil)
							if err != nil {
								return
							}
							all.Go(func() {
								<-time.NewTimer(time.Second + time.Duration(tasks.Add(1))*time.Microsecond).C
								s.ReleaseSlot(release{permit: p})
							})
						}
					})
				}
			}
			held := func() []int {
				shared.mu.Lock()
				defer shared.mu.Unlock()
				return []int{orgs[0].held, orgs[1].held, orgs[2].held}
			}
			work(&orgs[0], 8)
			synctest.Wait()
			is.Equal(held(), []int{size, 0, 0}) // nobody else wants them
			work(&orgs[1], 2)
			work(&orgs[2], 2)
			for range 3 {
				<-time.NewTimer(time.Second + time.Millisecond).C
				synctest.Wait()
			}
			is.Equal(held(), []int{size / 3, size / 3, size / 3}) // though one asks with four times as many pollers
			stop()
			all.Wait()
			is.Equal(shared.stats(), SlotStats{Shared: size})
		})
	})
	t.Run("Should lose no slot, whoever gives up when", func(t *testing.T) {
		is := is.New(t)
		shared := newPool(3)
		var all sync.WaitGroup
		for range 8 {
			s := newSlotSupplier(shared, &account{})
			for range 4 {
				all.Go(func() {
					for i := range 200 {
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*10*time.Microsecond)
						if p, err := s.ReserveSlot(ctx, nil); err == nil {
							s.ReleaseSlot(release{permit: p})
						}
						cancel()
					}
				})
			}
		}
		all.Wait()
		is.Equal(shared.stats(), SlotStats{Shared: 3})
	})
}
