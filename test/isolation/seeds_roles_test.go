package isolation

import "testing"

var _ = add(seeds{
	"createRole": {Body: func(*party) map[string]any {
		return map[string]any{"name": "made-" + unique, "description": "Made " + unique, "permissions": []string{"roles:create"}}
	}},
	"listRoles": {Make: func(t testing.TB, w *world, p *party) map[string]string {
		makeRole(t, w, p)
		return nil
	}},
	"getRole": {Make: makeRole},
	"updateRole": {Make: makeRole, Body: func(*party) map[string]any {
		return map[string]any{"description": "Made " + unique}
	}},
	"deleteRole":      {Make: makeRole},
	"listPermissions": {},
	"explainAccess": {Make: func(_ testing.TB, _ *world, p *party) map[string]string {
		return map[string]string{"action": "users:read", "resource": p.ID, "actor": p.Values["user"]}
	}},
})

// makeRole makes a custom role of the party's, by which it is named then. What it
// holds is what everybody holds who may change it by one permission alone.
func makeRole(t testing.TB, w *world, p *party) map[string]string {
	t.Helper()
	made := w.call(t, p.key, "POST", "/api/v0/organizations/"+p.ID+"/roles", map[string]any{
		"name": p.word("slug"), "description": p.word("role description"), "permissions": []string{"users:read"},
	})
	return map[string]string{"role": text(made, "id")}
}
