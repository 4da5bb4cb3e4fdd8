package apidoc

var reader = map[string]string{"org": "acme", "api_key": "{reader}"}

var credentials = []step{
	{op: "listAPIKeys", as: "ada", path: acme},
	{op: "getAPIKey", as: "ada", path: map[string]string{"org": "acme", "api_key": "{first}"}},
	{
		op: "createAPIKey", as: "ada", path: acme, note: "A key can be narrower than its owner. It can do nothing else, whatever the role:",
		body: `{"name": "reader", "user_id": "{grace}", "scopes": ["workflows:read"]}`,
		keep: map[string]string{"reader.key": "/secret", "reader": "/api_key/id", "reader etag": "ETag"}, status: 201,
	},
	{op: "getUserActivity", as: "ada", path: grace},
	{
		op: "updateAPIKey", as: "ada", path: reader, header: map[string]string{"If-Match": "{reader etag}"},
		body: `{"description": "Reads results.", "allowed_ips": ["127.0.0.0/8"]}`,
	},
	{
		op: "verifyAPIKey", as: "ada", note: "What a key may do from an address:",
		body: `{"key": "{reader.key}", "permissions": ["workflows:read"], "ip": "127.0.0.1"}`,
	},
	{
		op: "verifyAPIKey", as: "ada", note: "What it may not do:",
		body: `{"key": "{reader.key}", "permissions": ["users:create"], "ip": "127.0.0.1"}`,
	},
	{
		op: "rotateAPIKey", as: "ada", path: reader, body: `{"grace": 3600}`, note: "The old secret works for an hour:",
		keep: map[string]string{"reader.key": "/secret"},
	},
	{op: "disableAPIKey", as: "ada", path: reader},
	{op: "disableAPIKey", as: "ada", path: reader, status: 409, note: "It is switched off once:"},
	{op: "enableAPIKey", as: "ada", path: reader},
	{
		op: "createAPIKey", as: "ada", path: acme, hidden: true, body: `{"name": "leaked", "scopes": ["workflows:read"]}`,
		keep: map[string]string{"leaked.key": "/secret", "leaked": "/api_key/id"}, status: 201,
	},
	{op: "reportLeakedAPIKey", as: "operator", body: `{"key": "{leaked.key}"}`},
	{
		op: "receiveGitHubLeaks", github: true,
		body: `[{"token": "{leaked.key}", "type": "bulkhead_api_key", "url": "https://github.com/acme/shop", "source": "content"}]`,
	},
	{
		op: "receiveGitHubLeaks", status: 404, body: `[{"token": "{leaked.key}"}]`,
		note: "Without GitHub's signature there is no such path:",
	},
	{
		op: "revokeAPIKey", as: "ada", path: map[string]string{"org": "acme", "api_key": "{leaked}"},
		note: "Revoking a key that is revoked, here because it has leaked, is success:",
	},
	{
		op: "deleteAPIKey", as: "ada", path: map[string]string{"org": "acme", "api_key": "{leaked}"}, status: 204,
		header: map[string]string{"If-Match": "*"},
	},
}
