package isolation

import "testing"

var _ = add(seeds{
	"createUser": {Body: func(*party) map[string]any {
		return map[string]any{"email": "user-" + unique + "@made.example", "name": "Made", "role": "viewer"}
	}},
	"listUsers": {Make: func(t testing.TB, w *world, p *party) map[string]string {
		makeUser(t, w, p)
		return nil
	}},
	"getUser": {Make: makeUser},
})

// makeUser adds a user to the party.
func makeUser(t testing.TB, w *world, p *party) map[string]string {
	t.Helper()
	made := w.call(t, p.key, "POST", "/api/v0/organizations/"+p.ID+"/users", map[string]any{
		"email": p.word("e-mail") + "@tenant.example", "name": p.word("user name"), "role": "member",
	})
	return map[string]string{"user": text(made, "id")}
}
