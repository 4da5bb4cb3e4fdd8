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
	// ErrLastAdmin keeps an organization from being locked out of itself.
	ErrLastAdmin = fault.Define(fault.Conflict, "user.last_admin", "This is the organization's last active admin. Make another one first.")
	// ErrOneself keeps users from changing their own power, or ending it.
	ErrOneself = fault.Define(fault.Forbidden, "user.oneself", "Nobody changes their own role, or suspends or removes themselves.")
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

// Kind is what a user is. The zero value is no kind.
type Kind struct{ s string }

// The kinds.
var (
	Person         = Kind{"person"}
	ServiceAccount = Kind{"service_account"} // a program; it has no e-mail address
)

// ParseKind reads a kind's name.
func ParseKind(s string) (Kind, bool) {
	k := Kind{s}
	return k, k == Person || k == ServiceAccount
}

// String returns the kind's name.
func (k Kind) String() string { return k.s }

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
	Kind      Kind
	Email     string // "" for a service account
	Name      string
	Role      authz.Role
	State     State
	Reason    string // why they are suspended, for people
	Version   int64  // grows by one with each change
	CreatedAt time.Time
	UpdatedAt time.Time
}

// ErrOperatorOutside is returned for an operator outside the system organization.
var ErrOperatorOutside = fault.Define(fault.Invalid, "user.operator_outside",
	"The role operator exists in the system organization only.")

const maxNameLen = 100

// maxReasonLen is the longest reason, in characters.
const maxReasonLen = 500

// New returns an active person. An empty name is the address. It fails with
// fault.ErrInvalid and ErrOperatorOutside.
func New(i id.User, org id.Org, email Email, name string, role authz.Role, now time.Time) (User, error) {
	if name == "" {
		name = email.s
		if r := []rune(name); len(r) > maxNameLen {
			name = string(r[:maxNameLen])
		}
	}
	return create(Snapshot{ID: i, OrgID: org, Kind: Person, Email: email.s, Name: name, Role: role}, now)
}

// NewServiceAccount returns an active service account. It fails like New.
func NewServiceAccount(i id.User, org id.Org, name string, role authz.Role, now time.Time) (User, error) {
	return create(Snapshot{ID: i, OrgID: org, Kind: ServiceAccount, Name: name, Role: role}, now)
}

func create(s Snapshot, now time.Time) (User, error) {
	if err := text.Check("/name", s.Name, maxNameLen); err != nil {
		return User{}, err
	}
	if err := checkRole(s.Role, s.OrgID); err != nil {
		return User{}, err
	}
	s.State, s.Version, s.CreatedAt, s.UpdatedAt = Active, 1, now, now
	return User{s}, nil
}

func checkRole(r authz.Role, org id.Org) error {
	if r.IsZero() {
		return fault.InvalidField("/role", "required", "must be a role")
	}
	if r == authz.Operator && org != id.SystemOrg {
		return ErrOperatorOutside
	}
	return nil
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
func (u *User) Suspend(reason string, now time.Time) error {
	if reason != "" {
		if err := text.Check("/reason", reason, maxReasonLen); err != nil {
			return err
		}
	}
	return u.move(Active, Suspended, reason, now)
}

// Resume gives it back.
func (u *User) Resume(now time.Time) error { return u.move(Suspended, Active, "", now) }

// Remove ends the user's membership for good.
func (u *User) Remove(now time.Time) error {
	if u.s.State == Removed {
		return ErrState
	}
	return u.move(u.s.State, Removed, "", now)
}

// Rename changes the name. It changes nothing, and says so, when it is that
// already. It fails with fault.ErrInvalid, and with ErrState for a removed user.
func (u *User) Rename(name string, now time.Time) (changed bool, err error) {
	if u.s.State == Removed {
		return false, ErrState
	}
	if name == u.s.Name {
		return false, nil
	}
	if err := text.Check("/name", name, maxNameLen); err != nil {
		return false, err
	}
	u.s.Name = name
	u.touch(now)
	return true, nil
}

// SetRole gives the user another role. It changes nothing, and says so, when
// they have it already. It fails with ErrOperatorOutside, and with ErrState for a
// removed user.
func (u *User) SetRole(r authz.Role, now time.Time) (changed bool, err error) {
	if u.s.State == Removed {
		return false, ErrState
	}
	if err := checkRole(r, u.s.OrgID); err != nil {
		return false, err
	}
	if r == u.s.Role {
		return false, nil
	}
	u.s.Role = r
	u.touch(now)
	return true, nil
}

// TopRole is the role of which an organization always has somebody active:
// whoever can give all others.
func TopRole(org id.Org) authz.Role {
	if org == id.SystemOrg {
		return authz.Operator
	}
	return authz.Admin
}

// IsTop tells whether the user is one of those who keep the organization from
// being locked out.
func (u *User) IsTop() bool { return u.s.State == Active && u.s.Role == TopRole(u.s.OrgID) }

// RequireActive fails with ErrState unless the user may act.
func (u *User) RequireActive() error {
	if u.s.State != Active {
		return ErrState
	}
	return nil
}

func (u *User) move(from, to State, reason string, now time.Time) error {
	if u.s.State != from {
		return ErrState
	}
	u.s.State, u.s.Reason = to, reason
	u.touch(now)
	return nil
}

func (u *User) touch(now time.Time) {
	u.s.Version++
	u.s.UpdatedAt = now
}
