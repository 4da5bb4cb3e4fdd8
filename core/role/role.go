// Package role is an organization's own role: a named set of permissions that
// users can be given as they are given a built-in one (authz.Roles).
package role

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// The faults of roles.
var (
	ErrNameTaken = fault.Define(fault.Conflict, "role.name_taken", "A role has this name already.")
	ErrInUse     = fault.Define(fault.Conflict, "role.in_use", "Somebody has the role: give them another one first.")
	ErrBuiltIn   = fault.Define(fault.Conflict, "role.built_in", "Built-in roles can not be changed.")
	ErrUnknown   = fault.Define(fault.Invalid, "role.unknown", "The organization has no such role.")

	ErrUnknownPermission  = fault.Define(fault.Invalid, "role.unknown_permission", "A permission is not one of the catalogue.")
	ErrPlatformPermission = fault.Define(fault.Invalid, "role.platform_permission",
		"A permission reaches beyond an organization, which no custom role does.")
)

// Role is a custom role.
type Role struct{ s Snapshot }

// Snapshot is a role's data with named fields, to store it and to show it.
type Snapshot struct {
	ID          id.Role
	OrgID       id.Org
	Name        string
	Description string // "": none
	Permissions authz.Set
	Version     int64 // grows by one with each change
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Spec is what the maker of a role chooses.
type Spec struct {
	Name        string
	Description string
	Permissions authz.Set
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// The bounds of a name and of a description, in characters.
const (
	nameMin        = 2
	nameMax        = 48
	descriptionMax = 500
)

// check checks the rules. The form of a name keeps it from ever being taken for
// an identifier, so that the two can stand in one place.
func (s Spec) check() error {
	switch {
	case len(s.Name) < nameMin || len(s.Name) > nameMax:
		return fault.InvalidField("/name", "length", "must have 2 to 48 characters")
	case !nameForm.MatchString(s.Name):
		return fault.InvalidField("/name", "format", "must be lower-case letters, digits and single hyphens, starting with a letter")
	case s.Permissions == 0:
		return fault.InvalidField("/permissions", "min_items", "must name at least one permission")
	case !s.Permissions.Within(authz.Admin.Permissions()):
		return ErrPlatformPermission
	}
	if _, err := authz.ParseRole(s.Name); err == nil {
		return ErrNameTaken
	}
	if s.Description == "" {
		return nil
	}
	return text.Check("/description", s.Description, descriptionMax)
}

// ParsePermissions reads the names of a role's permissions. It fails with
// ErrUnknownPermission and ErrPlatformPermission, naming the field.
func ParsePermissions(names []string) (authz.Set, error) {
	s, err := authz.ParseSet(names)
	if unknown, ok := errors.AsType[*authz.UnknownPermissionError](err); ok {
		return 0, ErrUnknownPermission.WithFields(fault.Field{
			Pointer: pointer(unknown.Index), Rule: "enum", Detail: unknown.Rule(),
		})
	}
	if err != nil {
		return 0, err
	}
	for i, n := range names {
		if p, err := authz.ParsePermission(n); err == nil && p.IsPlatform() {
			return 0, ErrPlatformPermission.WithFields(fault.Field{
				Pointer: pointer(i), Rule: "platform", Detail: "belongs to operators alone",
			})
		}
	}
	return s, nil
}

func pointer(i int) string { return fmt.Sprintf("/permissions/%d", i) }

// New returns a role. It fails with fault.ErrInvalid, ErrNameTaken for a
// built-in role's name, and ErrPlatformPermission.
func New(i id.Role, org id.Org, spec Spec, now time.Time) (Role, error) {
	if err := spec.check(); err != nil {
		return Role{}, err
	}
	return Role{Snapshot{
		ID: i, OrgID: org, Name: spec.Name, Description: spec.Description, Permissions: spec.Permissions,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}}, nil
}

// Restore returns a stored role, without the rules of creation.
func Restore(s Snapshot) Role { return Role{s} }

// Snapshot returns the role's data.
func (r *Role) Snapshot() Snapshot { return r.s }

// Spec returns what can change of the role.
func (r *Role) Spec() Spec {
	return Spec{Name: r.s.Name, Description: r.s.Description, Permissions: r.s.Permissions}
}

// Authz returns the role as decisions know it.
func (r *Role) Authz() authz.Role { return authz.NewCustomRole(r.s.ID, r.s.Name, r.s.Permissions) }

// Change changes the role. It fails like New. What is as it was is no change.
func (r *Role) Change(to Spec, now time.Time) (changed bool, err error) {
	if err := to.check(); err != nil {
		return false, err
	}
	if to == r.Spec() {
		return false, nil
	}
	r.s.Name, r.s.Description, r.s.Permissions = to.Name, to.Description, to.Permissions
	r.s.Version++
	r.s.UpdatedAt = now
	return true, nil
}
