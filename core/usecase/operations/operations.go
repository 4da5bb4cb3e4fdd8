// Package operations shows how long-running work comes along.
package operations

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/ports"
)

// pollInterval is how often a waiting call looks for the end.
const pollInterval = 50 * time.Millisecond

// Service shows operations.
type Service struct {
	store    ports.Store
	platform ports.Platform
}

// New returns the service.
func New(store ports.Store, platform ports.Platform) *Service {
	return &Service{store: store, platform: platform}
}

// Get shows an operation, and waits up to wait for it to end. A foreign one is
// fault.ErrNotFound.
func (s *Service) Get(ctx context.Context, by authz.Actor, op id.Operation, wait time.Duration) (operation.Operation, error) {
	if err := by.Require(authz.OperationsRead, by.Org()); err != nil {
		return operation.Operation{}, err
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		o, err := s.read(ctx, by, op)
		if err != nil || o.Snapshot().State.Ended() || wait <= 0 {
			return o, err
		}
		select {
		case <-ctx.Done():
			return operation.Operation{}, ctx.Err()
		case <-deadline.C:
			return o, nil
		case <-tick.C:
		}
	}
}

func (s *Service) read(ctx context.Context, by authz.Actor, op id.Operation) (operation.Operation, error) {
	o, err := s.store.Reads(by.Org()).Operation(ctx, op)
	if fault.IsKind(err, fault.NotFound) && by.IsPlatform() {
		return s.platform.Operation(ctx, op)
	}
	return o, err
}
