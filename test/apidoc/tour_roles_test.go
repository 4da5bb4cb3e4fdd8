package apidoc

var deployer = map[string]string{"org": "acme", "role": "deployer"}

var roles = []step{
	{op: "listPermissions", as: "ada"},
	{
		op: "createRole", as: "ada", path: acme, status: 201, keep: map[string]string{"deployer etag": "ETag"},
		body: `{"name": "deployer", "description": "Starts releases.", "permissions": ["workflows:start", "workflows:read"]}`,
	},
	{
		op: "createRole", as: "ada", path: acme, status: 400, note: "What reaches beyond the organization is in no custom role:",
		body: `{"name": "owner", "permissions": ["organizations:suspend"]}`,
	},
	{op: "listRoles", as: "ada", path: acme, query: "limit=2"},
	{op: "getRole", as: "ada", path: deployer},
	{
		op: "updateRole", as: "ada", path: deployer, header: map[string]string{"If-Match": "{deployer etag}"},
		body: `{"permissions": ["workflows:start", "workflows:read", "operations:read"]}`,
	},
	{
		op: "explainAccess", as: "ada", query: "actor={grace}&action=apikeys:create&resource=acme",
		note: "Why can Grace create no keys?",
	},
	{op: "deleteRole", as: "ada", path: deployer, status: 204, header: map[string]string{"If-Match": "*"}},
}
