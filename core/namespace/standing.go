package namespace

import "github.com/bulkheadhq/bulkhead/core/id"

// Standing is how the namespace of a name stands to an organization: whose a namespace
// is, is said here and nowhere else. The zero value is no standing.
type Standing struct{ s string }

// The standings.
var (
	Vacant   = Standing{"vacant"}   // there is none of the name
	Own      = Standing{"own"}      // it has the organization's tag
	Leaving  = Standing{"leaving"}  // it is its own, and Temporal is removing it
	Nobodys  = Standing{"nobody's"} // nobody's tag is on it: it can be adopted
	Anothers = Standing{"another's"}
)

// String returns the standing's name.
func (s Standing) String() string { return s.s }

// Standing returns how the namespace stands to an organization. Nothing is the
// organization that there is none of.
func (s State) Standing(o id.Org) Standing {
	own := s.Owner != "" && s.Owner == o.String()
	switch {
	case s.Status == Absent:
		return Vacant
	case own && s.Status == Deleted:
		return Leaving
	case own:
		return Own
	case s.Owner == "" && !s.Tagged:
		return Nobodys
	}
	return Anothers
}

// IsOwn tells whether the namespace is the organization's, be it that it is being removed.
func (s Standing) IsOwn() bool { return s == Own || s == Leaving }

// Removal is what the deletion of an organization does about the namespace of its name.
// The zero value is no removal.
type Removal struct{ s string }

// The removals.
var (
	Delete = Removal{"delete"} // it, or what there may be of it
	Keep   = Removal{"keep"}   // it was never the organization's: nothing of it is touched
	Refuse = Removal{"refuse"} // it was, and is no more: a person must look
)

// String returns the removal's name.
func (r Removal) String() string { return r.s }

// Removal returns what the deletion of an organization does about its namespace; worked
// tells whether the organization was ever active. Before that nobody has worked in a
// namespace for it: what is not its own was not made by it, or is empty. After, to go
// without it would leave behind, unnoticed, what the organization has put there.
func (s Standing) Removal(worked bool) Removal {
	switch {
	case s.IsOwn() || s == Vacant:
		return Delete
	case worked:
		return Refuse
	}
	return Keep
}
