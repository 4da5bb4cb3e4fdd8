// Package apikey is the API key: the credential of a user, or of an
// organization itself. Its power is its scopes within its owner's role now.
package apikey

import (
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// The faults of API keys.
var (
	ErrState       = fault.Define(fault.Conflict, "apikey.state", "The API key's state does not allow this.")
	ErrScopesUnset = fault.Define(fault.Invalid, "apikey.scopes_required",
		"A key of the organization itself needs scopes: it has no user whose role would bound it.")
	ErrUnknownScope = fault.Define(fault.Invalid, "apikey.unknown_scope", "A scope is not a known permission.")
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

// Key is an API key without its secret.
type Key struct{ s Snapshot }

// Snapshot is a key's data with named fields, to store it and to show it.
type Snapshot struct {
	ID        id.APIKey
	OrgID     id.Org
	UserID    id.User // zero: the key is the organization's
	Name      string
	Scopes    authz.Set // zero: all that the owner's role allows
	Hint      string    // the secret's first characters
	LastFour  string    // and its last
	Hash      Versioned
	State     State
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not revoked
	Version   int64     // grows by one with each change
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Spec is what the maker of a key chooses.
type Spec struct {
	UserID    id.User // zero: a key of the organization itself
	Name      string
	Scopes    authz.Set
	ExpiresAt time.Time // zero: never
}

const maxNameLen = 100

// New returns an active key for the given secret's hash. It fails with
// fault.ErrInvalid and ErrScopesUnset.
func New(i id.APIKey, org id.Org, spec Spec, secret Secret, hash Versioned, now time.Time) (Key, error) {
	if err := text.Check("/name", spec.Name, maxNameLen); err != nil {
		return Key{}, err
	}
	if spec.UserID.IsZero() && spec.Scopes == 0 {
		return Key{}, ErrScopesUnset
	}
	if !spec.ExpiresAt.IsZero() && !spec.ExpiresAt.After(now) {
		return Key{}, fault.InvalidField("/expires_at", "future", "must lie in the future")
	}
	return Key{Snapshot{
		ID: i, OrgID: org, UserID: spec.UserID, Name: spec.Name, Scopes: spec.Scopes,
		Hint: secret.Hint(), LastFour: secret.LastFour(), Hash: hash, State: Active, ExpiresAt: spec.ExpiresAt,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}}, nil
}

// Restore returns a stored key, without the rules of creation.
func Restore(s Snapshot) Key { return Key{s} }

// Snapshot returns the key's data.
func (k *Key) Snapshot() Snapshot { return k.s }

// Revoke ends the key for good. Revoking it again changes nothing and says so:
// whoever revokes a leaked key must never be told that it failed.
func (k *Key) Revoke(now time.Time) (changed bool) {
	if k.s.State == Revoked {
		return false
	}
	k.s.State, k.s.RevokedAt = Revoked, now
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

// Credential is what authentication reads about a presented key, in one query.
type Credential struct {
	Key       id.APIKey
	Org       id.Org
	OrgSlug   string
	OrgActive bool // the organization's keys work in its present state
	User      id.User
	UserRole  authz.Role // zero for a key of the organization itself
	UserOK    bool       // the user is active; true for a key of the organization itself
	Scopes    authz.Set
	Hash      Versioned
	State     State
	ExpiresAt time.Time
}

// Unusable says why a credential is not good at the given time.
func (c Credential) Unusable(now time.Time) authz.FailureReason {
	switch {
	case c.State != Active:
		return authz.KeyUnusable
	case !c.ExpiresAt.IsZero() && !now.Before(c.ExpiresAt):
		return authz.KeyExpired
	case !c.OrgActive:
		return authz.OrgUnusable
	}
	return authz.OwnerUnusable
}

// Usable tells whether the credential is good at the given time.
func (c Credential) Usable(now time.Time) bool {
	return c.State == Active && c.OrgActive && c.UserOK &&
		(c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt))
}
