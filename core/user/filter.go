package user

// Filter chooses users; a zero field chooses all, except that removed users have
// to be asked for.
type Filter struct {
	State       State
	Kind        Kind
	Role        string // a role's name
	EmailPrefix string // in lower case
}

// Canonical returns the canonical form of the filter, which a cursor is bound
// to. None of the values can hold a line break but the last.
func (f Filter) Canonical() string {
	return f.State.s + "\n" + f.Kind.s + "\n" + f.Role + "\n" + f.EmailPrefix
}
