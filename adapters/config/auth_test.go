package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/config"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

func TestFailures(t *testing.T) {
	t.Parallel()
	for value, rate := range map[string]ratelimit.Rate{
		"":        {Count: 120, Period: time.Minute, Burst: 60},
		"5/1s/2":  {Count: 5, Period: time.Second, Burst: 2},
		"600/1h":  {Count: 600, Period: time.Hour, Burst: 60},
		"off":     {},
		"off/1h":  {Count: -1},
		"5":       {Count: -1},
		"5/1m/6":  {Count: -1},
		"5/100ms": {Count: -1},
	} {
		t.Run("Should read "+value, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			environ := complete()
			if value != "" {
				environ = append(environ, "BULKHEAD_AUTH_FAILURES="+value)
			}
			c, err := config.Load(environ)
			if rate.Count < 0 {
				is.True(err != nil)
				is.True(strings.Contains(err.Error(), "must"))
				return
			}
			is.NoErr(err)
			is.Equal(c.Auth.Failures.Rate, rate)
		})
	}
}
