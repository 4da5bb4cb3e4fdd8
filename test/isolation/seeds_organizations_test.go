package isolation

import "testing"

var _ = add(seeds{
	"createOrganization": {Body: func(*party) map[string]any {
		return map[string]any{
			"slug": "made-" + unique, "name": "Made " + unique,
			"admin": map[string]any{"email": "admin@" + unique + ".example", "name": "Admin"},
		}
	}},
	"listOrganizations": {},
	"getOrganization":   {},
	"updateOrganization": {Body: func(*party) map[string]any {
		return map[string]any{"metadata": map[string]any{"made": unique}}
	}},
	"deleteOrganization":     {Fatal: true},
	"getNamespace":           {},
	"reconcileNamespace":     {},
	"listOrphanedNamespaces": {},
	"deleteOrphanedNamespace": {
		Make: func(_ testing.TB, _ *world, p *party) map[string]string {
			return map[string]string{"namespace": p.Namespace, "confirm": p.Namespace}
		},
		Never: "an organization's namespace is no orphan: what a tenant must not do is to ask. test/e2e deletes one",
	},
	"examineOrganization": {Body: func(*party) map[string]any {
		return map[string]any{"task_queues": []string{"made-" + unique}}
	}},
	"suspendOrganization": {Fatal: true, Body: func(*party) map[string]any {
		return map[string]any{"reason": "made " + unique}
	}},
	"resumeOrganization": {Fatal: true, Make: func(t testing.TB, w *world, p *party) map[string]string {
		w.call(t, w.stack.OperatorKey, "POST", "/api/v0/organizations/"+p.ID+"/suspend", map[string]any{"reason": p.word("reason")})
		return nil
	}},
	"restoreOrganization": {Fatal: true, Make: func(t testing.TB, w *world, p *party) map[string]string {
		beginDeletion(t, w, p)
		return nil
	}},
	// A deletion that was taken back is another operation.
	"listOperations": {Make: func(t testing.TB, w *world, p *party) map[string]string {
		beginDeletion(t, w, p)
		w.call(t, w.stack.OperatorKey, "POST", "/api/v0/organizations/"+p.ID+"/restore", nil)
		w.call(t, w.stack.OperatorKey, "POST", "/api/v0/organizations/"+p.ID+"/resume", nil)
		return nil
	}},
	// No request makes an operation fail.
	"retryOperation": {Fatal: true, Make: func(t testing.TB, w *world, p *party) map[string]string {
		w.database.exec(t, "UPDATE operations SET state = 'failed' WHERE org_id = $1", p.UUID)
		w.database.exec(t, "UPDATE organizations SET state = 'failed' WHERE id = $1", p.UUID)
		return nil
	}},
})

func beginDeletion(t testing.TB, w *world, p *party) {
	t.Helper()
	w.call(t, w.stack.OperatorKey, "DELETE", "/api/v0/organizations/"+p.ID+"?confirm="+p.Slug, nil, "If-Match", "*")
}
