package isolation

import "testing"

var _ = add(seeds{
	"getLiveness":  {},
	"getReadiness": {},
	"getVersion":   {},
	"getKeySet":    {},
	"getWhoami":    {},
	"createToken": {Body: func(p *party) map[string]any {
		return map[string]any{"organization": p.Slug, "access": "read"}
	}},
	"getOperation": {Make: func(_ testing.TB, _ *world, p *party) map[string]string {
		return map[string]string{"operation": p.Values["operation"]}
	}},
	"listAssignments": {},
	"listWorkerPools": {Platform: true},
})
