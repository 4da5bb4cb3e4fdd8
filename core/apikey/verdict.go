package apikey

import (
	"net/netip"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
)

// Credential is what authentication reads about a presented key, in one query.
type Credential struct {
	Key        id.APIKey
	Org        id.Org
	OrgSlug    string
	OrgActive  bool // the organization's keys work in its present state
	User       id.User
	UserRole   authz.Role // zero for a key of the organization itself
	UserOK     bool       // the user is active; true for a key of the organization itself
	Scopes     authz.Set
	Hash       Versioned
	State      State
	ExpiresAt  time.Time
	AllowedIPs IPList
	Generation int32 // of the secret that was presented
	OrgLimits  limit.Set
	KeyLimits  limit.Set

	// Rotation is what is known of the old secret, if there is one: the presented
	// one itself when Old is set, else the one that was replaced by it.
	Old          bool
	Rotated      bool
	OldExpiresAt time.Time // zero: only its successor ends it
	OldUntilSeen bool
}

// secretEnded tells whether the presented secret is one that a rotation ended.
func (c Credential) secretEnded(now time.Time) bool {
	return c.Old && !c.OldExpiresAt.IsZero() && !now.Before(c.OldExpiresAt)
}

// EndsOld tells whether the use of the presented secret is what the key's old
// secret ends with.
func (c Credential) EndsOld(now time.Time) bool {
	return !c.Old && c.Rotated && c.OldUntilSeen && (c.OldExpiresAt.IsZero() || now.Before(c.OldExpiresAt))
}

// Code says what a presented key is worth. The zero value is none.
type Code struct{ s string }

// The codes. Which of them a caller is told is another question: who presents a
// key for themselves is told none.
var (
	Valid                 = Code{"VALID"}
	NotFound              = Code{"NOT_FOUND"}
	Expired               = Code{"EXPIRED"}
	IsDisabled            = Code{"DISABLED"}
	IsRevoked             = Code{"REVOKED"}
	Forbidden             = Code{"FORBIDDEN"}
	RateLimited           = Code{"RATE_LIMITED"}
	OrganizationSuspended = Code{"ORGANIZATION_SUSPENDED"}
	UserSuspended         = Code{"USER_SUSPENDED"}
	IPNotAllowed          = Code{"IP_NOT_ALLOWED"}
)

// String returns the code's name.
func (c Code) String() string { return c.s }

// reasons is what the trail calls the verdicts on keys that authenticate nobody.
var reasons = map[Code]authz.FailureReason{
	IsRevoked: authz.KeyUnusable, IsDisabled: authz.KeyUnusable, Expired: authz.KeyExpired,
	OrganizationSuspended: authz.OrgUnusable, UserSuspended: authz.OwnerUnusable, IPNotAllowed: authz.AddressUnusable,
}

// Reason returns why a key with this verdict authenticates nobody.
func (c Code) Reason() authz.FailureReason { return reasons[c] }

// Presented is how a key was presented.
type Presented struct {
	Now   time.Time
	IP    netip.Addr // invalid: could not be told
	Power authz.Set  // what the key may do: its scopes within its owner's role
	Needs authz.Set  // what it is to be allowed to do; zero: nothing in particular
}

// Actor returns whose credential it is, with the power that it has now, whether or
// not Judge lets it be used.
func (c Credential) Actor() authz.Actor {
	return authz.NewKeyActor(authz.KeyHolder{
		Org: c.Org, OrgSlug: c.OrgSlug, User: c.User, Key: c.Key,
		Role: OwnerRole(c.Org, c.User, c.UserRole), Scopes: c.Scopes, ExpiresAt: c.ExpiresAt,
		Bound: len(c.AllowedIPs)+len(c.KeyLimits) > 0,
	})
}

// Holder returns whose limits hold for whoever uses the key.
func (c Credential) Holder() limit.Holder {
	return limit.Holder{Org: c.Org, OrgLimits: c.OrgLimits, Key: c.Key, KeyLimits: c.KeyLimits}
}

// Judge is the one decision about a presented key that was found, for whoever
// authenticates by it and for whoever verifies it for another. What can not be
// undone comes first.
func Judge(c Credential, p Presented) Code {
	switch {
	case c.State == Revoked:
		return IsRevoked
	case c.secretEnded(p.Now), !c.ExpiresAt.IsZero() && !p.Now.Before(c.ExpiresAt):
		return Expired
	case c.State != Active:
		return IsDisabled
	case !c.OrgActive:
		return OrganizationSuspended
	case !c.UserOK:
		return UserSuspended
	case !c.AllowedIPs.Allows(p.IP):
		return IPNotAllowed
	case !p.Needs.Within(p.Power):
		return Forbidden
	}
	return Valid
}

// Use is that a secret was used.
type Use struct {
	Org        id.Org
	Key        id.APIKey
	Generation int32
	At         time.Time
}

// Ref names a key.
type Ref struct {
	Org id.Org
	Key id.APIKey
}

// Filter says which keys a list holds. The zero Filter is all of them.
type Filter struct {
	UserID        id.User   // the user whose keys they are
	State         State     // the state they are in
	ExpiresSoonAt time.Time // they expire soon, seen from this time
}
