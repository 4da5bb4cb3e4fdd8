package limits

import (
	"context"
	"net/netip"
	"time"

	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// Fail implements ports.Limiter.
func (s *Service) Fail(ctx context.Context, from netip.Addr) error {
	d := s.ofAddress(ctx, from, 1)
	if d.Allowed {
		return nil
	}
	return s.refuse(d)
}

// MayFail implements ports.Limiter. What asks at no cost is never refused, so it is
// by what remains that it is known.
func (s *Service) MayFail(ctx context.Context, from netip.Addr) error {
	d := s.ofAddress(ctx, from, 0)
	if d.Remaining > 0 {
		return nil
	}
	return s.refuse(d)
}

// ofAddress asks the bucket of an address. Whom there is no limit for may fail: a key
// that is no good is refused anyway, and one that is good must not be for want of a
// limiter.
func (s *Service) ofAddress(ctx context.Context, from netip.Addr, cost int64) ratelimit.Decision {
	rate := s.standard.Failures()
	free := ratelimit.Decision{Allowed: true, Remaining: 1}
	if rate.Unlimited() || !from.IsValid() {
		return free
	}
	charges := [1]ratelimit.Charge{{Bucket: ratelimit.BucketOfAddress(from), Rate: rate, Cost: cost}}
	var decisions [1]ratelimit.Decision
	if err := s.buckets.Take(ctx, charges[:], decisions[:]); err != nil {
		s.away(ctx, err) // it fails open, which is by what this process counts itself
		if s.spare == nil || s.spare.Take(ctx, charges[:], decisions[:]) != nil {
			return free
		}
	}
	return decisions[0]
}

// refuse returns the refusal of an address with nothing left, and counts it.
func (s *Service) refuse(d ratelimit.Decision) error {
	s.meter.Limited(limit.Requests, limit.OfAddress, false)
	rate := s.standard.Failures()
	one := time.Duration((int64(rate.Period)-1)/rate.Count + 1)
	return limit.ErrRateExceeded.After(max(d.RetryAfter, one)).
		Because(&limit.RefusedError{Name: limit.Requests, Tiers: []limit.Tier{limit.OfAddress}})
}
