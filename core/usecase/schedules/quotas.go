package schedules

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// admitPayload fails with limit.ErrPayloadTooLarge when the arguments of what a schedule starts
// are larger together than the organization's quota.
func (s *Service) admitPayload(row org.Org, arguments []json.RawMessage) error {
	var size int64
	for _, a := range arguments {
		size += int64(len(a))
	}
	l, _ := s.limits.Of(limit.PayloadBytes, row.Snapshot().Limits)
	return l.AdmitPayload(size, "/action/input")
}

// admit fails with limit.ErrRateExceeded or limit.ErrExceeded when the organization can
// not start n workflows now by a schedule of its. Of the rate it takes no more than there
// can be at once: else a large backfill could never be.
func (s *Service) admit(ctx context.Context, o id.Org, n int) error {
	row, err := s.active(ctx, o)
	if err != nil {
		return err
	}
	set := row.Snapshot().Limits
	rate, _ := s.limits.Of(limit.WorkflowStarts, set)
	var c limit.Check
	if err := s.limiter.Take(ctx, limit.WorkflowStarts, limit.Holder{Org: o, OrgLimits: set}, min(int64(n), max(1, rate.Rate.Burst)), &c); err != nil {
		return err
	}
	l, _ := s.limits.Of(limit.RunningWorkflows, set)
	used, err := s.running.Admit(o, s.clock.Now(), l, int64(n), func() (int64, error) {
		found, err := s.dispatcher.Count(ctx, row.Namespace(), workflow.RunningQuery, false)
		return found.Total, err
	})
	if err == nil || errors.Is(err, limit.ErrExceeded) {
		s.limiter.Used(o, limit.RunningWorkflows, l, used)
	}
	return err
}
