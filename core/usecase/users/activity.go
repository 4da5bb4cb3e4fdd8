package users

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
)

// Activity is what a user has been doing.
type Activity struct {
	LastSeenAt time.Time      // when a key of theirs was last used, as far as is known; zero: never
	Keys       []apikey.Key   // the newest they have, up to activityKeys
	MoreKeys   bool           // they have others
	Recent     []audit.Record // what they did last, the latest first
}

// How much an activity shows.
const (
	activityKeys   = 100
	activityEvents = 20
)

// Activity shows what a user has been doing: their keys, and what stands in the
// organization's trail of them. Who may read the trail may see this: it names users
// and keys, too. It fails with fault.ErrNotFound.
func (s *Service) Activity(ctx context.Context, by authz.Actor, org id.Org, u id.User) (Activity, error) {
	if err := by.Require(authz.AuditRead, org); err != nil {
		return Activity{}, err
	}
	if _, err := s.store.Reads(org).User(ctx, u); err != nil {
		return Activity{}, err
	}
	keys, err := s.store.Reads(org).APIKeys(ctx, apikey.Filter{UserID: u}, page.Request{Limit: activityKeys})
	if err != nil {
		return Activity{}, err
	}
	recent, err := s.trail.Events(ctx, org, audit.Filter{User: u}, page.Request{Limit: activityEvents})
	if err != nil {
		return Activity{}, err
	}
	a := Activity{Keys: keys.Items, MoreKeys: keys.Next != uuid.Nil, Recent: recent.Items}
	for _, k := range keys.Items {
		for _, seen := range []time.Time{k.Snapshot().LastUsedAt, k.Snapshot().Old.LastUsedAt} {
			if seen.After(a.LastSeenAt) {
				a.LastSeenAt = seen
			}
		}
	}
	return a, nil
}
