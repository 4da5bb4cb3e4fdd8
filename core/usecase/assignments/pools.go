package assignments

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/pool"
)

// Pool is the organizations that share workers, and the processes that serve them.
type Pool struct {
	Name    string // "": that of all organizations, whichever pool they are in
	Orgs    int    // that are active
	Members []Member
}

// Member is a process that shares a pool.
type Member struct {
	Name        string
	LeaseEndsAt time.Time
	HasLapsed   bool // it has not asked in time; it keeps its share until another member asks
	Orgs        int  // that it is to serve
}

// Pools shows the pools that have an organization or a member, or the one of a name,
// with each member's share where each organization is served by so many of them; 0 is
// 1. Which share a member has told itself depends on the replicas that it asks for. It
// fails with fault.ErrInvalid.
func (s *Service) Pools(ctx context.Context, by authz.Actor, name string, replicas int) ([]Pool, error) {
	if err := by.RequirePlatform(authz.AssignmentsRead); err != nil {
		return nil, err
	}
	if name != "" {
		if err := org.CheckPool("pool", name); err != nil {
			return nil, err
		}
	}
	if replicas < 0 || replicas > pool.MaxReplicas {
		return nil, fault.InvalidField("replicas", "range", "must be between 1 and 16")
	}
	leases, err := s.members.Leases(ctx)
	if err != nil {
		return nil, err
	}
	orgs, err := s.platform.ActiveOrgs(ctx)
	if err != nil {
		return nil, err
	}
	r := roster{members: map[string][]string{}}
	pools := map[string]*Pool{}
	at := func(name string) *Pool {
		if pools[name] == nil {
			pools[name] = &Pool{Name: name}
		}
		return pools[name]
	}
	for i := range orgs {
		o := orgs[i].Snapshot()
		r.orgs = append(r.orgs, o)
		at(o.WorkerPool).Orgs++
	}
	for _, l := range leases {
		r.members[l.Pool] = append(r.members[l.Pool], l.Member)
	}
	for _, l := range leases {
		p := at(l.Pool)
		if l.Pool == "" {
			p.Orgs = len(orgs)
		}
		p.Members = append(p.Members, Member{
			Name: l.Member, LeaseEndsAt: l.EndsAt, HasLapsed: l.HasEnded,
			Orgs: len(r.of(Question{Pool: l.Pool, Member: l.Member, Replicas: replicas})),
		})
	}
	var out []Pool
	for _, p := range pools {
		if name == "" || p.Name == name {
			out = append(out, *p)
		}
	}
	slices.SortFunc(out, func(a, b Pool) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}
