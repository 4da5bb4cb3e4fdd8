// Package authz says who is asking and what they may do: permissions, the roles
// made of them, and the Actor that every use case takes as its first argument.
//
// It is part of the core's shared vocabulary, like id and fault: a user has a
// Role and an API key has scopes, which are a Set (docs/adr/0005).
package authz

import (
	"net/netip"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// ActorKind says what sort of actor is asking.
type ActorKind uint8

// The kinds of actor. Nobody is the zero value and may do nothing.
const (
	Nobody ActorKind = iota
	UserActor
	OrganizationActor // a key that belongs to the organization itself
	SystemActor       // a named part of Bulkhead
)

// String returns the kind's name as it stands in audit events and answers.
func (k ActorKind) String() string {
	return [...]string{"nobody", "user", "organization", "system"}[k]
}

// Origin is where a request came from, for the audit trail.
type Origin struct {
	RequestID string
	IP        netip.Addr
}

// Actor is who is asking. It is an immutable value, but for what Noting gives it to
// write to; the zero Actor may do nothing at all.
type Actor struct {
	kind        ActorKind
	org         id.Org
	orgSlug     string
	user        id.User
	key         id.APIKey
	system      string
	role        Role
	permissions Set
	bound       bool
	expiresAt   time.Time
	origin      Origin
	grants      *Grants // notes what is allowed; nil: nothing does
}

// KeyHolder is what authentication knows of the owner of an API key.
type KeyHolder struct {
	Org     id.Org
	OrgSlug string
	User    id.User // zero: the key belongs to the organization
	Key     id.APIKey
	Role    Role // the owner's role now
	Scopes  Set  // zero: all that the role allows

	ExpiresAt time.Time // of the key; zero: never
	Bound     bool      // the key is good from some addresses only, or has limits of its own
}

// NewKeyActor returns the actor behind an API key: its power is the key's
// scopes within its owner's role.
func NewKeyActor(h KeyHolder) Actor {
	a := Actor{kind: UserActor, org: h.Org, orgSlug: h.OrgSlug, user: h.User, key: h.Key, role: h.Role, bound: h.Bound, expiresAt: h.ExpiresAt}
	if h.User.IsZero() {
		a.kind = OrganizationActor
	}
	a.permissions = Effective(h.Role, h.Scopes)
	return a
}

// Effective returns the power of a key with the given scopes whose owner has
// the given role. No scopes means all that the role allows.
func Effective(r Role, scopes Set) Set {
	if scopes == 0 {
		return r.Permissions()
	}
	return r.Permissions().And(scopes)
}

// newSystemActor makes a named part of Bulkhead with the least it needs.
func newSystemActor(name string, s Set) Actor {
	return Actor{kind: SystemActor, org: id.SystemOrg, system: name, permissions: s}
}

// The system actors. They exist so that work without a caller is attributed in
// the audit trail and has no more power than its task.
var (
	Bootstrap   = newSystemActor("bootstrap", SetOf(OrganizationsCreate, UsersCreate, APIKeysCreate))
	Provisioner = newSystemActor("provisioner", SetOf(OrganizationsRead, OperationsRead))
	Remover     = newSystemActor("remover", 0)     // it signs what it did, and asks for nothing
	KeyKeeper   = newSystemActor("keykeeper", 0)   // ends rotated secrets and warns of expiry
	LeakScanner = newSystemActor("leakscanner", 0) // revokes keys that were found in public
	Archivist   = newSystemActor("archivist", 0)   // purges trails
	Limiter     = newSystemActor("limiter", 0)     // warns of limits
	Keeper      = newSystemActor("keeper", 0)      // pauses the schedules of who does not work, and lets them go on
	Bookkeeper  = newSystemActor("bookkeeper", 0)  // finds out what has come of starts whose process was lost
	Reconciler  = newSystemActor("reconciler", 0)  // repairs namespaces
)

// From returns the actor with the origin of its request.
func (a Actor) From(o Origin) Actor {
	a.origin = o
	return a
}

// Kind returns what sort of actor this is.
func (a Actor) Kind() ActorKind { return a.kind }

// Org returns the organization the actor belongs to.
func (a Actor) Org() id.Org { return a.org }

// OrgSlug returns the slug of the actor's organization.
func (a Actor) OrgSlug() string { return a.orgSlug }

// User returns the user, or the zero id for the other kinds.
func (a Actor) User() id.User { return a.user }

// Key returns the API key that was used, or the zero id for system actors.
func (a Actor) Key() id.APIKey { return a.key }

// Name returns the name of a system actor.
func (a Actor) Name() string { return a.system }

// Role returns the owner's role.
func (a Actor) Role() Role { return a.role }

// Permissions returns what the actor may do.
func (a Actor) Permissions() Set { return a.permissions }

// ExpiresAt returns when the key ends, which bounds the life of what it makes;
// zero is never.
func (a Actor) ExpiresAt() time.Time { return a.expiresAt }

// IsBound tells whether the actor's key is good from some addresses only, or has limits
// of its own, which bind what it makes as well.
func (a Actor) IsBound() bool { return a.bound }

// Origin returns where the request came from.
func (a Actor) Origin() Origin { return a.origin }

// Subject names the actor outside Bulkhead, for instance in a token: the API
// key's id, or "system:" and a name. It is "" for nobody.
func (a Actor) Subject() string {
	switch a.kind {
	case UserActor, OrganizationActor:
		return a.key.String()
	case SystemActor:
		return "system:" + a.system
	case Nobody:
	}
	return ""
}

// IsPlatform tells whether the actor acts beyond its own organization: an
// operator, or a part of Bulkhead.
func (a Actor) IsPlatform() bool {
	return a.kind == SystemActor || (a.kind != Nobody && a.org == id.SystemOrg && a.role == Operator)
}

// Require fails unless the actor may do p in the given organization, as Decide
// decides.
func (a Actor) Require(p Permission, org id.Org) error {
	if err := a.Decide(p, org).Err; err != nil {
		return err
	}
	if a.grants != nil {
		a.grants.note(Grant{Permission: p.String(), Org: org})
	}
	return nil
}

// RequirePlatform fails unless the actor may do p on the platform as a whole, as
// DecidePlatform decides.
func (a Actor) RequirePlatform(p Permission) error {
	if err := a.DecidePlatform(p).Err; err != nil {
		return err
	}
	if a.grants != nil {
		a.grants.note(Grant{Permission: p.String()})
	}
	return nil
}

// ErrPowerExceeded is returned for an attempt to give more than one has.
var ErrPowerExceeded = fault.Define(fault.Forbidden, "auth.power_exceeded",
	"Nobody can give a role, or a key, more power than they have themselves, nor change somebody who has more.")

// RequirePower fails with ErrPowerExceeded unless the actor may give away the
// power of a role, or of a key with the given scopes whose owner has that role.
// It needs every permission of the scopes, also those that the role does not
// allow: the owner's role may grow later. And it needs the role's reach: only an
// actor of the platform makes another.
func (a Actor) RequirePower(r Role, scopes Set) error {
	if scopes == 0 {
		scopes = r.Permissions()
	}
	if !scopes.Within(a.permissions) || (r == Operator && !a.IsPlatform()) {
		return ErrPowerExceeded
	}
	if a.grants != nil {
		a.grants.note(Grant{Power: scopes.Names(), Platform: r == Operator})
	}
	return nil
}

// RequireRank fails with ErrPowerExceeded unless the actor stands at least as high as
// the given role: nobody changes, suspends or removes somebody who may do more than
// they, or gets hold of a key in their name. A user stands as high as their role, with
// whatever key they come: nothing is given away. A key of the organization itself is
// nobody's, and stands as high as what it may do.
func (a Actor) RequireRank(r Role) error {
	if !r.Permissions().Within(a.standing()) || (r == Operator && !a.IsPlatform()) {
		return ErrPowerExceeded
	}
	if a.grants != nil {
		a.grants.note(Grant{Rank: r.Permissions().Names(), Platform: r == Operator})
	}
	return nil
}

// standing is the power that an actor's rank is made of.
func (a Actor) standing() Set {
	if a.kind == OrganizationActor {
		return a.permissions
	}
	return a.role.Permissions()
}
