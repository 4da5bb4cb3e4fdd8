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
	"getUser":         {Make: makeUser},
	"getUserActivity": {Make: makeUser},
	"updateUser": {
		Make: makeUser, Header: map[string]string{"If-Match": "*"},
		Body: func(*party) map[string]any { return map[string]any{"name": "Renamed", "role": "viewer"} },
	},
	"suspendUser": {Make: makeUser, Body: func(*party) map[string]any { return map[string]any{"reason": "left"} }},
	"resumeUser":  {Make: makeSuspendedUser},
	"removeUser":  {Make: makeUser, Header: map[string]string{"If-Match": "*"}},
	"bulkUsers": {Make: makeBulkUser, Body: func(p *party) map[string]any {
		return map[string]any{"operations": []any{
			map[string]any{"op": "add", "email": "bulk-" + unique + "@made.example", "name": "Made", "role": "viewer"},
		}}
	}},
})

// makeBulkUser adds a user whom the answer to a bulk request could show.
func makeBulkUser(t testing.TB, w *world, p *party) map[string]string {
	makeUser(t, w, p)
	return nil
}

// makeUser adds a user to the party.
func makeUser(t testing.TB, w *world, p *party) map[string]string {
	t.Helper()
	made := w.call(t, p.key, "POST", "/api/v0/organizations/"+p.ID+"/users", map[string]any{
		"email": p.word("e-mail") + "@tenant.example", "name": p.word("user name"), "role": "member",
	})
	return map[string]string{"user": text(made, "id")}
}

// makeSuspendedUser adds one who can be resumed.
func makeSuspendedUser(t testing.TB, w *world, p *party) map[string]string {
	t.Helper()
	made := makeUser(t, w, p)
	w.call(t, p.key, "POST", "/api/v0/organizations/"+p.ID+"/users/"+made["user"]+"/suspend", map[string]any{})
	return made
}
