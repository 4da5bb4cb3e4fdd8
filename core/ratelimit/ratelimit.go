// Package ratelimit decides whether something may happen once more, by the
// generic cell rate algorithm (GCRA): one number a bucket, no clock, no I/O. Where
// the numbers are kept is a port's matter, ports.Buckets.
//
// It is part of the core's shared vocabulary (docs/adr/0008).
package ratelimit

import (
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// Rate is how often something may happen: Count times in each Period on the
// average, and up to Burst times at once after a rest. The zero Rate is no limit.
type Rate struct {
	Count  int64
	Period time.Duration
	Burst  int64
}

// Unlimited tells whether the rate limits nothing.
func (r Rate) Unlimited() bool { return r.Count <= 0 }

// interval is how long the bucket takes to recover from a cost of one.
func (r Rate) interval() int64 { return max(1, int64(r.Period)/r.Count) }

// Decision is what a bucket answered.
type Decision struct {
	Allowed    bool
	Remaining  int64         // how many times more at once, now
	RetryAfter time.Duration // when the same cost will be let through; zero when it was
	ResetAfter time.Duration // when the bucket will be as if never used
}

// Take takes a cost from a bucket at the time now. The bucket is its theoretical
// arrival time: when it will have recovered from all that was taken; 0 is a bucket
// that was never used. Both times are nanoseconds of one clock. It returns what
// the bucket becomes, which is what it was when the cost is refused. A cost of 0
// asks without taking. A cost above the burst is never let through: its RetryAfter
// is that of the whole burst.
func (r Rate) Take(tat, now, cost int64) (int64, Decision) {
	if r.Unlimited() {
		return tat, Decision{Allowed: true, Remaining: cost}
	}
	each := r.interval()
	room := each * max(1, r.Burst)
	base := max(tat, now)
	next := base + cost*each
	d := Decision{Allowed: next-now <= room}
	if !d.Allowed {
		d.RetryAfter = time.Duration(min(next-now-room, base-now))
		next = base
	}
	d.Remaining = max(0, room-(next-now)) / each
	d.ResetAfter = time.Duration(next - now)
	if cost == 0 || !d.Allowed {
		return tat, d
	}
	return next, d
}

// Bucket names a bucket, in the 16 bytes of whose it is. An identifier's six fixed
// bits, its version and variant, say which limit it is of: buckets of different
// limits or of an address never meet.
type Bucket [16]byte

// maxKind is the greatest number of a kind of limit.
const maxKind = 15

// BucketOf names the bucket of an organization or a key for a kind of limit, 0 to 15.
func BucketOf(u uuid.UUID, kind uint8) Bucket {
	u[6] = u[6]&0x0f | min(kind, maxKind)<<4
	return Bucket(u)
}

// BucketOfAddress names the bucket of an address. The addresses of one IPv6
// network of 64 bits, which is what one customer gets, share one.
func BucketOfAddress(ip netip.Addr) Bucket {
	if ip.Is4() || ip.Is4In6() {
		return Bucket(netip.AddrFrom4(ip.Unmap().As4()).As16())
	}
	b := Bucket(ip.As16())
	clear(b[8:])
	return b
}

// Charge is a cost to be taken from a bucket.
type Charge struct {
	Bucket Bucket
	Rate   Rate
	Cost   int64
	DryRun bool // the bucket only says what it would have decided: it refuses nothing
}
