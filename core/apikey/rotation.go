package apikey

import (
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// The times for which a secret may outlive its successor's making.
const (
	DefaultGrace = 24 * time.Hour
	MaxGrace     = 7 * 24 * time.Hour
)

// Rotation says until when the old secret lives. The zero Rotation ends it at
// once.
type Rotation struct {
	Grace     time.Duration // the longest it lives; ignored when Endless
	UntilSeen bool          // it ends as soon as the new secret has been used
	Endless   bool          // nothing but that ends it
}

// NewRotation reads a choice: a time, the first use of the new secret, or
// whichever comes first; without a choice, DefaultGrace. It fails with
// fault.ErrInvalid.
func NewRotation(grace *time.Duration, untilSeen bool) (Rotation, error) {
	switch {
	case grace == nil && untilSeen:
		return Rotation{UntilSeen: true, Endless: true}, nil
	case grace == nil:
		return Rotation{Grace: DefaultGrace}, nil
	case *grace < 0 || *grace > MaxGrace:
		return Rotation{}, fault.InvalidField("/grace", "range", "must be between 0 seconds and 7 days")
	}
	return Rotation{Grace: *grace, UntilSeen: untilSeen && *grace > 0}, nil
}

// Rotate gives the key a new secret. The old one lives on as the rotation says.
// A key has at most two live secrets, so it fails with ErrTwoSecrets while there
// is an older one, unless both end at once: a leaked key can always be rotated.
// It fails with ErrState for a key that is revoked or has expired.
func (k *Key) Rotate(secret Secret, hash Versioned, r Rotation, now time.Time) error {
	ends := !r.Endless && r.Grace <= 0
	if k.s.State == Revoked || k.expired(now) {
		return ErrState
	}
	if !ends && k.s.Old.Live(now) {
		return ErrTwoSecrets
	}
	k.s.Old = Previous{
		Hint: k.s.Hint, LastFour: k.s.LastFour, Hash: k.s.Hash, LastUsedAt: k.s.LastUsedAt, UntilSeen: r.UntilSeen,
	}
	if !r.Endless {
		k.s.Old.ExpiresAt = now.Add(r.Grace)
	}
	k.s.Hint, k.s.LastFour, k.s.Hash, k.s.LastUsedAt = secret.Hint(), secret.LastFour(), hash, time.Time{}
	k.s.Generation++
	k.touch(now)
	return nil
}

// Seen says that the secret of a generation has been used. When the key was
// rotated until just that happens, its old secret ends now. It tells whether it
// did.
func (k *Key) Seen(generation int32, now time.Time) (ended bool) {
	if generation != k.s.Generation || !k.s.Old.UntilSeen || !k.s.Old.Live(now) {
		return false
	}
	k.s.Old.ExpiresAt, k.s.Old.UntilSeen = now, false
	k.touch(now)
	return true
}

// Accepts tells whether the secret of a generation has not been ended by a
// rotation.
func (k *Key) Accepts(generation int32, now time.Time) bool {
	return generation == k.s.Generation || (generation == k.s.Generation-1 && k.s.Old.Live(now))
}
