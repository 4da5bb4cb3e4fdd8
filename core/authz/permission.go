package authz

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
)

// Permission is one thing that may be done, written resource:action. The zero
// value permits nothing and is no permission.
type Permission uint8

// The permissions. Their order is internal (a Set is a bit each); their names
// are the contract.
const (
	_ Permission = iota
	OrganizationsCreate
	OrganizationsList
	OrganizationsRead
	OrganizationsUpdate
	OrganizationsSuspend
	OrganizationsDelete
	OrganizationsRestore
	UsersCreate
	UsersRead
	UsersUpdate
	UsersSuspend
	UsersRemove
	RolesCreate
	RolesRead
	RolesUpdate
	RolesDelete
	AuthzExplain
	APIKeysCreate
	APIKeysRead
	APIKeysUpdate
	APIKeysRotate
	APIKeysRevoke
	APIKeysDelete
	APIKeysVerify
	APIKeysReport
	AuditList
	AuditRead
	AuditExport
	TokensRead
	TokensWrite
	WorkflowsStart
	WorkflowsRead
	WorkflowsSignal
	WorkflowsCancel
	WorkflowsTerminate
	WorkflowsReset
	SchedulesCreate
	SchedulesRead
	SchedulesUpdate
	SchedulesTrigger
	SchedulesDelete
	OperationsRead
	OperationsRetry
	AssignmentsRead
	UsageRead
	LimitsRead
	LimitsUpdate
	permissionEnd
)

// catalogue is the one table of permissions: name, meaning, and whether it
// reaches beyond an organization and so belongs to operators alone.
var catalogue = [permissionEnd]struct {
	name, meaning string
	platform      bool
}{
	OrganizationsCreate:  {"organizations:create", "create organizations", true},
	OrganizationsList:    {"organizations:list", "list all organizations", true},
	OrganizationsRead:    {"organizations:read", "see the organization and its state", false},
	OrganizationsUpdate:  {"organizations:update", "change the organization's name, metadata and settings", false},
	OrganizationsSuspend: {"organizations:suspend", "suspend and resume organizations", true},
	OrganizationsDelete:  {"organizations:delete", "delete the organization, with a time of grace", false},
	OrganizationsRestore: {"organizations:restore", "restore an organization in its time of grace, or end that time", true},
	UsersCreate:          {"users:create", "add users with no more power than one's own", false},
	UsersRead:            {"users:read", "see users", false},
	UsersUpdate:          {"users:update", "change users who have no more power than oneself", false},
	UsersSuspend:         {"users:suspend", "suspend and resume users who have no more power than oneself", false},
	UsersRemove:          {"users:remove", "remove users who have no more power than oneself", false},
	RolesCreate:          {"roles:create", "create custom roles with no more power than one's own", false},
	RolesRead:            {"roles:read", "see roles and their permissions", false},
	RolesUpdate:          {"roles:update", "change custom roles", false},
	RolesDelete:          {"roles:delete", "delete custom roles that nobody has", false},
	AuthzExplain:         {"authz:explain", "ask why another may or may not do something", false},
	APIKeysCreate:        {"apikeys:create", "create API keys with no more power than one's own", false},
	APIKeysRead:          {"apikeys:read", "see API keys, never their secrets", false},
	APIKeysUpdate:        {"apikeys:update", "change, disable and enable API keys", false},
	APIKeysRotate:        {"apikeys:rotate", "give an API key a new secret", false},
	APIKeysRevoke:        {"apikeys:revoke", "revoke API keys", false},
	APIKeysDelete:        {"apikeys:delete", "delete revoked and expired API keys", false},
	APIKeysVerify:        {"apikeys:verify", "verify presented API keys for another service", false},
	APIKeysReport:        {"apikeys:report", "revoke any organization's API key that has leaked", true},
	AuditList:            {"audit:list", "read the audit trail of every organization", true},
	AuditRead:            {"audit:read", "read and verify the audit trail", false},
	AuditExport:          {"audit:export", "export the audit trail", false},
	TokensRead:           {"tokens:read", "exchange an API key for a data-plane token that reads", false},
	TokensWrite:          {"tokens:write", "exchange an API key for a data-plane token that starts and serves workflows", false},
	WorkflowsStart:       {"workflows:start", "start workflows", false},
	WorkflowsRead:        {"workflows:read", "see workflows and their results", false},
	WorkflowsSignal:      {"workflows:signal", "send signals and updates to workflows", false},
	WorkflowsCancel:      {"workflows:cancel", "ask workflows to cancel what they do", false},
	WorkflowsTerminate:   {"workflows:terminate", "end workflows at once", false},
	WorkflowsReset:       {"workflows:reset", "end workflows and have them go on from an earlier place", false},
	SchedulesCreate:      {"schedules:create", "create schedules", false},
	SchedulesRead:        {"schedules:read", "see schedules and what they have started", false},
	SchedulesUpdate:      {"schedules:update", "change, pause and resume schedules", false},
	SchedulesTrigger:     {"schedules:trigger", "start a schedule's workflow at once, and make up for past times", false},
	SchedulesDelete:      {"schedules:delete", "delete schedules", false},
	OperationsRead:       {"operations:read", "follow long-running operations", false},
	OperationsRetry:      {"operations:retry", "try a failed operation again", false},
	UsageRead:            {"usage:read", "see how much is asked of the API", false},
	AssignmentsRead:      {"assignments:read", "ask which namespaces a worker should serve", false},
	LimitsRead:           {"limits:read", "see the limits of the organization and how much of them is used", false},
	LimitsUpdate:         {"limits:update", "set the limits of organizations", true},
}

// String returns the name, such as "workflows:start".
func (p Permission) String() string {
	if p == 0 || p >= permissionEnd {
		return ""
	}
	return catalogue[p].name
}

// Meaning says in words what the permission allows.
func (p Permission) Meaning() string {
	if p == 0 || p >= permissionEnd {
		return ""
	}
	return catalogue[p].meaning
}

// IsPlatform tells whether the permission reaches beyond an organization, and so
// belongs to operators alone.
func (p Permission) IsPlatform() bool { return p != 0 && p < permissionEnd && catalogue[p].platform }

// Permissions lists the catalogue in its order.
func Permissions() []Permission {
	out := make([]Permission, 0, permissionEnd-1)
	for p := Permission(1); p < permissionEnd; p++ {
		out = append(out, p)
	}
	return out
}

// Temporal returns what the permission becomes in a data-plane token, which
// Temporal itself checks: "read" or "write" on the organization's namespace, or ""
// for what Bulkhead alone decides.
func (p Permission) Temporal() string {
	switch p {
	case TokensRead:
		return "read"
	case TokensWrite:
		return "write"
	}
	return ""
}

// ParsePermission reads a name.
func ParsePermission(s string) (Permission, error) {
	for p := Permission(1); p < permissionEnd; p++ {
		if catalogue[p].name == s {
			return p, nil
		}
	}
	return 0, errors.New("unknown permission")
}

// Set is an immutable set of permissions. The zero value is empty.
type Set uint64

// SetOf returns the set of the given permissions.
func SetOf(ps ...Permission) Set {
	var s Set
	for _, p := range ps {
		s |= 1 << p
	}
	return s
}

// all returns the permissions that satisfy keep.
func all(keep func(platform bool) bool) Set {
	var s Set
	for p := Permission(1); p < permissionEnd; p++ {
		if keep(catalogue[p].platform) {
			s |= 1 << p
		}
	}
	return s
}

// Has tells whether p is in the set.
func (s Set) Has(p Permission) bool { return p != 0 && s&(1<<p) != 0 }

// Within tells whether every permission of s is in outer.
func (s Set) Within(outer Set) bool { return s&^outer == 0 }

// And returns the permissions that are in both.
func (s Set) And(o Set) Set { return s & o }

// Len returns the number of permissions.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// All goes through the permissions in the catalogue's order.
func (s Set) All() iter.Seq[Permission] {
	return func(yield func(Permission) bool) {
		for s &^= 1; s != 0; s &= s - 1 { // which takes the lowest one away
			p := Permission(bits.TrailingZeros64(uint64(s))) //nolint:gosec // 63 at most
			if p >= permissionEnd || !yield(p) {
				return
			}
		}
	}
}

// Names returns the names in the catalogue's order.
func (s Set) Names() []string {
	out := make([]string, 0, s.Len())
	for p := range s.All() {
		out = append(out, p.String())
	}
	return out
}

// ParseSet reads names. Unknown names are an error, so that a misspelt scope never
// silently grants less (or more) than meant.
func ParseSet(names []string) (Set, error) {
	var s Set
	for i, n := range names {
		p, err := ParsePermission(n)
		if err != nil {
			return 0, &UnknownPermissionError{Index: i}
		}
		s |= 1 << p
	}
	return s, nil
}

// UnknownPermissionError names the position of a name that is no permission.
type UnknownPermissionError struct{ Index int }

func (e *UnknownPermissionError) Error() string {
	return fmt.Sprintf("name %d is no permission", e.Index)
}

// Rule says what a name must be. There are more permissions than an answer has room for.
func (*UnknownPermissionError) Rule() string {
	return "must be a permission, as GET /api/v0/authz/permissions lists them"
}
