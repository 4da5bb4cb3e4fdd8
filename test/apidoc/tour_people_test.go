package apidoc

var (
	grace = map[string]string{"org": "acme", "user": "{grace}"}
	once  = map[string]string{"Idempotency-Key": "add-grace-1"}
)

const graceAdded = `{"email": "grace@acme.example", "name": "Grace", "role": "member"}`

var people = []step{
	{op: "createUser", as: "ada", path: acme, header: once, body: graceAdded, keep: map[string]string{"grace": "/id"}, status: 201},
	{
		op: "createUser", as: "ada", path: acme, header: once, body: graceAdded, status: 201,
		note: "The same request with the same key adds nobody again, and gets the first answer:",
	},
	{
		op: "createUser", as: "ada", path: acme, header: once, body: `{"email": "linus@acme.example", "role": "member"}`, status: 422,
		note: "A key that was used for another request:",
	},
	// As if the first attempt had not ended.
	{sql: `UPDATE idempotency_keys SET state = 'running', lapses_at = now() + interval '1 hour', status = NULL, response = NULL, sealed_by = NULL
		WHERE operation = 'createUser' AND org_id = (SELECT id FROM organizations WHERE slug = 'acme')`},
	{
		op: "createUser", as: "ada", path: acme, header: once, body: graceAdded, status: 409,
		note: "The same request with the same key while the first is being carried out:",
	},
	{
		op: "createUser", as: "ada", path: acme, body: `{"email": "grace", "role": "member"}`, status: 400,
		note: "A broken rule is named:",
	},
	{op: "listUsers", as: "ada", path: acme},
	{op: "getUser", as: "ada", path: grace, keep: map[string]string{"grace etag": "ETag"}},
	{
		op: "updateUser", as: "ada", path: grace, header: map[string]string{"If-Match": "{grace etag}"},
		body: `{"name": "Grace H.", "role": "manager"}`,
	},
	{op: "suspendUser", as: "ada", path: grace, body: `{"reason": "On leave."}`},
	{op: "resumeUser", as: "ada", path: grace},
	{
		op: "bulkUsers", as: "ada", path: acme, keep: map[string]string{"linus": "/items/0/user/id"},
		body: `{"operations": [{"op": "add", "email": "linus@acme.example", "name": "Linus", "role": "viewer"}, {"op": "add", "email": "linus", "role": "viewer"}]}`,
	},
	{
		op: "removeUser", as: "ada", path: map[string]string{"org": "acme", "user": "{linus}"}, header: map[string]string{"If-Match": "*"},
		note: "`If-Match: *` is whatever version there is:",
	},
	{
		op: "removeUser", as: "ada", path: map[string]string{"org": "acme", "user": "{ada}"}, header: map[string]string{"If-Match": "*"},
		status: 403, note: "Nobody removes themselves:",
	},
}
