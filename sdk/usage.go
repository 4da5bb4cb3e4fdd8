package sdk

import (
	"context"
	"iter"
	"time"
)

// UsageFilter chooses usage; a zero field is as by default: by key, of the last day.
type UsageFilter struct {
	By       UsageGrouping
	From, To time.Time // the hours that begin from From on and before To; at most 92 days
}

// ListUsage returns a page of how much was asked of the API by an organization's keys.
func (c *Client) ListUsage(ctx context.Context, org string, f UsageFilter, o ListOptions) (*UsageList, error) {
	return call[UsageList](ctx, c, get(organization(org, "usage")).with("by", string(f.By)).during(f.From, f.To).page(o))
}

// AllUsage walks through how much was asked of the API by an organization's keys.
func (c *Client) AllUsage(ctx context.Context, org string, f UsageFilter) iter.Seq2[UsageSum, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]UsageSum, string, error) {
		l, err := c.ListUsage(ctx, org, f, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}
