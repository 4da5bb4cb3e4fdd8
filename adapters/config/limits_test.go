package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/config"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

func TestLimits(t *testing.T) {
	t.Parallel()

	t.Run("Should put a deployment's own in the place of those that are built in", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c, err := config.Load(append(complete(), "BULKHEAD_LIMITS=requests=600/1m/6, workflow_starts=100/10s,users=0"))
		is.NoErr(err)
		is.Equal(c.Tenancy.Limits.Set, limit.Set{
			limit.Requests:       {Rate: ratelimit.Rate{Count: 600, Period: time.Minute, Burst: 6}, WarnPercent: 80},
			limit.WorkflowStarts: {Rate: ratelimit.Rate{Count: 100, Period: 10 * time.Second, Burst: 10}, WarnPercent: 80},
			limit.Users:          {WarnPercent: 80},
		})
		c, err = config.Load(append(complete(), "BULKHEAD_LIMITS="))
		is.NoErr(err)
		is.Equal(c.Tenancy.Limits.Set, nil)
	})

	for value, says := range map[string]string{
		"wishes=3":             "there are: requests, workflow_starts, users",
		"users=3,users=4":      "users stands there twice",
		"users":                "must have the form",
		"users=3/1m":           "must have the form",
		"requests=3":           "must have the form",
		"requests=3/1m/1/1":    "must have the form",
		"requests=3/minute":    "must have the form",
		"requests=3/1m/some":   "must have the form",
		"requests=3/1m/4":      "requests: burst must be between 1 and the count",
		"requests=600/100ms/1": "requests: period_seconds must be between 1 and 86400",
		"users=-1":             "users: max must be between 0 and",
	} {
		t.Run("Should say what is wrong with "+value, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			_, err := config.Load(append(complete(), "BULKHEAD_LIMITS="+value))
			is.True(err != nil)
			is.True(strings.Contains(err.Error(), "BULKHEAD_LIMITS") || strings.Contains(err.Error(), "Limits"))
			is.True(strings.Contains(err.Error(), says))
		})
	}
}
