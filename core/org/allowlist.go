package org

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// ErrNotAllowed is returned for a start that the organization's allow-list does not
// let a role make. Its public text says of what.
var ErrNotAllowed = fault.Define(fault.Forbidden, "workflow.not_allowed", "The organization's allow-list does not let this role start the workflow.")

// AnyRole stands in a rule for every role that no rule names.
const AnyRole = "*"

// The bounds of an allow-list.
const (
	maxRules      = 50
	maxPatterns   = 50
	maxRoleLen    = 64
	maxPatternLen = 255 // bytes, as the names themselves
)

// AllowList says which workflows each role may start, where. An empty one lets every
// role start everything; so may a role that no rule is for. It is stored as this
// JSON.
type AllowList []AllowRule

// AllowRule lets a role start workflows of some types on some task queues. A type or
// queue is written in full, or as what it begins with and "*"; none is any.
type AllowRule struct {
	Role          string   `json:"role"` // a role's name, or AnyRole
	WorkflowTypes []string `json:"workflow_types,omitempty"`
	TaskQueues    []string `json:"task_queues,omitempty"`
}

// Validate checks an allow-list. It fails with fault.ErrInvalid.
func (l AllowList) Validate() error {
	if len(l) > maxRules {
		return fault.InvalidField("/rules", "max_items", "must have at most 50 rules")
	}
	for i, r := range l {
		pointer := fmt.Sprintf("/rules/%d", i)
		if err := text.CheckIdentifier(pointer+"/role", r.Role, maxRoleLen); err != nil {
			return err
		}
		if err := checkPatterns(pointer+"/workflow_types", r.WorkflowTypes); err != nil {
			return err
		}
		if err := checkPatterns(pointer+"/task_queues", r.TaskQueues); err != nil {
			return err
		}
	}
	return nil
}

func checkPatterns(pointer string, patterns []string) error {
	if len(patterns) > maxPatterns {
		return fault.InvalidField(pointer, "max_items", "must have at most 50 items")
	}
	for i, p := range patterns {
		at := fmt.Sprintf("%s/%d", pointer, i)
		begin, open := strings.CutSuffix(p, "*")
		if strings.Contains(begin, "*") {
			return fault.InvalidField(at, "format", "may have one *, at its end")
		}
		if open && begin == "" {
			continue
		}
		if err := text.CheckIdentifier(at, begin, maxPatternLen); err != nil {
			return err
		}
	}
	return nil
}

// Check tells whether a role may start workflows of a type on a task queue. It fails
// with ErrNotAllowed.
func (l AllowList) Check(role, workflowType, taskQueue string) error {
	rules := l.of(role)
	if len(rules) == 0 || slices.ContainsFunc(rules, func(r AllowRule) bool {
		return matches(r.WorkflowTypes, workflowType) && matches(r.TaskQueues, taskQueue)
	}) {
		return nil
	}
	return ErrNotAllowed.WithPublic(fmt.Sprintf(
		"The organization's allow-list does not let the role %s start workflows of type %q on task queue %q.", role, workflowType, taskQueue))
}

// Binds tells whether rules are for a role, so that it depends on them what it may start.
func (l AllowList) Binds(role string) bool { return len(l.of(role)) > 0 }

// of returns the rules for a role: those that name it, or else those for any.
func (l AllowList) of(role string) (rules []AllowRule) {
	for _, name := range []string{role, AnyRole} {
		for _, r := range l {
			if r.Role == name {
				rules = append(rules, r)
			}
		}
		if len(rules) > 0 {
			return rules
		}
	}
	return nil
}

// matches tells whether one of the patterns fits; none fits everything.
func matches(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		begin, open := strings.CutSuffix(p, "*")
		return p == name || open && strings.HasPrefix(name, begin)
	})
}

// Roles lists the roles that the rules are for, each once, but for AnyRole.
func (l AllowList) Roles() []string {
	var names []string
	for _, r := range l {
		if r.Role != AnyRole && !slices.Contains(names, r.Role) {
			names = append(names, r.Role)
		}
	}
	return names
}

// RenameRole has the rules for a role follow it to its new name: without them it
// could start everything. Without such rules it changes nothing.
func (o *Org) RenameRole(from, to string, now time.Time) {
	if !slices.Contains(o.s.Settings.AllowList.Roles(), from) {
		return
	}
	renamed := slices.Clone(o.s.Settings.AllowList)
	for i := range renamed {
		if renamed[i].Role == from {
			renamed[i].Role = to
		}
	}
	o.s.Settings.AllowList = renamed
	o.touch(now)
}

// Equal tells whether both lists have the same rules in the same order.
func (l AllowList) Equal(o AllowList) bool {
	return slices.EqualFunc(l, o, func(a, b AllowRule) bool {
		return a.Role == b.Role && slices.Equal(a.WorkflowTypes, b.WorkflowTypes) && slices.Equal(a.TaskQueues, b.TaskQueues)
	})
}
