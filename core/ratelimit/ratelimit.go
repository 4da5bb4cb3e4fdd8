// Package ratelimit decides whether something may happen once more, by the
// generic cell rate algorithm (GCRA): one number a bucket, no clock, no I/O. Where
// the numbers are kept is a port's matter, ports.Buckets.
//
// It is part of the core's shared vocabulary (docs/adr/0008).
package ratelimit

import (
	"math"
	"math/bits"
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

// maxRoom bounds how far ahead of the clock a bucket can be, so that no rate, however
// it came about, lets a number overflow.
const maxRoom = int64(1) << 60 // 36 years

// pace returns how long the bucket takes to recover from a cost of one, and how many
// of these it is ahead at most. It rounds up to whole nanoseconds: rounded down, a rate
// would let through more than it says.
func (r Rate) pace() (each, burst int64) {
	each = min((max(1, int64(r.Period))-1)/r.Count+1, maxRoom)
	burst = max(1, r.Burst)
	if hi, lo := bits.Mul64(uint64(each), uint64(burst)); hi != 0 || lo > uint64(maxRoom) { //nolint:gosec // both are positive
		burst = maxRoom / each
	}
	return each, burst
}

// Coarse returns the rate with its pace rounded up to a multiple of unit, for a clock
// that counts in units. It never lets through more than the rate.
func (r Rate) Coarse(unit time.Duration) Rate {
	if r.Unlimited() {
		return r
	}
	each, burst := r.pace()
	return Rate{Count: 1, Period: time.Duration((each-1)/int64(unit)+1) * unit, Burst: burst}
}

// Decision is what a bucket answered.
type Decision struct {
	Allowed    bool
	Remaining  int64         // how many times more at once, now
	RetryAfter time.Duration // when the same cost will be let through; zero when it was
	ResetAfter time.Duration // when the bucket will be as if never used
}

// Take takes a cost from a bucket at the time now. The bucket is its theoretical
// arrival time: when it will have recovered from all that was taken; 0 is a bucket
// that was never used. Both times are nanoseconds of one clock that does not go back,
// neither negative nor above 1<<62.
//
// It returns what the bucket becomes. A cost that is refused takes nothing, and one of
// 0 asks only. A cost above the burst is never let through: its RetryAfter is that of
// the whole burst. A bucket that is further ahead than the rate allows, as it was used
// at a slower one, is as if it had just been used up: a rate that was raised is felt
// at once.
func (r Rate) Take(tat, now, cost int64) (int64, Decision) {
	if r.Unlimited() {
		return tat, Decision{Allowed: true, Remaining: math.MaxInt64}
	}
	each, burst := r.pace()
	room := each * burst
	cost = max(0, cost)
	ahead := min(max(0, tat-now), room)
	left := (room - ahead) / each
	d := Decision{Allowed: cost <= left, Remaining: left}
	if d.Allowed {
		d.Remaining -= cost
		ahead += cost * each
	} else {
		d.RetryAfter = time.Duration(max(1, ahead+min(cost, burst)*each-room))
	}
	d.ResetAfter = time.Duration(ahead)
	if ahead == 0 {
		return tat, d
	}
	return now + ahead, d
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

// Take takes each charge's cost from its bucket, or nothing from any, as ports.Buckets
// says. The buckets are tats, and become next. All slices are as long as charges.
func Take(charges []Charge, tats []int64, now int64, next []int64, decisions []Decision) {
	refused := false
	for i := range charges {
		c := &charges[i]
		next[i], decisions[i] = c.Rate.Take(tats[i], now, c.Cost)
		refused = refused || !decisions[i].Allowed && !c.DryRun
	}
	if !refused {
		return
	}
	for i := range charges {
		if decisions[i].Allowed {
			next[i], decisions[i] = charges[i].Rate.Take(tats[i], now, 0)
		}
	}
}
