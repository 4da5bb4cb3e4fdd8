package namespace

import (
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// ErrNotOrphaned is returned for a namespace that is not to be deleted by itself: an
// organization has it, or it is nobody's of ours.
var ErrNotOrphaned = fault.Define(fault.Conflict, "namespace.not_orphaned",
	"The namespace is not an orphan: an organization has it, other work with it is under way, or Bulkhead does not manage it.")

// Found is a namespace that a listing of all has found. Its search attributes are not
// known.
type Found struct {
	Name  string
	State State
}

// Reason is why a namespace, or an organization, is without its other side. The zero
// value is no reason.
type Reason struct{ s string }

// The reasons of a namespace.
var (
	OrganizationUnknown = Reason{"organization_unknown"} // nobody has the identifier in its tag
	OrganizationDeleted = Reason{"organization_deleted"}
	OtherNamespace      = Reason{"other_namespace"} // the organization's is another one
)

// String returns the reason's name.
func (r Reason) String() string { return r.s }

// Orphan is a namespace without an organization, or an organization without its
// namespace.
type Orphan struct {
	Namespace    string
	ID           string // Temporal's identifier of the namespace; "": it is the organization that is orphaned
	Organization id.Org // zero: the tag of the namespace is none
	Reason       Reason
	Since        time.Time // zero: not known
	Repair       string    // what a person does about it
}

// repairs says what to do about a namespace without an organization.
var repairs = map[Reason]string{
	OrganizationUnknown: "No organization has the identifier in its tag: it was lost, perhaps when an older backup was restored. " +
		"Create the organization again over it (bulkhead org create SLUG --id ORG_ID --adopt-namespace NAME), or delete the namespace.",
	OrganizationDeleted: "Its organization is deleted. Delete the namespace.",
	OtherNamespace:      "Its organization has another namespace. Delete this one when nobody needs what is in it.",
}

// OrphanOf returns the orphan that a namespace is.
func OrphanOf(f Found, owner id.Org, r Reason, since time.Time) Orphan {
	return Orphan{Namespace: f.Name, ID: f.State.ID, Organization: owner, Reason: r, Since: since, Repair: repairs[r]}
}

// Missing returns the orphan that an organization is whose namespace is not
// registered, or not its own; false when it has its namespace.
func Missing(want Blueprint, have State) (Orphan, bool) {
	ds := Diff(want, have)
	if len(ds) == 0 || ds[0].Field != FieldStatus {
		return Orphan{}, false
	}
	return Orphan{Namespace: want.Namespace, Organization: want.Owner, Reason: Reason{"namespace_" + ds[0].Have}, Repair: ds[0].Repair}, true
}
