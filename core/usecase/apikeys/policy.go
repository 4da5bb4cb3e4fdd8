package apikeys

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// policy returns how long the keys of an organization may live, as its settings
// say now.
func (s *Service) policy(ctx context.Context, org id.Org) (apikey.Policy, error) {
	o, err := s.store.Reads(org).Org(ctx)
	if err != nil {
		return apikey.Policy{}, err
	}
	const day = 24 * time.Hour
	settings := o.Snapshot().Settings
	return apikey.Policy{
		Default: time.Duration(settings.APIKeyDefaultTTLDays) * day, Max: time.Duration(settings.APIKeyMaxTTLDays) * day,
	}, nil
}
