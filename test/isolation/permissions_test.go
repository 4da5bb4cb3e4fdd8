package isolation

import (
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/core/authz"
)

// What x-permission says of an operation that needs no permission.
const (
	publicOperation = "public" // nor a credential
	needsNone       = "none"
)

// everyPermission holds the product against what the document states: an operator
// whose key has every permission but the stated one is refused, and one whose key
// has it alone is not refused for want of another.
func everyPermission(t *testing.T, w *world) {
	t.Helper()
	made := w.call(t, w.stack.OperatorKey, "POST", "/api/v0/organizations/"+w.system.ID+"/users", map[string]any{
		"email": "permissions@system.example", "name": "Permissions", "role": "operator",
	})
	with := func(s authz.Set) *credential {
		key := w.newKey(t, w.system, map[string]any{"name": "permissions", "user_id": text(made, "id"), "scopes": s.Names()})
		return &credential{name: strings.Join(s.Names(), " "), header: bearer(key)}
	}
	allBut, alone := map[string]*credential{}, map[string]*credential{}
	for _, p := range authz.Permissions() {
		everythingElse := authz.Operator.Permissions() &^ authz.SetOf(p)
		allBut[p.String()], alone[p.String()] = with(everythingElse), with(authz.SetOf(p))
	}
	for _, o := range contract() {
		switch o.permission {
		case publicOperation:
		case needsNone:
			for _, by := range alone {
				w.asks(t, o, w.a, by, false)
			}
		default:
			w.asks(t, o, w.a, allBut[o.permission], true)
			p := w.a
			if seeded[o.id].Fatal {
				p = w.newParty(t)
			}
			if s := seeded[o.id]; s.Make != nil {
				p.For[o.id] = s.Make(t, w, p)
			}
			w.asks(t, o, p, alone[o.permission], false)
		}
	}
}

// asks sends a request and sees whether it is refused for want of a permission.
func (w *world) asks(t *testing.T, o *operation, p *party, by *credential, refused bool) {
	t.Helper()
	send := w.plain(o, p, p)
	got, err := w.do(t.Context(), &send, by)
	if err != nil {
		t.Fatal(err)
	}
	if is := strings.Contains(string(got.body), `"code":"auth.forbidden"`); is != refused {
		t.Errorf("%s states %s; for the scopes %s it was refused: %t", o.id, o.permission, by.name, is)
	}
	if names := strings.Contains(string(got.body), `"permission":"`+o.permission+`"`); refused && !names {
		t.Errorf("%s states %s, and its refusal does not name it: %s", o.id, o.permission, got.body)
	}
}
