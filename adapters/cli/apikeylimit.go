package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// requestsUsage is what the flag of a key's own limit is about: a count, a period and a
// burst.
const requestsUsage = "how often it may ask at most, such as 100/1m/10 (`RATE`)"

// parseRequests reads a key's own limit, such as "100/1m/10". The empty text is none.
func parseRequests(text string) (sdk.APIKeyLimits, error) {
	if text == "" {
		return sdk.APIKeyLimits{}, nil
	}
	malformed := usageError(fmt.Sprintf("--requests is a count, a period and perhaps a burst, such as 100/1m/10, not %q", text))
	parts := strings.Split(text, "/")
	if len(parts) < 2 || len(parts) > 3 {
		return sdk.APIKeyLimits{}, malformed
	}
	count, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return sdk.APIKeyLimits{}, malformed
	}
	period, err := time.ParseDuration(parts[1])
	if err != nil || period%time.Second != 0 {
		return sdk.APIKeyLimits{}, malformed
	}
	rate := sdk.Rate{Count: count, PeriodSeconds: int64(period / time.Second)}
	if len(parts) == 3 { //nolint:mnd // the burst
		burst, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil {
			return sdk.APIKeyLimits{}, malformed
		}
		rate.Burst = burst
	}
	return sdk.APIKeyLimits{Requests: rate}, nil
}

// ownRequests says what a key's own limit is; "" when it has none.
func ownRequests(k *sdk.APIKey) string {
	r := k.Limits.Requests
	if r.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d in %d s, burst %d", r.Count, r.PeriodSeconds, r.Burst)
}
