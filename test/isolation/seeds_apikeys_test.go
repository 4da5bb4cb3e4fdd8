package isolation

import "testing"

var _ = add(seeds{
	"createAPIKey": {Body: func(p *party) map[string]any {
		return map[string]any{"name": "made " + unique, "user_id": p.Values["user"], "scopes": []string{"organizations:read"}}
	}},
	"listAPIKeys": {Make: func(t testing.TB, w *world, p *party) map[string]string {
		makeAPIKey(t, w, p)
		return nil
	}},
	"getAPIKey":    {Make: makeAPIKey},
	"revokeAPIKey": {Make: makeAPIKey},
})

// makeAPIKey adds a key of the organization itself to the party.
func makeAPIKey(t testing.TB, w *world, p *party) map[string]string {
	t.Helper()
	made := w.call(t, p.key, "POST", "/api/v0/organizations/"+p.ID+"/api-keys", map[string]any{
		"name": p.word("key name"), "scopes": []string{"organizations:read"},
	})
	p.keep("secret of an API key", text(made, "secret"))
	return map[string]string{"api_key": text(made, "api_key", "id")}
}
