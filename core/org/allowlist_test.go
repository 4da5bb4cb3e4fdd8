package org_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/org"
)

func TestAllowList(t *testing.T) {
	t.Parallel()
	rules := org.AllowList{
		{Role: "member", WorkflowTypes: []string{"Order*", "Charge"}, TaskQueues: []string{"orders"}},
		{Role: "member", WorkflowTypes: []string{"Report"}},
		{Role: "deployer"},
		{Role: "*", TaskQueues: []string{"pub*"}},
	}
	for _, c := range []struct {
		list            org.AllowList
		role, of, queue string
		allowed         bool
	}{
		{nil, "viewer", "Any", "any", true},
		{rules[:1], "admin", "Any", "any", true}, // no rule is for it
		{rules, "member", "Order", "orders", true},
		{rules, "member", "OrderLarge", "orders", true},
		{rules, "member", "Charge", "orders", true},
		{rules, "member", "ChargeLarge", "orders", false},
		{rules, "member", "Order", "other", false},
		{rules, "member", "Report", "other", true}, // the second rule allows it
		{rules, "member", "Any", "public", false},  // * is for those that no rule names
		{rules, "deployer", "Any", "any", true},
		{rules, "admin", "Any", "public", true},
		{rules, "admin", "Any", "private", false},
		{org.AllowList{{Role: "*", WorkflowTypes: []string{"*"}}}, "admin", "Any", "any", true},
	} {
		t.Run("Should judge "+c.role+" and "+c.of+" on "+c.queue, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			err := c.list.Check(c.role, c.of, c.queue)
			is.Equal(err == nil, c.allowed)
			is.Equal(c.list.Binds(c.role), len(c.list) > 1 || c.role == "admin" && len(c.list) > 0 && c.list[0].Role == "*")
			if !c.allowed {
				is.True(errors.Is(err, org.ErrNotAllowed))
				for _, word := range []string{c.role, c.of, c.queue} {
					is.True(strings.Contains(fault.From(err).Public, word)) // it says what was refused
				}
			}
		})
	}

	for name, c := range map[string]struct {
		list          org.AllowList
		pointer, rule string
	}{
		"good rules":      {rules, "", ""},
		"no rules":        {org.AllowList{}, "", ""},
		"no role":         {org.AllowList{{}}, "/rules/0/role", "required"},
		"a star inside":   {org.AllowList{{Role: "member"}, {Role: "member", WorkflowTypes: []string{"a*b"}}}, "/rules/1/workflow_types/0", "format"},
		"two stars":       {org.AllowList{{Role: "member", TaskQueues: []string{"a", "b**"}}}, "/rules/0/task_queues/1", "format"},
		"an empty type":   {org.AllowList{{Role: "member", WorkflowTypes: []string{""}}}, "/rules/0/workflow_types/0", "required"},
		"too many rules":  {make(org.AllowList, 51), "/rules", "max_items"},
		"too many queues": {org.AllowList{{Role: "member", TaskQueues: make([]string, 51)}}, "/rules/0/task_queues", "max_items"},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			judgeRules(is.New(t), c.list.Validate(), c.pointer, c.rule)
		})
	}
}

func judgeRules(is *is.I, err error, pointer, rule string) {
	is.Helper()
	if rule == "" {
		is.NoErr(err)
		return
	}
	is.Equal(fault.From(err).Fields[0].Pointer, pointer)
	is.Equal(fault.From(err).Fields[0].Rule, rule)
}
