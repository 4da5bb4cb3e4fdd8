// Package signing is the life of the keys that sign data-plane tokens, as a pure
// function of the keys there are and the time.
//
// A key is published before it signs, so that every Temporal frontend knows it
// by then, and stays published after it stopped signing until its last token
// has run out.
package signing

import (
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// ErrNoActiveKey is returned when there is no key to sign with.
var ErrNoActiveKey = fault.Define(fault.Unavailable, "token.no_signing_key", "No key is ready to sign tokens with. Try again in a moment.")

// State is where a key is in its life. The zero value is no state.
type State struct{ s string }

// The states.
var (
	Published = State{"published"} // known to verifiers, not signing yet
	Active    = State{"active"}    // signing
	Retiring  = State{"retiring"}  // no longer signing, still known
	Retired   = State{"retired"}   // no longer known; its private part is erased
)

// ParseState reads a stored state.
func ParseState(s string) (State, bool) {
	st := State{s}
	return st, st == Published || st == Active || st == Retiring || st == Retired
}

// String returns the state's name.
func (s State) String() string { return s.s }

// Key is a signing key. Its private part is sealed with a key of the
// deployment's configuration: the database never holds it in clear.
type Key struct {
	ID        string // the "kid"
	PublicDER []byte // PKIX
	Sealed    []byte // nil once retired
	SealedBy  int16  // which encryption key sealed it
	State     State
	CreatedAt time.Time
	ChangedAt time.Time // when it came into its state
}

// Move returns the key in another state. A retired key has lost its private part.
func (k Key) Move(to State, now time.Time) Key {
	k.State, k.ChangedAt = to, now
	if to == Retired {
		k.Sealed = nil
	}
	return k
}

// Policy is the timing of rotation.
type Policy struct {
	Rotate  time.Duration // how long a key signs
	Publish time.Duration // how long it is published before it signs
	Retire  time.Duration // how long it stays published after it signed; more than the life of a token
}

// DefaultPolicy rotates monthly. Publish is well above the refresh interval that
// deployments give Temporal's key provider.
var DefaultPolicy = Policy{Rotate: 30 * 24 * time.Hour, Publish: 15 * time.Minute, Retire: time.Hour}

// Plan is what has to be done now. Create and Activate are never both for the
// same key, except for the very first one, for which nobody has to wait.
type Plan struct {
	Create   State // zero: no new key; else the state it begins in
	Activate string
	Retiring string // the key that Activate relieves
	Retire   []string
}

// Empty tells whether nothing has to be done.
func (p Plan) Empty() bool {
	return p.Create == State{} && p.Activate == "" && len(p.Retire) == 0
}

// Next returns what has to be done with the given keys at the given time. With
// force a rotation begins now whatever the active key's age.
func Next(keys []Key, policy Policy, now time.Time, force bool) Plan {
	var active, published *Key
	var plan Plan
	for i := range keys {
		k := &keys[i]
		switch k.State {
		case Active:
			active = k
		case Published:
			published = k
		case Retiring:
			if now.Sub(k.ChangedAt) >= policy.Retire {
				plan.Retire = append(plan.Retire, k.ID)
			}
		}
	}
	switch {
	case active == nil && published == nil:
		plan.Create = Active
	case active == nil:
		plan.Activate = published.ID
	case published != nil && now.Sub(published.ChangedAt) >= policy.Publish:
		plan.Activate, plan.Retiring = published.ID, active.ID
	case published == nil && (force || now.Sub(active.ChangedAt) >= policy.Rotate):
		plan.Create = Published
	}
	return plan
}

// Access is what a data-plane token lets its bearer do in one namespace.
type Access struct{ s string }

// The kinds of access. There is no more: "admin" could delete the namespace.
var (
	Read  = Access{"read"}
	Write = Access{"write"}
)

// ParseAccess reads an access; "" is Write. It fails with fault.ErrInvalid.
func ParseAccess(s string) (Access, error) {
	switch s {
	case "", Write.s:
		return Write, nil
	case Read.s:
		return Read, nil
	}
	return Access{}, fault.InvalidField("/access", "enum", "must be read or write")
}

// String returns the access's name, which is Temporal's own.
func (a Access) String() string { return a.s }

// TokenLife is how long a data-plane token lasts. There is no list of revoked
// tokens on Temporal's side, so this is the bound of revocation there.
const TokenLife = 5 * time.Minute

// Claims is what a token says.
type Claims struct {
	Subject    string // who it was issued to: an API key's id, or a system actor
	Permission string // "<namespace>:<access>"
	IssuedAt   time.Time
	ExpiresAt  time.Time
}

// TenantClaims are the claims of a caller's token for one namespace.
func TenantClaims(subject, namespace string, a Access, now time.Time) Claims {
	return Claims{Subject: subject, Permission: namespace + ":" + a.s, IssuedAt: now, ExpiresAt: now.Add(TokenLife)}
}

// Until returns the claims with an end no later than t; the zero t bounds nothing.
func (c Claims) Until(t time.Time) Claims {
	if !t.IsZero() && t.Before(c.ExpiresAt) {
		c.ExpiresAt = t
	}
	return c
}

// ControlPlaneClaims are the claims with which Bulkhead itself administers
// namespaces. Such a token never leaves the process that signed it, but for
// Temporal's frontend.
func ControlPlaneClaims(now time.Time) Claims {
	return Claims{Subject: "system:control-plane", Permission: "temporal-system:admin", IssuedAt: now, ExpiresAt: now.Add(TokenLife)}
}
