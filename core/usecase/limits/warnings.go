package limits

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// WarnEvery is how often an organization is warned of one limit, at most.
	WarnEvery = time.Hour
	// flushEvery is how soon a warning stands in the trail.
	flushEvery = 5 * time.Second
	// maxWarnings bounds what is kept of warnings. What finds no room comes again with
	// the next use of the limit.
	maxWarnings = 1 << 14
	// warningKind is what the bucket of a limit's warnings is above that of the limit.
	warningKind = 8
)

// once lets one warning through in a while. It is kept in the buckets, so that
// replicas that share those warn once together.
var once = ratelimit.Rate{Count: 1, Period: WarnEvery, Burst: 1}

// warning is what an organization is warned of.
type warning struct {
	org id.Org
	of  limit.Name
}

// share is how much was used of what was allowed when it was noted.
type share struct {
	used, allowed int64
	percent       int // at which a warning was asked for
}

// warnings is what requests leave behind. It is memory alone: no request waits for it
// to be written.
type warnings struct {
	mu    sync.Mutex
	due   map[warning]share
	noted map[warning]time.Time // since when
}

// Used implements ports.Limiter.
func (s *Service) Used(o id.Org, n limit.Name, l limit.Limit, used int64) {
	if l.Warns(used) {
		s.note(o, n, share{used: used, allowed: l.Max, percent: l.WarnPercent})
	}
}

// note remembers that an organization is to be warned, once in a while.
func (s *Service) note(o id.Org, n limit.Name, at share) {
	w, now := warning{o, n}, s.clock.Now()
	s.warnings.mu.Lock()
	defer s.warnings.mu.Unlock()
	since, known := s.warnings.noted[w]
	if (known && now.Sub(since) < WarnEvery) || (!known && len(s.warnings.noted) >= maxWarnings) {
		return
	}
	s.warnings.noted[w], s.warnings.due[w] = now, at
}

// Run writes the warnings that are due, every few seconds, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	every := time.NewTicker(flushEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		if err := s.Flush(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "warnings of limits not written yet; they come again with the limits' next use", "error", err)
		}
	}
}

// Flush writes the warnings that are due. It is for one caller at a time: Run, and
// after it whoever ends the process.
func (s *Service) Flush(ctx context.Context) error {
	var failed []error
	for w, at := range s.take() {
		if err := s.warn(ctx, w, at); err != nil {
			failed = append(failed, err)
			s.warnings.mu.Lock()
			delete(s.warnings.noted, w)
			s.warnings.mu.Unlock()
		}
	}
	return errors.Join(failed...)
}

// take returns the warnings that are due, and forgets those that can be noted again.
func (s *Service) take() map[warning]share {
	now := s.clock.Now()
	s.warnings.mu.Lock()
	defer s.warnings.mu.Unlock()
	due := s.warnings.due
	s.warnings.due = map[warning]share{}
	for w, since := range s.warnings.noted {
		if now.Sub(since) >= WarnEvery {
			delete(s.warnings.noted, w)
		}
	}
	return due
}

// warn writes a warning, unless another replica has done so.
func (s *Service) warn(ctx context.Context, w warning, at share) error {
	bucket := ratelimit.BucketOf(w.org.UUID(), warningKind+w.of.BucketKind())
	var d [1]ratelimit.Decision
	if err := s.buckets.Take(ctx, []ratelimit.Charge{{Bucket: bucket, Rate: once, Cost: 1}}, d[:]); err != nil {
		return err
	}
	if !d[0].Allowed {
		return nil
	}
	err := s.store.WriteTx(ctx, w.org, func(ctx context.Context, tx ports.Tx) error {
		return tx.Audit.Append(ctx, audit.Accepted(w.org, s.clock.Now(), authz.Limiter, audit.LimitWarned, resource, w.of.String(),
			map[string]audit.Change{
				"warn_percent": audit.Created(at.percent), "used": audit.Created(at.used), "allowed": audit.Created(at.allowed),
			}))
	})
	if err != nil {
		return errors.Join(err, s.buckets.Forget(context.WithoutCancel(ctx), bucket))
	}
	s.meter.LimitWarned(w.of)
	return nil
}
