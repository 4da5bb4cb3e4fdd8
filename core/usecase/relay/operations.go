package relay

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/ports"
)

// show has the operations that wait for these messages say what is in the way of them,
// and say it no more when it is not: whoever waits for one would see nothing at all
// while Temporal is away. A message that is delivered at once, as nearly all are, costs
// nothing here. The messages that failed are still this relay's: a later delivery by
// another one can not be overtaken by what is said of an earlier one.
func (s *Service) show(ctx context.Context, messages []outbox.Message, failures []error) {
	ctx, cancel := context.WithTimeout(ctx, showLimit)
	defer cancel()
	now := s.clock.Now()
	for i, m := range messages {
		if failures[i] == nil && m.Attempts <= 1 {
			continue
		}
		f := inTheWay(failures[i])
		err := s.change(ctx, m, func(op *operation.Operation) error {
			if f == nil {
				op.Delivered(now)
			} else {
				op.Undelivered(m.Attempts, f, now)
			}
			return nil
		})
		if err != nil && !fault.IsKind(err, fault.NotFound) {
			s.log.WarnContext(ctx, "operation does not show how its message fares", "message", m.ID.String(),
				"organization", m.OrgID.String(), "error", err)
		}
	}
}

// inTheWay returns the fault that has kept a message from being delivered; nil is none.
func inTheWay(err error) *fault.Error {
	if _, known := errors.AsType[*fault.Error](err); !known && errors.Is(err, context.DeadlineExceeded) {
		return fault.ErrTimeout.Because(err)
	}
	return fault.From(err)
}

// change changes the operations that a message is about and that have not ended.
func (s *Service) change(ctx context.Context, m outbox.Message, fn func(*operation.Operation) error) error {
	var of []operation.Kind
	switch m.Kind {
	case outbox.ProvisionOrganization:
		return s.changeOne(ctx, m, fn)
	case outbox.ReviewDeletion:
		of = []operation.Kind{operation.DeleteOrganization}
	case outbox.ReviewSchedules:
		of = operation.OfSchedules()
	default:
		return nil // nobody waits for it
	}
	return s.store.WriteTx(ctx, m.OrgID, func(ctx context.Context, tx ports.Tx) error {
		for _, k := range of {
			if err := tx.Operations.UpdateOpen(ctx, k, fn); err != nil && !fault.IsKind(err, fault.NotFound) {
				return err
			}
		}
		return nil
	})
}

// changeOne changes the operation that a message names.
func (s *Service) changeOne(ctx context.Context, m outbox.Message, fn func(*operation.Operation) error) error {
	var p outbox.ProvisionPayload
	if err := json.Unmarshal(m.Payload, &p); err != nil {
		return nil //nolint:nilerr // whoever delivers it has said so
	}
	return s.store.WriteTx(ctx, m.OrgID, func(ctx context.Context, tx ports.Tx) error {
		return tx.Operations.Update(ctx, p.Operation, fn)
	})
}
