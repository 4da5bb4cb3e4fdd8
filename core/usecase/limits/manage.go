package limits

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/ports"
)

// resource is what limits are called in the trail.
const resource = "limit"

// State is a limit as it holds for an organization, and how much of it is used.
type State struct {
	Name     limit.Name
	Limit    limit.Limit
	Standard limit.Limit // what holds where nothing was set
	Own      bool        // it was set for this organization
	Usage    *Usage      // nil: it is not known, or not counted here
}

// Usage is how much of a limit is used now.
type Usage struct {
	Used       int64 // of a quota; of a rate's burst
	Remaining  int64
	ResetAfter time.Duration // when a rate is as if never used; zero for a quota
}

// States is some of an organization's limits, with the version of all of them.
type States struct {
	Org     id.Org
	Version int64
	Items   []State
}

// List shows the limits of an organization.
func (s *Service) List(ctx context.Context, by authz.Actor, o id.Org) (States, error) {
	if err := by.Require(authz.LimitsRead, o); err != nil {
		return States{}, err
	}
	return s.show(ctx, o, limit.Names())
}

// Get shows one limit.
func (s *Service) Get(ctx context.Context, by authz.Actor, o id.Org, n limit.Name) (States, error) {
	if err := by.Require(authz.LimitsRead, o); err != nil {
		return States{}, err
	}
	return s.show(ctx, o, []limit.Name{n})
}

func (s *Service) show(ctx context.Context, o id.Org, names []limit.Name) (States, error) {
	row, err := s.store.Reads(o).Org(ctx)
	if err != nil {
		return States{}, err
	}
	return s.states(ctx, row.Snapshot(), names)
}

// states shows limits of an organization as it is in row.
func (s *Service) states(ctx context.Context, row org.Snapshot, names []limit.Name) (States, error) {
	counts, err := s.store.Reads(row.ID).OrgCounts(ctx)
	if err != nil {
		return States{}, err
	}
	out := States{Org: row.ID, Version: row.LimitsVersion, Items: make([]State, len(names))}
	for i, n := range names {
		at := State{Name: n}
		at.Standard, _ = s.standard.Of(n, nil)
		at.Limit, at.Own = s.standard.Of(n, row.Limits)
		at.Usage = s.usage(ctx, row, at, counts)
		out.Items[i] = at
	}
	return out, nil
}

// usage returns how much of a limit is used. While the buckets can not be asked the
// limits are shown all the same.
func (s *Service) usage(ctx context.Context, row org.Snapshot, at State, counts org.Counts) *Usage {
	switch at.Name {
	case limit.Users:
		return quotaUsage(counts.Members, at.Limit)
	case limit.APIKeys:
		return quotaUsage(counts.APIKeys, at.Limit)
	case limit.Schedules:
		return quotaUsage(counts.Schedules, at.Limit)
	}
	if at.Name.Kind() != limit.KindRate {
		return nil
	}
	var c limit.Check
	c.Begin(s.standard, at.Name, limit.Holder{Org: row.ID, OrgLimits: row.Limits}, 0)
	if c.Len() == 0 {
		return nil
	}
	if err := s.buckets.Take(ctx, c.Charges(), c.Decisions()); err != nil {
		s.meter.LimiterUnavailable()
		return nil
	}
	d := c.At(0).Decision
	return &Usage{Used: at.Limit.Rate.Burst - d.Remaining, Remaining: d.Remaining, ResetAfter: d.ResetAfter}
}

func quotaUsage(used int, l limit.Limit) *Usage {
	return &Usage{Used: int64(used), Remaining: max(0, l.Max-int64(used))}
}

// Set makes a limit the organization's own. For operators. version is that of the
// limits which the change is meant for; 0: any. It fails with fault.ErrStale,
// org.ErrState, and with fault.ErrInvalid for a broken rule.
func (s *Service) Set(ctx context.Context, by authz.Actor, o id.Org, n limit.Name, version int64, spec limit.Spec) (States, error) {
	if err := requireOperator(by, o); err != nil {
		return States{}, err
	}
	l, err := n.New(spec)
	if err != nil {
		return States{}, err
	}
	return s.change(ctx, by, o, n, version, func(row *org.Org, now time.Time) (bool, error) { return row.SetLimit(n, l, now) })
}

// Reset makes a limit as it is by default. For operators. It fails with
// fault.ErrStale and org.ErrState.
func (s *Service) Reset(ctx context.Context, by authz.Actor, o id.Org, n limit.Name, version int64) (States, error) {
	if err := requireOperator(by, o); err != nil {
		return States{}, err
	}
	return s.change(ctx, by, o, n, version, func(row *org.Org, now time.Time) (bool, error) { return row.ResetLimit(n, now) })
}

// requireOperator fails unless the actor is an operator who may set limits. To others
// the organization is what it always is: their own, or nothing.
func requireOperator(by authz.Actor, o id.Org) error {
	if err := by.Require(authz.LimitsUpdate, o); err != nil {
		return err
	}
	return by.RequirePlatform(authz.LimitsUpdate)
}

// change changes a limit, and shows what has become of it.
func (s *Service) change(ctx context.Context, by authz.Actor, o id.Org, n limit.Name, version int64, fn func(*org.Org, time.Time) (bool, error)) (States, error) {
	now := s.clock.Now()
	var after org.Snapshot
	err := s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		var before org.Snapshot
		changed := false
		err := tx.Orgs.Update(ctx, func(row *org.Org) (err error) {
			before = row.Snapshot()
			if err := fault.CheckVersion(before.LimitsVersion, version); err != nil {
				return err
			}
			changed, err = fn(row, now)
			after = row.Snapshot()
			return err
		})
		if err != nil || !changed {
			return err
		}
		return tx.Audit.Append(ctx, audit.Accepted(o, now, by, audit.LimitUpdated, resource, n.String(),
			s.differences(n, before.Limits, after.Limits)))
	})
	if err != nil {
		return States{}, err
	}
	return s.states(ctx, after, []limit.Name{n})
}

// differences returns, by field, what a change made of a limit as it holds.
func (s *Service) differences(n limit.Name, before, after limit.Set) map[string]audit.Change {
	b, a := s.fields(n, before), s.fields(n, after)
	changes := map[string]audit.Change{}
	for name, value := range a {
		if b[name] != value {
			changes[name] = audit.Change{Before: b[name], After: value}
		}
	}
	return changes
}

// fields is what the trail keeps of a limit, by field.
func (s *Service) fields(n limit.Name, set limit.Set) map[string]any {
	l, own := s.standard.Of(n, set)
	out := map[string]any{"own": own, "warn_percent": l.WarnPercent, "dry_run": l.DryRun}
	if n.Kind() == limit.KindQuota {
		out["max"] = l.Max
		return out
	}
	out["count"], out["period_seconds"], out["burst"] = l.Rate.Count, int64(l.Rate.Period/time.Second), l.Rate.Burst
	return out
}
