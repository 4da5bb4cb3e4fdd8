// Package keywatch looks after the API keys of all organizations: it warns before
// they expire and counts what they are stored under.
package keywatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/sleep"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// sweepEvery is how late a warning may come, when all is well.
	sweepEvery = 5 * time.Minute
	retryEvery = 10 * time.Second

	// batch is how many keys are asked for at once.
	batch = 200
)

// Service looks after keys.
type Service struct {
	census ports.KeyCensus
	store  ports.Store
	clock  ports.Clock
	meter  ports.KeyMeter
	log    *slog.Logger
}

// New returns the service.
func New(census ports.KeyCensus, store ports.Store, clock ports.Clock, meter ports.KeyMeter, log *slog.Logger) *Service {
	return &Service{census: census, store: store, clock: clock, meter: meter, log: log}
}

// Run looks after keys until ctx ends: at once, and then every few minutes. Any
// number of processes may do so.
func (s *Service) Run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := sweepEvery
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "API keys not looked after; trying again", "error", err)
			pause = retryEvery
		}
		sleep.For(ctx, pause)
	}
}

// Sweep gives every warning that is due, and counts the secrets by their peppers.
// What another process warns of at the same time is warned of once.
func (s *Service) Sweep(ctx context.Context) error {
	peppers, err := s.Peppers(ctx)
	if err != nil {
		return err
	}
	s.meter.SecretsByPepper(peppers)
	for {
		due, err := s.census.DueWarnings(ctx, s.clock.Now(), batch)
		if err != nil {
			return err
		}
		for _, ref := range due {
			if err := s.warn(ctx, ref); err != nil && !fault.IsKind(err, fault.NotFound) {
				return err
			}
		}
		if len(due) < batch {
			return nil
		}
	}
}

// warn warns of one key, if that is still due once its row is locked.
func (s *Service) warn(ctx context.Context, ref apikey.Ref) error {
	now, days := s.clock.Now(), 0
	err := s.store.WriteTx(ctx, ref.Org, func(ctx context.Context, tx ports.Tx) error {
		var end time.Time
		err := tx.APIKeys.Update(ctx, ref.Key, func(key *apikey.Key) error {
			days = key.Warn(now)
			end = key.Snapshot().ExpiresAt
			return nil
		})
		if err != nil || days == 0 {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(ref.Org, now, authz.KeyKeeper, audit.APIKeyExpiresSoon, "apikey", ref.Key.String(),
			map[string]audit.Change{"days_left": audit.Created(days), "expires_at": audit.Created(end.Format(time.RFC3339))}))
	})
	if err == nil && days > 0 {
		s.meter.ExpiryWarned(days)
	}
	return err
}

// Peppers counts the secrets that can still be used by the version of the pepper
// that they are stored under. A version that none is under can be retired.
func (s *Service) Peppers(ctx context.Context) (map[int16]int64, error) {
	return s.census.Peppers(ctx, s.clock.Now())
}
