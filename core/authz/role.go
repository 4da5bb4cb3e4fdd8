package authz

import "errors"

// Role is a named set of permissions. It is a struct so that no value but those
// below can be made outside this package; the zero value is no role and grants
// nothing.
type Role struct{ name string }

// The built-in roles.
var (
	Operator = Role{"operator"} // system organization only: the whole platform
	Admin    = Role{"admin"}
	Manager  = Role{"manager"}
	Member   = Role{"member"}
	Viewer   = Role{"viewer"}
)

var (
	viewerSet  = SetOf(OrganizationsRead, UsersRead, RolesRead, WorkflowsRead, OperationsRead, TokensRead)
	memberSet  = viewerSet | SetOf(WorkflowsStart, TokensWrite, AssignmentsRead)
	managerSet = memberSet | SetOf(UsersCreate, UsersUpdate, UsersSuspend, UsersRemove, APIKeysRead, AuditRead, AuthzExplain)
	adminSet   = all(func(platform bool) bool { return !platform })
	everything = all(func(bool) bool { return true })
)

// roles is the one table of what each role may do.
var roles = map[Role]Set{
	Viewer:   viewerSet,
	Member:   memberSet,
	Manager:  managerSet,
	Admin:    adminSet,
	Operator: everything,
}

// Roles lists the roles from the weakest to the strongest.
func Roles() []Role { return []Role{Viewer, Member, Manager, Admin, Operator} }

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	r := Role{s}
	if _, ok := roles[r]; !ok {
		return Role{}, errors.New("unknown role")
	}
	return r, nil
}

// String returns the role's name; "" for the zero value.
func (r Role) String() string { return r.name }

// Permissions returns what the role may do.
func (r Role) Permissions() Set { return roles[r] }

// IsZero tells whether this is no role.
func (r Role) IsZero() bool { return r.name == "" }
