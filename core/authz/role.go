package authz

import (
	"errors"

	"github.com/bulkheadhq/bulkhead/core/id"
)

// Role is a named set of permissions: one of the built-in roles below, or an
// organization's own. It is a comparable value that says all there is to decide
// by, so that a custom role needs no table where a decision is made. No value
// but the built-in ones and those of NewCustomRole can be made outside this
// package; the zero value is no role and grants nothing.
type Role struct {
	name        string
	custom      id.Role // zero: built-in
	permissions Set
}

var (
	viewerSet = SetOf(OrganizationsRead, UsersRead, RolesRead, WorkflowsRead, SchedulesRead, OperationsRead, TokensRead, LimitsRead)
	// Whoever may write by a data-plane token can do all of this to a workflow or a schedule through Temporal itself:
	// a role that had only a part of it would promise what it does not hold. The parts are for scopes and custom roles.
	memberSet = viewerSet | SetOf(WorkflowsStart, WorkflowsSignal, WorkflowsCancel, WorkflowsTerminate, WorkflowsReset,
		SchedulesCreate, SchedulesUpdate, SchedulesTrigger, SchedulesDelete, TokensWrite, AssignmentsRead)
	managerSet = memberSet | SetOf(UsersCreate, UsersUpdate, UsersSuspend, UsersRemove, APIKeysRead, AuditRead, AuthzExplain, UsageRead)
	adminSet   = all(func(platform bool) bool { return !platform })
	everything = all(func(bool) bool { return true })
)

// The built-in roles: the one table of what each may do.
var (
	Operator = Role{name: "operator", permissions: everything} // system organization only: the whole platform
	Admin    = Role{name: "admin", permissions: adminSet}
	Manager  = Role{name: "manager", permissions: managerSet}
	Member   = Role{name: "member", permissions: memberSet}
	Viewer   = Role{name: "viewer", permissions: viewerSet}
)

// Roles lists the built-in roles from the weakest to the strongest.
func Roles() []Role { return []Role{Viewer, Member, Manager, Admin, Operator} }

// ParseRole reads a built-in role's name.
func ParseRole(s string) (Role, error) {
	for _, r := range Roles() {
		if r.name == s {
			return r, nil
		}
	}
	return Role{}, errors.New("unknown role")
}

// NewCustomRole returns an organization's own role. Permissions of the platform
// are dropped, whatever is stored: such a role never reaches beyond its
// organization. Without an identifier it is no role.
func NewCustomRole(i id.Role, name string, s Set) Role {
	if i.IsZero() {
		return Role{}
	}
	return Role{name: name, custom: i, permissions: s.And(adminSet)}
}

// String returns the role's name; "" for the zero value.
func (r Role) String() string { return r.name }

// ID returns a custom role's identifier, or the zero one for a built-in role.
func (r Role) ID() id.Role { return r.custom }

// IsCustom tells whether this is an organization's own role.
func (r Role) IsCustom() bool { return !r.custom.IsZero() }

// Permissions returns what the role may do.
func (r Role) Permissions() Set { return r.permissions }

// IsZero tells whether this is no role.
func (r Role) IsZero() bool { return r == Role{} }
