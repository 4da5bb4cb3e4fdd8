package apidoc

var (
	requestsOfAcme = map[string]string{"org": "acme", "limit": "requests"}
	usersOfAcme    = map[string]string{"org": "acme", "limit": "users"}
)

var limits = []step{
	{op: "getAllowList", as: "ada", path: acme},
	{
		op: "setAllowList", as: "ada", path: acme, header: map[string]string{"If-Match": "*"},
		body: `{"rules": [{"role": "viewer", "workflow_types": ["Report*"], "task_queues": ["reports"]}]}`,
	},
	{op: "listLimits", as: "ada", path: acme},
	{op: "getLimit", as: "ada", path: usersOfAcme, keep: map[string]string{"limits etag": "ETag"}},
	{
		op: "setLimit", as: "operator", path: usersOfAcme, header: map[string]string{"If-Match": "{limits etag}"},
		body: `{"max": 50, "warn_percent": 90}`,
	},
	{
		op: "setLimit", as: "operator", path: requestsOfAcme, header: map[string]string{"If-Match": "*"},
		body: `{"count": 6000, "period_seconds": 60, "burst": 600, "mode": "dry_run"}`, note: "A dry run shows what a limit would refuse:",
	},
	{op: "resetLimit", as: "operator", path: requestsOfAcme, header: map[string]string{"If-Match": "*"}},
}
