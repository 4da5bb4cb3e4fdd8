// Package user is the user: a person or a service account in exactly one
// organization.
package user

import (
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// The faults of users.
var (
	ErrEmailTaken = fault.Define(fault.Conflict, "user.email_taken", "A user of the organization has this e-mail address already.")
	ErrState      = fault.Define(fault.Conflict, "user.state", "The user's state does not allow this.")
)

// Email is an e-mail address in lower case. Inside an organization it names at
// most one user.
type Email struct{ s string }

const maxEmailLen = 254 // RFC 5321, 4.5.3.1.3

// ParseEmail reads a bare address. It fails with fault.ErrInvalid, naming pointer.
func ParseEmail(pointer, s string) (Email, error) {
	s = strings.ToLower(s) // first: it can make the text longer
	if s == "" {
		return Email{}, fault.InvalidField(pointer, "required", "must not be empty")
	}
	if len(s) > maxEmailLen {
		return Email{}, fault.InvalidField(pointer, "max_length", "must have at most 254 characters")
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" || strings.ContainsFunc(s, unprintable) {
		return Email{}, fault.InvalidField(pointer, "format", "must be an e-mail address")
	}
	return Email{s}, nil
}

// unprintable tells of what cannot stand in an address; strings.ToLower leaves
// RuneError in the place of broken UTF-8.
func unprintable(r rune) bool { return r == ' ' || r == utf8.RuneError || !unicode.IsPrint(r) }

// String returns the address.
func (e Email) String() string { return e.s }

// State is where a user is in their life. The zero value is no state.
type State struct{ s string }

// The states.
var (
	Active    = State{"active"}
	Suspended = State{"suspended"}
	Removed   = State{"removed"}
)

// ParseState reads a stored state.
func ParseState(s string) (State, bool) {
	st := State{s}
	return st, st == Active || st == Suspended || st == Removed
}

// String returns the state's name.
func (s State) String() string { return s.s }

// User is a user.
type User struct{ s Snapshot }

// Snapshot is a user's data with named fields, to store it and to show it.
type Snapshot struct {
	ID        id.User
	OrgID     id.Org
	Email     string
	Name      string
	Role      authz.Role
	State     State
	Version   int64 // grows by one with each change
	CreatedAt time.Time
	UpdatedAt time.Time
}

// ErrOperatorOutside is returned for an operator outside the system organization.
var ErrOperatorOutside = fault.Define(fault.Invalid, "user.operator_outside",
	"The role operator exists in the system organization only.")

const maxNameLen = 100

// New returns an active user. An empty name is the address. It fails with
// fault.ErrInvalid and ErrOperatorOutside.
func New(i id.User, org id.Org, email Email, name string, role authz.Role, now time.Time) (User, error) {
	if name == "" {
		name = email.s
		if r := []rune(name); len(r) > maxNameLen {
			name = string(r[:maxNameLen])
		}
	}
	if err := text.Check("/name", name, maxNameLen); err != nil {
		return User{}, err
	}
	if role.IsZero() {
		return User{}, fault.InvalidField("/role", "required", "must be a role")
	}
	if role == authz.Operator && org != id.SystemOrg {
		return User{}, ErrOperatorOutside
	}
	return User{Snapshot{
		ID: i, OrgID: org, Email: email.s, Name: name, Role: role, State: Active,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}}, nil
}

// Restore returns a stored user, without the rules of creation.
func Restore(s Snapshot) User { return User{s} }

// Snapshot returns the user's data.
func (u *User) Snapshot() Snapshot { return u.s }

// ID returns the identifier.
func (u *User) ID() id.User { return u.s.ID }

// Role returns the role.
func (u *User) Role() authz.Role { return u.s.Role }

// Suspend takes away the user's access, reversibly.
func (u *User) Suspend(now time.Time) error { return u.move(Active, Suspended, now) }

// Resume gives it back.
func (u *User) Resume(now time.Time) error { return u.move(Suspended, Active, now) }

// Remove ends the user's membership for good.
func (u *User) Remove(now time.Time) error {
	if u.s.State == Removed {
		return ErrState
	}
	return u.move(u.s.State, Removed, now)
}

// RequireActive fails with ErrState unless the user may act.
func (u *User) RequireActive() error {
	if u.s.State != Active {
		return ErrState
	}
	return nil
}

func (u *User) move(from, to State, now time.Time) error {
	if u.s.State != from {
		return ErrState
	}
	u.s.State = to
	u.s.Version++
	u.s.UpdatedAt = now
	return nil
}
