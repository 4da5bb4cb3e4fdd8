// Package org is the organization: the tenant, and the boundary of isolation.
package org

import (
	"regexp"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// The faults of organizations.
var (
	ErrSlugTaken = fault.Define(fault.Conflict, "org.slug_taken", "The slug is already in use.")
	// ErrIDTaken says nothing of who has the identifier.
	ErrIDTaken   = fault.Define(fault.Conflict, "org.id_taken", "The identifier is already in use.")
	ErrState     = fault.Define(fault.Conflict, "org.state", "The organization's state does not allow this.")
	ErrNotActive = fault.Define(fault.Conflict, "org.not_active", "The organization is not active.")
	// ErrNamespaceTaken is returned for a namespace to be adopted that an organization
	// has, or had: a deleted one keeps its name.
	ErrNamespaceTaken = fault.Define(fault.Conflict, "org.namespace_taken", "The namespace is, or was, another organization's.")
	// ErrReserved protects the system organization, which is no tenant.
	ErrReserved = fault.Define(fault.Conflict, "org.reserved", "This is not possible for the system organization.")
	// ErrProtected is what the flag deletion_protected is for.
	ErrProtected = fault.Define(fault.Conflict, "org.deletion_protected",
		"The organization is protected against deletion. Take the protection off first.")
	// ErrGraceOver is returned to who comes too late to restore.
	ErrGraceOver = fault.Define(fault.Conflict, "org.grace_over", "The time of grace is over: the organization is being deleted.")
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

// DefaultPool is the pool of an organization that was put into no other.
const DefaultPool = "default"

// CheckPool checks the name of a pool of workers, which has the form of a slug. It
// fails with fault.ErrInvalid, naming pointer.
func CheckPool(pointer, name string) error {
	if len(name) > slugMax || !slugForm.MatchString(name) {
		return fault.InvalidField(pointer, "format", "must be at most 48 lower-case letters, digits and single hyphens, starting with a letter")
	}
	return nil
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
	Deleting:     {Suspended, Failed, Deleted},
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

// KeysWork tells whether the organization's API keys are good: also while it is
// being provisioned, and when that failed, so that its admin can see what is going on.
func (s State) KeysWork() bool { return s == Active || s == Provisioning || s == Failed }

// Org is an organization.
type Org struct{ s Snapshot }

// Snapshot is an organization's data with named fields, to store it and to show it.
type Snapshot struct {
	ID          id.Org
	Slug        string
	Name        string
	State       State
	StateReason string // why it is failed or suspended, or why its deletion failed, for people
	Namespace   string
	// NamespaceAdopted tells that the namespace was there before the organization.
	NamespaceAdopted bool
	Metadata         Metadata // nil: none
	Settings         Settings
	// DeletionProtected refuses deletion until it is taken off.
	DeletionProtected bool
	WorkerPool        string    // the workers that serve it; see CheckPool
	ActivatedAt       time.Time // zero: its namespace was never usable
	DeleteAfter       time.Time // the end of the grace; zero: there is none, or it is over
	Limits            limit.Set // nil: all are as by default
	LimitsVersion     int64     // grows by one with each change of a limit
	Version           int64     // grows by one with each other change
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// Spec is what the maker of an organization chooses.
type Spec struct {
	ID                id.Org
	Slug              Slug
	Name              string // "": the slug
	Metadata          Metadata
	Settings          Settings
	DeletionProtected bool
	WorkerPool        string // "": DefaultPool
	AdoptNamespace    string // a namespace that is there; "": it gets one of its own
}

// adoptableName is the form of a namespace that can be adopted: one that stands in a
// token's permissions, in addresses and in headers as it is.
var adoptableName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// temporalNamespace is Temporal's own.
const temporalNamespace = "temporal-system"

func (s Spec) namespace() (string, error) {
	switch {
	case s.AdoptNamespace == "":
		return NamespaceFor(s.Slug, s.ID), nil
	case !adoptableName.MatchString(s.AdoptNamespace):
		return "", fault.InvalidField("/adopt_namespace", "format", "must be at most 64 letters, digits, dots, underscores and hyphens")
	case s.AdoptNamespace == SystemNamespace || s.AdoptNamespace == temporalNamespace:
		return "", fault.InvalidField("/adopt_namespace", "reserved", "is reserved for the platform")
	}
	return s.AdoptNamespace, nil
}

// maxNameLen is the longest name, in characters.
const maxNameLen = 100

// New returns an organization that is yet to be provisioned. It fails with
// fault.ErrInvalid.
func New(spec Spec, now time.Time) (Org, error) {
	if spec.ID == id.SystemOrg {
		return Org{}, fault.InvalidField("/id", "reserved", "is reserved for the platform")
	}
	if spec.Name == "" {
		spec.Name = spec.Slug.s
	}
	if err := text.Check("/name", spec.Name, maxNameLen); err != nil {
		return Org{}, err
	}
	if err := spec.Metadata.check(); err != nil {
		return Org{}, err
	}
	if err := spec.Settings.check(); err != nil {
		return Org{}, err
	}
	if spec.WorkerPool == "" {
		spec.WorkerPool = DefaultPool
	}
	if err := CheckPool("/worker_pool", spec.WorkerPool); err != nil {
		return Org{}, err
	}
	namespace, err := spec.namespace()
	if err != nil {
		return Org{}, err
	}
	return Org{Snapshot{
		ID: spec.ID, Slug: spec.Slug.s, Name: spec.Name, State: Provisioning, Namespace: namespace, NamespaceAdopted: spec.AdoptNamespace != "",
		Metadata: spec.Metadata.clone(), Settings: spec.Settings, DeletionProtected: spec.DeletionProtected, WorkerPool: spec.WorkerPool,
		LimitsVersion: 1, Version: 1, CreatedAt: now, UpdatedAt: now,
	}}, nil
}

// NewSystem returns the system organization, which needs no provisioning: its
// namespace is the one Bulkhead itself runs in.
func NewSystem(now time.Time) Org {
	return Org{Snapshot{
		ID: id.SystemOrg, Slug: SystemSlug, Name: "System", State: Active, Namespace: SystemNamespace, WorkerPool: DefaultPool,
		ActivatedAt: now, LimitsVersion: 1, Version: 1, CreatedAt: now, UpdatedAt: now,
	}}
}

// Restore returns a stored organization. It runs no rule of creation, so that
// a rule made stricter later does not lock out what exists.
func Restore(s Snapshot) Org { return Org{s} }

// Snapshot returns the organization's data.
func (o *Org) Snapshot() Snapshot { return o.s }

// ID returns the identifier.
func (o *Org) ID() id.Org { return o.s.ID }

// Namespace returns the name of the Temporal namespace, which is where the organization's
// work is. When organizations come to live on several clusters, this grows to say which.
func (o *Org) Namespace() string { return o.s.Namespace }

// State returns the state.
func (o *Org) State() State { return o.s.State }

// RequireStaying fails with ErrState for an organization that is on its way out, or
// gone: nothing is added to it any more.
func (o *Org) RequireStaying() error {
	if o.s.State == Deleting || o.s.State == Deleted {
		return ErrState
	}
	return nil
}

// HoldsSchedules tells whether the organization's schedules are kept paused: it has a
// namespace, does not work, and may do so again.
func (o *Org) HoldsSchedules() bool {
	inGrace := o.s.State == Deleting && !o.s.DeleteAfter.IsZero()
	return !o.s.ActivatedAt.IsZero() && (o.s.State == Suspended || inGrace)
}

// RequireActive fails unless the organization's work may be asked anything: with
// ErrNotActive, and with ErrReserved for the system organization, whose namespace holds
// no tenant's.
func (o *Org) RequireActive() error {
	switch {
	case o.s.ID == id.SystemOrg:
		return ErrReserved
	case o.s.State != Active:
		return ErrNotActive.WithPublic("The organization is " + o.s.State.String() + ", not active.")
	}
	return nil
}
