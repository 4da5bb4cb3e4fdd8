package workflows

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// admit fails with limit.ErrExceeded when the organization can not have one more
// workflow, with limit.ErrPayloadTooLarge when not one with so much input, and with
// limit.ErrRateExceeded when it has started too many.
func (s *Service) admit(ctx context.Context, row org.Org, in workflow.Start) error {
	set := row.Snapshot().Limits
	parts := []part{{"/input", in.Input}}
	if in.Signal != nil {
		parts = append(parts, part{"/signal/input", in.Signal.Input})
	}
	if err := s.admitPayload(set, parts...); err != nil {
		return err
	}
	var c limit.Check
	if err := s.limiter.Take(ctx, limit.WorkflowStarts, limit.Holder{Org: row.ID(), OrgLimits: set}, 1, &c); err != nil {
		return err
	}
	return s.admitRunning(ctx, row, set)
}

// admitRunning counts one more workflow that runs.
func (s *Service) admitRunning(ctx context.Context, row org.Org, set limit.Set) error {
	l, _ := s.limits.Of(limit.RunningWorkflows, set)
	used, err := s.running.Admit(row.ID(), s.clock.Now(), l, 1, func() (int64, error) {
		found, err := s.dispatcher.Count(ctx, row.Namespace(), workflow.RunningQuery, false)
		return found.Total, err
	})
	if err == nil || errors.Is(err, limit.ErrExceeded) {
		s.limiter.Used(row.ID(), limit.RunningWorkflows, l, used)
	}
	return err
}

// part is a part of the arguments, and where it stands in the request.
type part struct {
	pointer   string
	arguments []json.RawMessage
}

// admitPayload fails with limit.ErrPayloadTooLarge when the arguments are larger
// together than the organization's quota.
func (s *Service) admitPayload(set limit.Set, parts ...part) error {
	var size int64
	var pointers []string
	for _, p := range parts {
		for _, a := range p.arguments {
			size += int64(len(a))
		}
		if len(p.arguments) > 0 {
			pointers = append(pointers, p.pointer)
		}
	}
	l, _ := s.limits.Of(limit.PayloadBytes, set)
	return l.AdmitPayload(size, pointers...)
}
