// Package retention ends audit entries that are older than their organization
// keeps them.
package retention

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	every = time.Hour // a setting is in days
	// batch bounds a transaction. A purge of more is as many entries of the trail.
	batch = 5000
)

// Service purges the trails.
type Service struct {
	store    ports.Store
	platform ports.Platform
	clock    ports.Clock
	log      *slog.Logger
}

// New returns the service.
func New(store ports.Store, platform ports.Platform, clock ports.Clock, log *slog.Logger) *Service {
	return &Service{store: store, platform: platform, clock: clock, log: log}
}

// Run purges every hour until ctx ends. Several processes may do so at once.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "old audit entries not purged everywhere; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep purges the trail of every organization, whatever its state: a trail that
// outlives its organization grows old as others do. One that fails holds up no
// other.
func (s *Service) Sweep(ctx context.Context) error {
	return errors.Join(s.sweep(ctx, org.Filter{}), s.sweep(ctx, org.Filter{State: org.Deleted}))
}

func (s *Service) sweep(ctx context.Context, f org.Filter) error {
	var failures []error
	for after := uuid.Nil; ; {
		p, err := s.platform.Orgs(ctx, f, page.Request{Limit: page.MaxLimit, After: after})
		if err != nil {
			return errors.Join(append(failures, err)...)
		}
		for _, o := range p.Items {
			if o.Snapshot().Settings.AuditRetentionDays > 0 {
				failures = append(failures, s.purge(ctx, o.ID()))
			}
		}
		if after = p.Next; after == uuid.Nil {
			return errors.Join(failures...)
		}
	}
}

// purge takes what is too old, a batch in a transaction. What was taken, and when,
// stands in the trail from then on.
func (s *Service) purge(ctx context.Context, o id.Org) error {
	for {
		var n int64
		now := s.clock.Now()
		err := s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) (err error) {
			if n, err = tx.Audit.Purge(ctx, batch); err != nil || n == 0 {
				return err
			}
			return tx.Audit.Append(ctx, audit.Accepted(o, now, authz.Archivist, audit.TrailPurged, "organization", o.String(),
				map[string]audit.Change{"entries": {Before: n}}))
		})
		if err != nil || n < batch {
			return err
		}
	}
}
