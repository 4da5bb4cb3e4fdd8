package apikey

import (
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

const day = 24 * time.Hour

// Warnings are how many days before its end somebody is warned of a key's
// expiry, once each.
var Warnings = []int{30, 7, 1}

// SoonWithin is what counts as soon: the first warning.
const SoonWithin = 30 * day

// ExpiresSoon tells whether the key ends soon, and has not ended yet.
func (k *Key) ExpiresSoon(now time.Time) bool {
	return k.s.State != Revoked && !k.s.ExpiresAt.IsZero() && now.Before(k.s.ExpiresAt) &&
		!now.Add(SoonWithin).Before(k.s.ExpiresAt)
}

// firstWarning returns when the first warning of an expiry is due: the earliest
// that lies in the future. A key that is made for five days is not warned of
// thirty.
func firstWarning(expiresAt, now time.Time) time.Time {
	if expiresAt.IsZero() {
		return time.Time{}
	}
	for _, days := range Warnings {
		if at := expiresAt.Add(-time.Duration(days) * day); at.After(now) {
			return at
		}
	}
	return time.Time{}
}

// Warn says that whoever looks after the key is to be warned now, and how many
// days are left; 0: there is nothing to warn of. It remembers that, so that each
// warning is given once. When several are due, because nobody asked for long,
// only the most urgent is given.
func (k *Key) Warn(now time.Time) (days int) {
	if k.s.State != Active || k.s.WarnAt.IsZero() || now.Before(k.s.WarnAt) {
		return 0
	}
	for _, d := range Warnings {
		if !now.Before(k.s.ExpiresAt.Add(-time.Duration(d) * day)) {
			days = d
		}
	}
	k.s.WarnAt = firstWarning(k.s.ExpiresAt, now)
	if k.expired(now) {
		return 0 // too late: it says so itself
	}
	return days
}

// Policy is how long an organization's keys may live. The zero Policy asks for
// nothing.
type Policy struct {
	Default time.Duration // of a key whose maker chose nothing; zero: for ever
	Max     time.Duration // of any; zero: no bound
}

// Expiry returns when a key ends whose maker chose given; a zero time is for
// ever. chosen says whether they chose at all. It fails with fault.ErrInvalid
// for a choice beyond the bound.
func (p Policy) Expiry(given time.Time, chosen bool, now time.Time) (time.Time, error) {
	if given.IsZero() && !chosen {
		life := p.Default
		if p.Max > 0 && (life == 0 || life > p.Max) {
			life = p.Max
		}
		if life == 0 {
			return time.Time{}, nil
		}
		return now.Add(life), nil
	}
	if p.Max > 0 && (given.IsZero() || given.After(now.Add(p.Max))) {
		return time.Time{}, fault.InvalidField("/expires_at", "max_ttl", "must not be later than the organization's keys may live")
	}
	return given, nil
}
