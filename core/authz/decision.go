package authz

import (
	"errors"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// Ground is what decided about a permission.
type Ground string

// The grounds.
const (
	ByRole         Ground = "role"         // of the actor, or of their key's owner
	ByScope        Ground = "scope"        // of the key, which is narrower than the role
	ByState        Ground = "state"        // of the key, its user or their organization: there is no actor
	ByAddress      Ground = "address"      // which is none that the key can be used from
	ByLimit        Ground = "limit"        // of the actor's organization or key, which is used up for now
	ByOrganization Ground = "organization" // which is another one
	ByPlatform     Ground = "platform"     // which operators alone act on
)

// Decision is whether an actor may do something, and what decided it. Err is nil
// when they may.
type Decision struct {
	Ground Ground
	Err    error
}

// LackError is the cause of a fault.ErrForbidden that a single permission decides. Which
// one each operation takes is public: the document of the API states it.
type LackError struct{ Permission Permission }

// Error names the permission.
func (e *LackError) Error() string { return "the permission " + e.Permission.String() + " is missing" }

// Lacks returns the fault.ErrForbidden for want of p.
func Lacks(p Permission) *fault.Error { return fault.ErrForbidden.Because(&LackError{p}) }

// Lack returns the permission for want of which err is; the zero one when it is of
// anything else.
func Lack(err error) Permission {
	if lack, ok := errors.AsType[*LackError](err); ok {
		return lack.Permission
	}
	return 0
}

// Decide decides whether the actor may do p in the given organization. What it
// fails with gives nothing away: fault.ErrNotFound for a foreign organization, as
// for one that does not exist; in its own fault.ErrForbidden for want of p;
// fault.ErrUnauthenticated for nobody.
func (a Actor) Decide(p Permission, org id.Org) Decision {
	switch {
	case a.kind == Nobody:
		return Decision{ByState, fault.ErrUnauthenticated}
	case org.IsZero() || (org != a.org && !a.IsPlatform()):
		return Decision{ByOrganization, fault.ErrNotFound}
	}
	return a.byPower(p)
}

// DecidePlatform decides whether the actor may do p on the platform as a whole. It
// fails with fault.ErrUnauthenticated, and with fault.ErrForbidden: for want of p, unless
// the actor has it and does not reach so far.
func (a Actor) DecidePlatform(p Permission) Decision {
	switch {
	case a.kind == Nobody:
		return Decision{ByState, fault.ErrUnauthenticated}
	case !a.IsPlatform() && a.permissions.Has(p):
		return Decision{ByPlatform, fault.ErrForbidden}
	case !a.IsPlatform():
		return Decision{ByPlatform, Lacks(p)}
	}
	return a.byPower(p)
}

// byPower decides by what the actor may do, which is in reach.
func (a Actor) byPower(p Permission) Decision {
	d := Decision{Ground: ByRole}
	if !a.permissions.Has(p) {
		d.Err = Lacks(p)
	}
	if a.permissions != a.role.Permissions() && (d.Err == nil || a.role.Permissions().Has(p)) {
		d.Ground = ByScope
	}
	return d
}
