package org_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
)

func TestAllowListGrants(t *testing.T) {
	t.Parallel()
	o := id.New[id.OrgKind]()
	by := func(r authz.Role, scopes authz.Set) authz.Actor {
		return authz.NewKeyActor(authz.KeyHolder{Org: o, User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Role: r, Scopes: scopes})
	}
	starts := authz.SetOf(authz.WorkflowsStart)
	orders := func(role string, queues ...string) org.AllowRule {
		return org.AllowRule{Role: role, WorkflowTypes: []string{"Order*", "Charge"}, TaskQueues: queues}
	}
	for name, c := range map[string]struct {
		list  org.AllowList
		to    authz.Role
		power authz.Set
		fits  bool
	}{
		"no rules":                      {nil, authz.Admin, starts, true},
		"rules for others":              {org.AllowList{orders("viewer")}, authz.Admin, starts, true},
		"no rule for the other":         {org.AllowList{orders("member")}, authz.Admin, starts, false},
		"a power that starts nothing":   {org.AllowList{orders("member")}, authz.Admin, authz.SetOf(authz.WorkflowsRead), true},
		"one that makes schedules":      {org.AllowList{orders("member")}, authz.Admin, authz.SetOf(authz.SchedulesCreate), false},
		"the same role":                 {org.AllowList{orders("member")}, authz.Member, starts, true},
		"the same rules":                {org.AllowList{orders("member"), orders("admin")}, authz.Admin, starts, true},
		"one rule for both":             {org.AllowList{orders("*")}, authz.Admin, starts, true},
		"fewer types":                   {org.AllowList{orders("member"), {Role: "admin", WorkflowTypes: []string{"OrderLarge*", "Order", "Charge"}}}, authz.Admin, starts, true},
		"a wider type":                  {org.AllowList{orders("member"), {Role: "admin", WorkflowTypes: []string{"Ord*"}}}, authz.Admin, starts, false},
		"what begins like a full type":  {org.AllowList{orders("member"), {Role: "admin", WorkflowTypes: []string{"Charge*"}}}, authz.Admin, starts, false},
		"any type":                      {org.AllowList{orders("member"), {Role: "admin"}}, authz.Admin, starts, false},
		"any type within any":           {org.AllowList{{Role: "member", WorkflowTypes: []string{"*"}}, {Role: "admin"}}, authz.Admin, starts, true},
		"other queues":                  {org.AllowList{orders("member", "orders"), orders("admin", "orders", "all")}, authz.Admin, starts, false},
		"a rule of several that is not": {org.AllowList{orders("member"), orders("admin"), {Role: "admin", WorkflowTypes: []string{"Report"}}}, authz.Admin, starts, false},
	} {
		t.Run("Should judge what a role is given by one that is bound: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			err := c.list.CheckGrant(by(authz.Member, 0), c.to, c.power)
			is.Equal(err == nil, c.fits)
			is.True(c.fits || errors.Is(err, authz.ErrPowerExceeded))
		})
	}

	t.Run("Should bound nobody who may change the list, unless their key may not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		list := org.AllowList{orders("admin")}
		is.NoErr(list.CheckGrant(by(authz.Admin, 0), authz.Member, starts))
		is.True(errors.Is(list.CheckGrant(by(authz.Admin, starts), authz.Member, starts), authz.ErrPowerExceeded))
		is.NoErr(list.CheckGrant(authz.Bootstrap, authz.Member, starts))
	})
}
