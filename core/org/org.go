// Package org is the organization: the tenant, and the boundary of isolation.
package org

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// The faults of organizations.
var (
	ErrSlugTaken = fault.Define(fault.Conflict, "org.slug_taken", "The slug is already in use.")
	ErrState     = fault.Define(fault.Conflict, "org.state", "The organization's state does not allow this.")
	ErrNotActive = fault.Define(fault.Conflict, "org.not_active", "The organization is not active.")
	// ErrReserved protects the system organization, which is no tenant.
	ErrReserved = fault.Define(fault.Conflict, "org.reserved", "This is not possible for the system organization.")
)

// SystemNamespace is the Temporal namespace in which Bulkhead runs its own
// workflows. It is the system organization's.
const SystemNamespace = "bulkhead-system"

// SystemSlug is the slug of the system organization.
const SystemSlug = "system"

// Slug is an organization's short name, unique in the deployment. It may change
// later; nothing durable is derived from it but the namespace, once.
type Slug struct{ s string }

var slugForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// The bounds of a slug, in characters.
const (
	slugMin = 2
	slugMax = 48
)

// reservedSlugs would be taken for a part of the platform.
var reservedSlugs = map[string]bool{
	SystemSlug: true, "bulkhead": true, "temporal": true, "temporal-system": true, "admin": true, "operator": true, "me": true,
}

// ParseSlug reads a slug for a new organization. It fails with fault.ErrInvalid.
func ParseSlug(s string) (Slug, error) {
	switch {
	case len(s) < slugMin || len(s) > slugMax:
		return Slug{}, fault.InvalidField("/slug", "length", "must have 2 to 48 characters")
	case !slugForm.MatchString(s):
		return Slug{}, fault.InvalidField("/slug", "format", "must be lower-case letters, digits and single hyphens, starting with a letter")
	case reservedSlugs[s]:
		return Slug{}, fault.InvalidField("/slug", "reserved", "is reserved for the platform")
	}
	return Slug{s}, nil
}

// String returns the slug.
func (s Slug) String() string { return s.s }

// namespaceSlugLen is how much of the slug a namespace shows.
const namespaceSlugLen = 24

// idTail is how many characters of the identifier make a namespace unique.
const idTail = 8

// NamespaceFor derives the name of an organization's Temporal namespace from
// its first slug and its identifier. A namespace is named once: it is never
// renamed, and never reused, since Temporal may deliver starts to a deleted
// namespace of the same name for seconds.
func NamespaceFor(s Slug, i id.Org) string {
	head := s.s
	if len(head) > namespaceSlugLen {
		head = strings.TrimRight(head[:namespaceSlugLen], "-")
	}
	return "org-" + head + "-" + i.Tail(idTail)
}

// State is where an organization is in its life. The zero value is no state.
type State struct{ s string }

// The states; docs/state-machines.md draws them.
var (
	Provisioning = State{"provisioning"}
	Failed       = State{"failed"} // provisioning met something only a person can mend
	Active       = State{"active"}
	Suspended    = State{"suspended"}
	Deleting     = State{"deleting"}
	Deleted      = State{"deleted"}
)

var transitions = map[State][]State{
	Provisioning: {Active, Failed, Deleting},
	Failed:       {Provisioning, Deleting},
	Active:       {Suspended, Deleting},
	Suspended:    {Active, Deleting},
	Deleting:     {Suspended, Deleted},
	Deleted:      nil,
}

// ParseState reads a stored state.
func ParseState(s string) (State, bool) {
	st := State{s}
	_, ok := transitions[st]
	return st, ok
}

// String returns the state's name.
func (s State) String() string { return s.s }

// Org is an organization.
type Org struct{ s Snapshot }

// Snapshot is an organization's data with named fields, to store it and to show it.
type Snapshot struct {
	ID          id.Org
	Slug        string
	Name        string
	State       State
	StateReason string // why it is failed or suspended, for people
	Namespace   string
	Version     int64 // grows by one with each change
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// maxNameLen is the longest name, in characters.
const maxNameLen = 100

// New returns an organization that is yet to be provisioned. An empty name is
// the slug. It fails with fault.ErrInvalid.
func New(i id.Org, slug Slug, name string, now time.Time) (Org, error) {
	if name == "" {
		name = slug.s
	}
	if err := text.Check("/name", name, maxNameLen); err != nil {
		return Org{}, err
	}
	return Org{Snapshot{
		ID: i, Slug: slug.s, Name: name, State: Provisioning, Namespace: NamespaceFor(slug, i),
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}}, nil
}

// NewSystem returns the system organization, which needs no provisioning: its
// namespace is the one Bulkhead itself runs in.
func NewSystem(now time.Time) Org {
	return Org{Snapshot{
		ID: id.SystemOrg, Slug: SystemSlug, Name: "System", State: Active, Namespace: SystemNamespace,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}}
}

// Restore returns a stored organization. It runs no rule of creation, so that
// a rule made stricter later does not lock out what exists.
func Restore(s Snapshot) Org { return Org{s} }

// Snapshot returns the organization's data.
func (o *Org) Snapshot() Snapshot { return o.s }

// ID returns the identifier.
func (o *Org) ID() id.Org { return o.s.ID }

// Namespace returns the name of the Temporal namespace.
func (o *Org) Namespace() string { return o.s.Namespace }

// State returns the state.
func (o *Org) State() State { return o.s.State }

// Activate ends provisioning. It changes nothing, and says so, when the
// organization is active already: the step that calls it may run twice.
func (o *Org) Activate(now time.Time) (changed bool, err error) {
	if o.s.State == Active {
		return false, nil
	}
	if o.s.State != Provisioning {
		return false, ErrState
	}
	return true, o.move(Active, "", now)
}

// Fail ends provisioning with a reason that a person must look into.
func (o *Org) Fail(reason string, now time.Time) error { return o.move(Failed, reason, now) }

// Retry starts provisioning again after a failure.
func (o *Org) Retry(now time.Time) error { return o.move(Provisioning, "", now) }

// Suspend blocks the organization, reversibly. It does not end a deletion.
func (o *Org) Suspend(reason string, now time.Time) error {
	switch {
	case o.s.ID == id.SystemOrg:
		return ErrReserved
	case o.s.State != Active:
		return ErrState
	}
	return o.move(Suspended, reason, now)
}

// Resume ends a suspension.
func (o *Org) Resume(now time.Time) error {
	if o.s.State != Suspended {
		return ErrState
	}
	return o.move(Active, "", now)
}

// Delete begins the organization's end.
func (o *Org) Delete(now time.Time) error {
	if o.s.ID == id.SystemOrg {
		return ErrReserved
	}
	return o.move(Deleting, "", now)
}

func (o *Org) move(to State, reason string, now time.Time) error {
	if !slices.Contains(transitions[o.s.State], to) {
		return ErrState
	}
	o.s.State, o.s.StateReason = to, reason
	o.s.Version++
	o.s.UpdatedAt = now
	return nil
}

// RequireActive fails with ErrNotActive unless work may be dispatched.
func (o *Org) RequireActive() error {
	if o.s.State != Active {
		return ErrNotActive.WithPublic("The organization is " + o.s.State.String() + ", not active.")
	}
	return nil
}
