package isolation

import (
	"testing"
	"time"
)

// All that is done to a party is in its trail: making a user adds an entry, which
// holds the user's texts.
var _ = add(seeds{
	"listAuditEvents": {Make: func(t testing.TB, w *world, p *party) map[string]string {
		user := makeUser(t, w, p)
		return map[string]string{"resource_id": user["user"], "resource_type": "user"}
	}},
	"getAuditEvent": {Make: func(t testing.TB, w *world, p *party) map[string]string {
		user := makeUser(t, w, p)
		list := w.call(t, p.key, "GET", "/api/v0/organizations/"+p.ID+"/audit?resource_id="+user["user"], nil)
		items, _ := list["items"].([]any)
		first, _ := items[0].(map[string]any)
		return map[string]string{"event": text(first, "id")}
	}},
	"verifyAuditTrail": {},
	// What the attacks leave in the attackers' own trail is long, and not what they are after.
	"exportAuditEvents":  {Query: func(w *world) string { return "to=" + w.ready.UTC().Format(time.RFC3339) }},
	"listAllAuditEvents": {},
})
