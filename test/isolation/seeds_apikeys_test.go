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
	"getAPIKey":     {Make: makeAPIKey},
	"revokeAPIKey":  {Make: makeAPIKey},
	"disableAPIKey": {Make: makeAPIKey},
	"enableAPIKey": {Make: func(t testing.TB, w *world, p *party) map[string]string {
		return after(t, w, p, "disable")
	}},
	"updateAPIKey": {Make: makeAPIKey, Header: anyVersion, Body: func(*party) map[string]any {
		return map[string]any{"name": "changed " + unique, "allowed_ips": []string{"192.0.2.0/24"}}
	}},
	"rotateAPIKey": {Make: makeAPIKey, Body: func(*party) map[string]any { return map[string]any{"grace": 0} }},
	"deleteAPIKey": {Header: anyVersion, Make: func(t testing.TB, w *world, p *party) map[string]string {
		return after(t, w, p, "revoke")
	}},
	"verifyAPIKey": {Body: func(p *party) map[string]any {
		return map[string]any{"key": p.key, "permissions": []string{"organizations:read"}, "cost": 1}
	}},
	"reportLeakedAPIKey": {Body: func(*party) map[string]any { return map[string]any{"key": "nothing " + unique} }},
	"receiveGitHubLeaks": {Never: "nobody here has a key that GitHub signs with"},
})

var anyVersion = map[string]string{"If-Match": "*"}

// after makes a key and does something with it.
func after(t testing.TB, w *world, p *party, what string) map[string]string {
	t.Helper()
	made := makeAPIKey(t, w, p)
	w.call(t, p.key, "POST", "/api/v0/organizations/"+p.ID+"/api-keys/"+made["api_key"]+"/"+what, nil)
	return made
}

// makeAPIKey adds a key of the organization itself to the party.
func makeAPIKey(t testing.TB, w *world, p *party) map[string]string {
	t.Helper()
	made := w.call(t, p.key, "POST", "/api/v0/organizations/"+p.ID+"/api-keys", map[string]any{
		"name": p.word("key name"), "scopes": []string{"organizations:read"},
	})
	p.keep("secret of an API key", text(made, "secret"))
	return map[string]string{"api_key": text(made, "api_key", "id")}
}
