// Package namespace says what an organization's Temporal namespace must be like,
// and how one that is there differs from that.
package namespace

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/core/id"
)

// AttributeActor is the search attribute that says who started an execution.
const AttributeActor = "BulkheadActor"

// Keyword is the type of a search attribute that holds a word, as Temporal writes it.
const Keyword = "Keyword"

// Attributes returns the search attributes of every organization's namespace, with
// their types.
func Attributes() map[string]string { return map[string]string{AttributeActor: Keyword} }

// Blueprint is what an organization's namespace must be like.
type Blueprint struct {
	Namespace   string
	Owner       id.Org // the tag by which we know the namespace as ours
	Description string
	Retention   time.Duration // how long closed executions are kept
	Adopted     bool          // it was there before its owner: it is never registered
	// AtLeast tells that a longer retention is left as it is.
	AtLeast bool
}

// Over returns the blueprint of a namespace that was there before its owner. Unless
// its owner has decided how long it keeps closed executions, that is never less than
// it was: nobody loses a history by being adopted.
func (b Blueprint) Over(decided bool) Blueprint {
	b.Adopted, b.AtLeast = true, !decided
	return b
}

// RetentionOver returns the retention that a namespace must have that has another.
func (b Blueprint) RetentionOver(have time.Duration) time.Duration {
	if b.AtLeast {
		return max(have, b.Retention)
	}
	return b.Retention
}

// Standard is what holds for organizations that have decided nothing. The zero value
// is usable.
type Standard struct {
	Retention time.Duration // how long closed executions are kept; zero: DefaultRetention
}

// DefaultRetention is how long closed executions are kept.
const DefaultRetention = 72 * time.Hour

// For returns the blueprint of an organization's namespace; retention is its own
// decision, zero that there is none. The namespace is described by the organization's
// identifier: its slug may become another.
func (s Standard) For(name string, owner id.Org, retention time.Duration) Blueprint {
	for _, standard := range []time.Duration{s.Retention, DefaultRetention} {
		if retention == 0 {
			retention = standard
		}
	}
	return Blueprint{
		Namespace: name, Owner: owner, Retention: retention,
		Description: "Organization " + owner.String() + ", managed by Bulkhead",
	}
}

// Status is how a namespace stands at Temporal. The zero value is no status.
type Status struct{ s string }

// The statuses.
var (
	Registered = Status{"registered"}
	Absent     = Status{"absent"}     // there is none of the name
	Deprecated = Status{"deprecated"} // it starts nothing any more, which nobody can take back
	Deleted    = Status{"deleted"}
	Foreign    = Status{"foreign"} // it exists, and is not the organization's
)

// String returns the status's name.
func (s Status) String() string { return s.s }

// State is how a namespace is at Temporal. Of one that is absent nothing else is known.
type State struct {
	ID          string // Temporal's own, which no two namespaces share; "": not known
	Status      Status
	Owner       string // the tag; "": none
	Tagged      bool   // it says that Bulkhead manages it
	Description string
	Retention   time.Duration
	Attributes  map[string]string // the custom search attributes, with their types
	Archival    bool              // histories, or what visibility knows of them, are archived; left as it is
}

// Seen returns the state as its organization may see it: of a namespace that is
// another's no more than that it is.
func (s State) Seen(owner id.Org) State {
	if standing := s.Standing(owner); standing == Vacant || standing.IsOwn() {
		return s
	}
	return State{Status: Foreign}
}

// AdoptableBy tells whether an organization may adopt a namespace: nobody's tag is on
// it, or its own, as of an attempt that was cut short.
func (s State) AdoptableBy(o id.Org) bool {
	standing := s.Standing(o)
	return standing.IsOwn() || standing == Nobodys
}

// The fields of a difference. That of a search attribute is FieldAttribute and its name.
const (
	FieldStatus      = "status"
	FieldTag         = "managed_by"
	FieldRetention   = "retention"
	FieldDescription = "description"
	FieldAttribute   = "search_attributes."
)

// Difference is one thing in which a namespace is not as it must be.
type Difference struct {
	Field      string
	Want, Have string // "": nothing
	Repairable bool
	Repair     string // how a person mends what can not be repaired; "" for what can
}

// unregistered says what to do about a namespace that nobody can use.
var unregistered = map[Status]string{
	Absent:     "The namespace is gone, with all that was in it, and its name is not given again. Delete the organization and create another.",
	Deprecated: "Temporal does not take a deprecation back. Move what runs, then delete the organization and create another.",
	Deleted:    "Temporal is removing the namespace, with all that was in it. Delete the organization and create another.",
	Foreign:    "Another has registered a namespace of this name. An operator must find out who, and have it renamed or deleted at Temporal.",
}

// Diff returns in what a namespace is not as it must be, always in the same order.
// Nothing else is compared of one that is not registered, or not the owner's: what
// another has in it is not for this organization to know.
func Diff(want Blueprint, have State) []Difference {
	have = have.Seen(want.Owner)
	if have.Status != Registered {
		return []Difference{{
			Field: FieldStatus, Want: Registered.s, Have: have.Status.s, Repair: unregistered[have.Status],
		}}
	}
	var out []Difference
	repairable := func(field, want, have string) {
		if want != have {
			out = append(out, Difference{Field: field, Want: want, Have: have, Repairable: true})
		}
	}
	repairable(FieldTag, strconv.FormatBool(true), strconv.FormatBool(have.Tagged))
	repairable(FieldRetention, inDays(want.RetentionOver(have.Retention)), inDays(have.Retention))
	repairable(FieldDescription, want.Description, have.Description)
	wanted := Attributes()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		out = append(out, attribute(name, wanted[name], have.Attributes[name])...)
	}
	return out
}

// inDays is a duration as people say it, as far as it is whole days.
func inDays(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day != 0 {
		return d.String()
	}
	return strconv.Itoa(int(d/day)) + " days"
}

// attribute compares a search attribute. Temporal neither changes the type of one
// nor removes it while visibility knows of values.
func attribute(name, want, have string) []Difference {
	switch have {
	case want:
		return nil
	case "":
		return []Difference{{Field: FieldAttribute + name, Want: want, Repairable: true}}
	}
	return []Difference{{
		Field: FieldAttribute + name, Want: want, Have: have,
		Repair: "Temporal does not change the type of a search attribute. An operator must remove it from the namespace; then it can be repaired.",
	}}
}

// Repairable tells whether any of the differences can be repaired.
func Repairable(ds []Difference) bool {
	return slices.ContainsFunc(ds, func(d Difference) bool { return d.Repairable })
}
