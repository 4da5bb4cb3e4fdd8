// Package apikey is the API key: the credential of a user, or of an
// organization itself. Its power is its scopes within its owner's role now.
package apikey

import (
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
)

// The faults of API keys.
var (
	ErrState       = fault.Define(fault.Conflict, "apikey.state", "The API key's state does not allow this.")
	ErrScopesUnset = fault.Define(fault.Invalid, "apikey.scopes_required",
		"A key of the organization itself needs scopes: it has no user whose role would bound it.")
	ErrUnknownScope = fault.Define(fault.Invalid, "apikey.unknown_scope", "A scope is not a known permission.")
	ErrTwoSecrets   = fault.Define(fault.Conflict, "apikey.two_secrets",
		"The API key has two live secrets already. Wait until the old one has ended, or rotate with a grace of 0, which ends both.")
	ErrLive = fault.Define(fault.Conflict, "apikey.live", "Only a revoked or an expired API key can be deleted. Revoke it first.")
)

// State is where a key is in its life. The zero value is no state.
type State struct{ s string }

// The states. A revoked key stays revoked; it is kept for the audit trail.
var (
	Active   = State{"active"}
	Disabled = State{"disabled"}
	Revoked  = State{"revoked"}
)

// ParseState reads a stored state.
func ParseState(s string) (State, bool) {
	st := State{s}
	return st, st == Active || st == Disabled || st == Revoked
}

// String returns the state's name.
func (s State) String() string { return s.s }

// Key is an API key without its secrets.
type Key struct{ s Snapshot }

// Snapshot is a key's data with named fields, to store it and to show it.
type Snapshot struct {
	ID          id.APIKey
	OrgID       id.Org
	UserID      id.User // zero: the key is the organization's
	Name        string
	Description string
	Scopes      authz.Set // zero: all that the owner's role allows
	AllowedIPs  IPList    // empty: from anywhere
	Metadata    Metadata
	Limits      limit.Set // of the key alone, beside its organization's; nil: none
	Hint        string    // the secret's first characters
	LastFour    string    // and its last
	Hash        Versioned
	LastUsedAt  time.Time // zero: not yet, as far as is known
	Generation  int32     // of the secret; grows with each rotation
	Old         Previous  // the secret before it; zero: there was none
	State       State
	ExpiresAt   time.Time // zero: never
	WarnAt      time.Time // when the next warning of that is due; zero: none is
	RevokedAt   time.Time // zero: not revoked
	Version     int64     // grows by one with each change
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Previous is the secret that a rotation has replaced, and until when it lives:
// until a time, until its successor has been seen, or whichever comes first.
type Previous struct {
	Hint       string
	LastFour   string
	Hash       Versioned
	LastUsedAt time.Time
	ExpiresAt  time.Time // zero: only its successor ends it
	UntilSeen  bool
}

// Exists tells whether there is one.
func (p Previous) Exists() bool { return p.Hint != "" }

// Live tells whether it is still good at the given time.
func (p Previous) Live(now time.Time) bool {
	return p.Exists() && (p.ExpiresAt.IsZero() || now.Before(p.ExpiresAt))
}

// Spec is what the maker of a key chooses.
type Spec struct {
	UserID      id.User // zero: a key of the organization itself
	Name        string
	Description string
	Scopes      authz.Set
	AllowedIPs  IPList
	Metadata    Metadata
	Limits      limit.Set
	ExpiresAt   time.Time // zero: never
}

// Check checks what New does, before anything has to be asked. It fails with
// fault.ErrInvalid and ErrScopesUnset.
func (s Spec) Check(now time.Time) error {
	if err := s.check(); err != nil {
		return err
	}
	return checkFuture(s.ExpiresAt, now)
}

// check checks the rules that hold for a key whenever it is made or changed.
func (s Spec) check() error {
	if err := checkTexts(s.Name, s.Description); err != nil {
		return err
	}
	if s.UserID.IsZero() && s.Scopes == 0 {
		return ErrScopesUnset
	}
	return nil
}

// New returns an active key for the given secret's hash. It fails with
// fault.ErrInvalid and ErrScopesUnset.
func New(i id.APIKey, org id.Org, spec Spec, secret Secret, hash Versioned, now time.Time) (Key, error) {
	if err := spec.Check(now); err != nil {
		return Key{}, err
	}
	return Key{Snapshot{
		ID: i, OrgID: org, UserID: spec.UserID, Name: spec.Name, Description: spec.Description, Scopes: spec.Scopes,
		AllowedIPs: spec.AllowedIPs, Metadata: spec.Metadata, Limits: spec.Limits, Hint: secret.Hint(), LastFour: secret.LastFour(), Hash: hash, Generation: 1,
		State: Active, ExpiresAt: spec.ExpiresAt, WarnAt: firstWarning(spec.ExpiresAt, now),
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}}, nil
}

func checkFuture(expiresAt, now time.Time) error {
	if !expiresAt.IsZero() && !expiresAt.After(now) {
		return fault.InvalidField("/expires_at", "future", "must lie in the future")
	}
	return nil
}

// Restore returns a stored key, without the rules of creation.
func Restore(s Snapshot) Key { return Key{s} }

// Snapshot returns the key's data.
func (k *Key) Snapshot() Snapshot { return k.s }

// Change is what a key is to become. What is nil stays.
type Change struct {
	Name        *string
	Description *string
	Scopes      *authz.Set
	AllowedIPs  *IPList
	Metadata    *Metadata
	Limits      *limit.Set // replaces all of them
	ExpiresAt   *time.Time // of a zero time: never
}

// Apply changes the key and tells whether that made any difference. A revoked
// key can not be changed. It fails with ErrState, ErrScopesUnset and
// fault.ErrInvalid.
func (k *Key) Apply(c Change, now time.Time) (changed bool, err error) {
	if k.s.State == Revoked {
		return false, ErrState
	}
	next := k.s
	set(&next.Name, c.Name)
	set(&next.Description, c.Description)
	set(&next.Scopes, c.Scopes)
	if c.AllowedIPs != nil {
		next.AllowedIPs = *c.AllowedIPs
	}
	if c.Metadata != nil {
		next.Metadata = *c.Metadata
	}
	set(&next.Limits, c.Limits)
	if err := (Spec{UserID: next.UserID, Name: next.Name, Description: next.Description, Scopes: next.Scopes}).check(); err != nil {
		return false, err
	}
	if c.ExpiresAt != nil && !c.ExpiresAt.Equal(next.ExpiresAt) {
		if err := checkFuture(*c.ExpiresAt, now); err != nil {
			return false, err
		}
		next.ExpiresAt, next.WarnAt = *c.ExpiresAt, firstWarning(*c.ExpiresAt, now)
	}
	if sameAs(k.s, next) {
		return false, nil
	}
	k.s = next
	k.touch(now)
	return true, nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// sameAs compares what Apply can change.
func sameAs(a, b Snapshot) bool {
	return a.Name == b.Name && a.Description == b.Description && a.Scopes == b.Scopes && a.ExpiresAt.Equal(b.ExpiresAt) &&
		a.AllowedIPs.String() == b.AllowedIPs.String() && a.Metadata.equal(b.Metadata) && a.Limits.Equal(b.Limits)
}

// Revoke ends the key for good, with all of its secrets. Revoking it again
// changes nothing and says so: whoever revokes a leaked key must never be told
// that it failed.
func (k *Key) Revoke(now time.Time) (changed bool) {
	if k.s.State == Revoked {
		return false
	}
	k.s.State, k.s.RevokedAt, k.s.WarnAt = Revoked, now, time.Time{}
	k.touch(now)
	return true
}

// Disable switches the key off, reversibly.
func (k *Key) Disable(now time.Time) error { return k.move(Active, Disabled, now) }

// Enable switches it on again.
func (k *Key) Enable(now time.Time) error { return k.move(Disabled, Active, now) }

func (k *Key) move(from, to State, now time.Time) error {
	if k.s.State != from {
		return ErrState
	}
	k.s.State = to
	k.touch(now)
	return nil
}

func (k *Key) touch(now time.Time) {
	k.s.Version++
	k.s.UpdatedAt = now
}

// RequireDeletable fails with ErrLive unless the key is revoked or has expired.
func (k *Key) RequireDeletable(now time.Time) error {
	if k.s.State == Revoked || k.expired(now) {
		return nil
	}
	return ErrLive
}

func (k *Key) expired(now time.Time) bool {
	return !k.s.ExpiresAt.IsZero() && !now.Before(k.s.ExpiresAt)
}

// OwnerRole is the role that bounds a key: its user's, or for a key of the
// organization itself the strongest role of that organization. A user without a
// role lends a key no power.
func OwnerRole(org id.Org, user id.User, userRole authz.Role) authz.Role {
	switch {
	case !user.IsZero():
		return userRole
	case org == id.SystemOrg:
		return authz.Operator
	default:
		return authz.Admin
	}
}
