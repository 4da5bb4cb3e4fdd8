package org

import (
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/core/authz"
)

// starting are the permissions whose use an allow-list holds to some workflows. Which
// those are is for the request to say.
var starting = authz.SetOf(authz.WorkflowsStart, authz.WorkflowsReset, authz.SchedulesCreate, authz.SchedulesUpdate, authz.SchedulesTrigger)

// HeldToAllowList tells whether what a permission allows depends on the allow-list.
func HeldToAllowList(p authz.Permission) bool { return starting.Has(p) }

// BindsGrants tells whether an allow-list bounds what an actor may give others. Whoever
// may change it is not bounded.
func BindsGrants(by authz.Actor) bool {
	return !by.IsPlatform() && !by.Permissions().Has(authz.OrganizationsUpdate)
}

// CheckGrant fails with authz.ErrPowerExceeded when an actor would give somebody the
// power to start what the list does not let the actor start: a user, or a key of a
// user's, with another role, or a key of the organization's. Else whoever is bound
// would make a key that is not, and use that.
func (l AllowList) CheckGrant(by authz.Actor, to authz.Role, power authz.Set) error {
	if !BindsGrants(by) || power.And(starting) == 0 || l.spans(by.Role().String(), to.String()) {
		return nil
	}
	return authz.ErrPowerExceeded
}

// spans tells whether a role may start all that another one may.
func (l AllowList) spans(role, other string) bool {
	mine, theirs := l.of(role), l.of(other)
	if len(mine) == 0 {
		return true
	}
	return len(theirs) > 0 && !slices.ContainsFunc(theirs, func(t AllowRule) bool {
		return !slices.ContainsFunc(mine, func(m AllowRule) bool {
			return cover(m.WorkflowTypes, t.WorkflowTypes) && cover(m.TaskQueues, t.TaskQueues)
		})
	})
}

// cover tells whether patterns fit all that others fit.
func cover(patterns, others []string) bool {
	if len(patterns) == 0 || slices.Contains(patterns, "*") {
		return true
	}
	return len(others) > 0 && !slices.ContainsFunc(others, func(o string) bool {
		return !slices.ContainsFunc(patterns, func(p string) bool {
			begin, open := strings.CutSuffix(p, "*")
			return p == o || open && strings.HasPrefix(strings.TrimSuffix(o, "*"), begin)
		})
	})
}
