package isolation

import "testing"

var _ = add(seeds{
	"listLimits":   {},
	"getAllowList": {},
	// It refuses nothing that the others do.
	"setAllowList": {Body: func(*party) map[string]any {
		return map[string]any{"rules": []any{map[string]any{"role": "nobody"}}}
	}},
	"getLimit": {Make: aLimit},
	// It is set as nobody would notice it.
	"setLimit": {Make: aLimit, Body: func(*party) map[string]any {
		return map[string]any{"max": 1_000_000, "warn_percent": 0}
	}},
	"resetLimit": {Make: aLimit},
})

// aLimit names a limit, which every party has.
func aLimit(testing.TB, *world, *party) map[string]string {
	return map[string]string{"limit": "running_workflows"}
}
