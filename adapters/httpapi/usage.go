package httpapi

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/usage"
)

// ListUsage shows how much was asked of the API.
func (h *handlers) ListUsage(ctx context.Context, req gen.ListUsageRequestObject) (gen.ListUsageResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	q := req.Params
	grouping, err := usage.ParseGrouping(string(orZero(q.By)))
	if err != nil {
		return nil, err
	}
	filter, err := usage.NewFilter(grouping, orZero(q.From), orZero(q.To), h.Clock.Now())
	if err != nil {
		return nil, err
	}
	l := h.listOf("listUsage", org, "by="+grouping.String(), "from="+stamp(q.From), "to="+stamp(q.To))
	asked, err := l.request(q.Limit, q.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Usage.List(ctx, by, org, filter, asked)
	if err != nil {
		return nil, err
	}
	return gen.ListUsage200JSONResponse{Items: each(p.Items, toUsage), NextCursor: l.next(p.Next)}, nil
}

// stamp returns a time as a list's cursors are bound to it; "" for one that was not
// given.
func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func toUsage(s usage.Sum) gen.UsageSum {
	return gen.UsageSum{
		APIKeyID: optional(s.Key.String()), Start: optional(s.Start),
		Requests: s.Requests, Refused: s.Refused, Limited: s.Limited,
	}
}
