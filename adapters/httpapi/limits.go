package httpapi

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
)

// limitsThing is what the version of an organization's limits is one of: they share it.
const limitsThing = "limits"

// limitOf returns who is asking, and the organization and the limit that a path names
// for them. Limits are no secret, but nobody learns of a foreign organization by them.
func (h *handlers) limitOf(ctx context.Context, org, name string) (authz.Actor, id.Org, limit.Name, error) {
	by, o, err := h.organization(ctx, org)
	if err != nil {
		return authz.Actor{}, id.Org{}, limit.Name{}, err
	}
	n, known := limit.Parse(name)
	if !known {
		return authz.Actor{}, id.Org{}, limit.Name{}, fault.ErrNotFound
	}
	return by, o, n, nil
}

func (h *handlers) limitsTag(s limits.States) string { return h.etag(s.Org, limitsThing, s.Version) }

// toLimit shows the one limit of an answer.
func (h *handlers) toLimit(s limits.States) gen.OrganizationLimitJSONResponse {
	return gen.OrganizationLimitJSONResponse{
		Body: toOrganizationLimit(h.limitsTag(s))(s.Items[0]), Headers: gen.OrganizationLimitResponseHeaders{ETag: h.limitsTag(s)},
	}
}

// ListLimits lists the limits of an organization.
func (h *handlers) ListLimits(ctx context.Context, req gen.ListLimitsRequestObject) (gen.ListLimitsResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	s, err := h.Limits.List(ctx, by, org)
	if err != nil {
		return nil, err
	}
	return gen.ListLimits200JSONResponse{
		Body:    gen.OrganizationLimitList{Items: each(s.Items, toOrganizationLimit(h.limitsTag(s)))},
		Headers: gen.ListLimits200ResponseHeaders{ETag: h.limitsTag(s)},
	}, nil
}

// GetLimit shows a limit.
func (h *handlers) GetLimit(ctx context.Context, req gen.GetLimitRequestObject) (gen.GetLimitResponseObject, error) {
	by, org, n, err := h.limitOf(ctx, req.Org, req.Limit)
	if err != nil {
		return nil, err
	}
	s, err := h.Limits.Get(ctx, by, org, n)
	if err != nil {
		return nil, err
	}
	return gen.GetLimit200JSONResponse{OrganizationLimitJSONResponse: h.toLimit(s)}, nil
}

// SetLimit makes a limit an organization's own.
func (h *handlers) SetLimit(ctx context.Context, req gen.SetLimitRequestObject) (gen.SetLimitResponseObject, error) {
	by, org, n, err := h.limitOf(ctx, req.Org, req.Limit)
	if err != nil {
		return nil, err
	}
	version, err := h.ifMatch(req.Params.IfMatch, org, limitsThing)
	if err != nil {
		return nil, err
	}
	s, err := h.Limits.Set(ctx, by, org, n, version, toLimitSpec(*req.Body))
	if err != nil {
		return nil, err
	}
	return gen.SetLimit200JSONResponse{OrganizationLimitJSONResponse: h.toLimit(s)}, nil
}

// ResetLimit makes a limit as it is by default.
func (h *handlers) ResetLimit(ctx context.Context, req gen.ResetLimitRequestObject) (gen.ResetLimitResponseObject, error) {
	by, org, n, err := h.limitOf(ctx, req.Org, req.Limit)
	if err != nil {
		return nil, err
	}
	version, err := h.ifMatch(req.Params.IfMatch, org, limitsThing)
	if err != nil {
		return nil, err
	}
	s, err := h.Limits.Reset(ctx, by, org, n, version)
	if err != nil {
		return nil, err
	}
	return gen.ResetLimit200JSONResponse{OrganizationLimitJSONResponse: h.toLimit(s)}, nil
}

// toOrganizationLimit converts limits that have the version of a tag.
func toOrganizationLimit(tag string) func(limits.State) gen.OrganizationLimit {
	return func(s limits.State) gen.OrganizationLimit {
		out := gen.OrganizationLimit{
			Name: s.Name.String(), Kind: gen.OrganizationLimitKind(s.Name.Kind()), Description: s.Name.Words(), Etag: tag,
			Value: toLimitValue(s.Name, s.Limit), Default: toLimitValue(s.Name, s.Standard), Overridden: s.Own,
		}
		if u := s.Usage; u != nil {
			out.Usage = &gen.LimitUsage{Used: u.Used, Remaining: u.Remaining}
			if s.Name.Kind() == limit.KindRate {
				out.Usage.ResetSeconds = new(wholeSeconds(u.ResetAfter))
			}
		}
		return out
	}
}

func toLimitValue(n limit.Name, l limit.Limit) gen.LimitValue {
	out := gen.LimitValue{WarnPercent: number(l.WarnPercent), Mode: gen.Enforce}
	if l.DryRun {
		out.Mode = gen.DryRun
	}
	if n.Kind() == limit.KindQuota {
		out.Max = &l.Max
		return out
	}
	r := toRate(l)
	out.Count, out.PeriodSeconds, out.Burst = &r.Count, &r.PeriodSeconds, r.Burst
	return out
}

func toRate(l limit.Limit) gen.Rate {
	return gen.Rate{Count: l.Rate.Count, PeriodSeconds: int64(l.Rate.Period / time.Second), Burst: new(l.Rate.Burst)}
}

func toLimitSpec(in gen.LimitUpdate) limit.Spec {
	out := limit.Spec{Count: in.Count, Period: period(in.PeriodSeconds), Burst: in.Burst, Max: in.Max}
	out.DryRun = orZero(in.Mode) == gen.DryRun
	if in.WarnPercent != nil {
		out.WarnPercent = new(int(*in.WarnPercent))
	}
	return out
}

// period is a period as the core has it; nil when nobody chose one.
func period(seconds *int64) *time.Duration {
	if seconds == nil {
		return nil
	}
	return new(time.Duration(*seconds) * time.Second)
}

// toKeyLimits reads the limits that are asked for a key. An object without any is none
// of them, and not nothing that was said.
func toKeyLimits(in gen.APIKeyLimits) map[limit.Name]limit.Spec {
	out := map[limit.Name]limit.Spec{}
	if r := in.Requests; r != nil {
		out[limit.Requests] = limit.Spec{Count: &r.Count, Period: period(&r.PeriodSeconds), Burst: r.Burst}
	}
	return out
}

func showKeyLimits(s limit.Set) *gen.APIKeyLimits {
	l, ok := s[limit.Requests]
	if !ok {
		return nil
	}
	return &gen.APIKeyLimits{Requests: new(toRate(l))}
}

func toLimitLeft(s limit.Standing) gen.LimitLeft {
	return gen.LimitLeft{
		Policy: limit.Requests.Policy(s.Tier), Remaining: s.Decision.Remaining, ResetSeconds: wholeSeconds(s.Decision.ResetAfter),
	}
}

// toUsage shows what an organization has beside what it may have.
func (h *handlers) toUsage(d orgs.Details) *gen.OrganizationUsage {
	quota := func(n limit.Name, used int) gen.QuotaUsage {
		l, _ := h.Standard.Of(n, d.Org.Snapshot().Limits)
		return gen.QuotaUsage{Used: int64(used), Max: l.Max, Remaining: max(0, l.Max-int64(used))}
	}
	return &gen.OrganizationUsage{Users: quota(limit.Users, d.Counts.Members), APIKeys: quota(limit.APIKeys, d.Counts.APIKeys)}
}
