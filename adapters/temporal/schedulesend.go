package temporal

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
)

// deletionsAtOnce is how many schedules are deleted at the same time: that many calls
// are well below what one namespace may ask of Temporal in a second.
const deletionsAtOnce = 8

// deletionsPage is how many schedules are listed to be deleted: few, as an attempt that
// is cut short has listed in vain.
const deletionsPage = 50

// DeleteAll implements ports.Schedules. The token of a page is a place among all that
// were ever listed, so that what is deleted before it moves nothing. What was deleted is
// listed a moment longer, and found to be gone; an attempt that is cut short so costs the
// next one little.
func (s *Schedules) DeleteAll(ctx context.Context, namespace string) error {
	for next := []byte(nil); ; {
		found, err := s.List(ctx, namespace, page.TokenRequest{Limit: deletionsPage, Token: next})
		if fault.IsKind(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.deleteEach(ctx, namespace, found.Items); err != nil {
			return err
		}
		if next = found.Next; next == nil {
			return nil
		}
	}
}

func (s *Schedules) deleteEach(ctx context.Context, namespace string, found []schedule.Summary) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(deletionsAtOnce)
	for _, f := range found {
		all.Go(func() error {
			if err := s.remove(ctx, namespace, f.ID); !fault.IsKind(err, fault.NotFound) {
				return err
			}
			return nil // somebody was faster
		})
	}
	return all.Wait()
}

// remove deletes a schedule of whatever version.
func (s *Schedules) remove(ctx context.Context, namespace, scheduleID string) error {
	_, err := scheduled(ctx, s.conn, namespace, s.service().DeleteSchedule, &workflowservice.DeleteScheduleRequest{
		Namespace: namespace, ScheduleId: scheduleID, Identity: identity,
	})
	return err
}
