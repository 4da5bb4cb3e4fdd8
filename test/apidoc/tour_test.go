package apidoc

import "slices"

// conventions are what holds for every operation.
const conventions = "## Conventions\n\n" +
	"| | |\n|---|---|\n" +
	"| credential | `Authorization: Bearer bhk_…`; one 401 for every key that is no good |\n" +
	"| organization | `{org}` is an id or a slug; what is absent, foreign or not to be known is one 404, byte for byte |\n" +
	"| errors | RFC 9457 problems with a stable `code`; `fields` names each broken rule: see [errors](../errors.md) |\n" +
	"| lists | `{\"items\": […], \"next_cursor\": …}`; ask again with `cursor=`; a cursor is good for its own list and filters alone |\n" +
	"| bodies | one JSON object, with its `Content-Type`; where none is required, none is the same as `{}` |\n" +
	"| repeating a POST | `Idempotency-Key`: the same request with the same key within 24 hours does nothing twice |\n" +
	"| limits | `RateLimit` and `RateLimit-Policy` in each answer; 429 with `Retry-After` and `violated-policies`: see [limits](../limits.md) |\n" +
	"| changing | `ETag` of what was read, in `If-Match` of PATCH, PUT and DELETE: 428 without it, 412 when the thing has changed |\n" +
	"| waiting | `Prefer: wait=N` or `?wait=N` seconds where an operation says so |\n\n"

var acme = map[string]string{"org": "acme"}

// tour is the way through the API. The page shows the steps under their
// operations; they are taken in this order.
var tour = slices.Concat(arrival, trail, people, roles, credentials, limits, work, batches, schedules, departure)

var arrival = []step{
	{op: "getLiveness"},
	{op: "getReadiness"},
	{op: "getVersion"},
	{op: "getKeySet"},
	{
		op: "createOrganization", as: "operator", header: map[string]string{"Prefer": "wait=30"},
		body:   `{"slug": "acme", "name": "Acme", "admin": {"email": "ada@acme.example", "name": "Ada"}}`,
		keep:   map[string]string{"acme": "/organization/id", "ada": "/admin/id", "provisioning": "/operation/id"},
		status: 201,
	},
	{
		op: "createOrganization", as: "operator", note: "A slug is taken once.",
		body: `{"slug": "acme", "admin": {"email": "eve@example.com"}}`, status: 409,
	},
	{
		op: "createOrganization", as: "operator", note: "A namespace to be adopted must be there.", status: 409,
		body: `{"slug": "orders", "admin": {"email": "eve@example.com"}, "adopt_namespace": "orders-production"}`,
	},
	{op: "getOperation", as: "operator", path: map[string]string{"operation": "{provisioning}"}},
	{op: "listOrganizations", as: "operator", query: "limit=1", keep: map[string]string{"more": "/next_cursor"}},
	{op: "listOrganizations", as: "operator", query: "limit=1&cursor={more}", note: "The cursor of a page leads to the next:"},
	{
		op: "createAPIKey", as: "operator", path: acme, body: `{"name": "first", "user_id": "{ada}"}`,
		keep: map[string]string{"ada.key": "/secret", "first": "/api_key/id"}, status: 201,
	},
	{op: "getWhoami", as: "ada"},
	{op: "createToken", as: "ada", body: `{"access": "write"}`},
	{op: "getOrganization", as: "ada", path: acme, keep: map[string]string{"acme etag": "ETag"}},
	{
		op: "updateOrganization", as: "ada", path: acme, header: map[string]string{"If-Match": "{acme etag}"},
		body: `{"name": "Acme Ltd.", "metadata": {"plan": "team"}}`,
	},
	{
		op: "updateOrganization", as: "ada", path: acme, body: `{"name": "Acme"}`, status: 428,
		note: "A change must say what it changes:",
	},
	{
		op: "updateOrganization", as: "ada", path: acme, header: map[string]string{"If-Match": "{acme etag}"}, body: `{"name": "Acme"}`,
		status: 412, note: "The organization has changed since that was read:",
	},
}

// trail comes before anything is refused, as refusals are counted into it later.
var trail = []step{
	{op: "listAuditEvents", as: "ada", path: acme, query: "resource_type=organization&limit=1", keep: map[string]string{"event": "/items/0/id"}},
	{op: "getAuditEvent", as: "ada", path: map[string]string{"org": "acme", "event": "{event}"}},
	{op: "verifyAuditTrail", as: "ada", path: acme},
	{op: "exportAuditEvents", as: "ada", path: acme},
	{op: "listAllAuditEvents", as: "operator", query: "action=organization.updated&limit=1"},

	{op: "getWhoami", note: "Without a key, or with one that is no good:", status: 401},
	{
		op: "getOrganization", as: "ada", path: map[string]string{"org": "globex"}, status: 404,
		note: "Another organization, and one that does not exist, are answered alike:",
	},
}

var order = map[string]string{"org": "acme", "workflow_id": "order-42"}

var work = []step{
	{
		op: "startWorkflow", as: "reader", path: acme, body: `{"type": "Greet", "task_queue": "default", "workflow_id": "never"}`,
		status: 403, note: "A key that may not start workflows:",
	},
	{
		op: "startWorkflow", as: "ada", path: acme, status: 201,
		body: `{"type": "Greet", "task_queue": "default", "workflow_id": "hello", "input": ["Ada"], "memo": {"order": 42}, "run_timeout_seconds": 3600}`,
	},
	{
		op: "startWorkflow", as: "ada", path: acme, status: 400, note: "What is asked for again and again is a schedule:",
		body: `{"type": "Greet", "task_queue": "default", "cron_schedule": "0 9 * * *"}`,
	},
	{
		op: "getWorkflowResult", as: "ada", path: map[string]string{"org": "acme", "workflow_id": "hello"}, query: "wait=20",
		until: "Hello",
	},
	{op: "describeWorkflow", as: "ada", path: map[string]string{"org": "acme", "workflow_id": "hello"}},
	{op: "queryWorkflow", as: "ada", path: map[string]string{"org": "acme", "workflow_id": "hello"}, body: `{"name": "__stack_trace"}`},
	{
		op: "updateWorkflow", as: "ada", path: map[string]string{"org": "acme", "workflow_id": "hello"}, body: `{"name": "approve"}`, status: 409,
		note: "A workflow that has ended takes no updates:",
	},
	{
		op: "queryWorkflow", as: "ada", path: map[string]string{"org": "acme", "workflow_id": "hello"}, body: `{"name": "status"}`, status: 409,
		note: "What the workflow's code does not know, it says itself:",
	},
	{
		op: "startWorkflow", as: "ada", path: acme, status: 201, hidden: true,
		body: `{"type": "Greet", "task_queue": "nobody", "workflow_id": "order-42"}`,
	},
	{op: "signalWorkflow", as: "ada", path: order, body: `{"name": "approve", "input": [{"by": "ada"}]}`, status: 204},
	{op: "getWorkflowHistory", as: "ada", path: order, query: "view=tasks"},
	{op: "cancelWorkflow", as: "ada", path: order, body: `{"reason": "The customer has changed their mind."}`, status: 204},
	{op: "resetWorkflow", as: "ada", path: order, body: `{"to": "first_workflow_task", "reason": "The address was wrong."}`},
	{op: "terminateWorkflow", as: "ada", path: order, body: `{"reason": "Nobody serves its queue."}`, status: 204},
	{
		op: "signalWorkflow", as: "ada", path: order, body: `{"name": "approve"}`, status: 409,
		note: "A workflow that has ended takes no more signals:",
	},
	{
		op: "listWorkflows", as: "ada", path: acme, query: "query=ExecutionStatus+%3D+%22Terminated%22&limit=1", until: "order-42",
	},
	{
		op: "listWorkflows", as: "ada", path: acme, query: "query=Status+is+bad", status: 400,
		note: "A query that Temporal does not understand:",
	},
	{ // visibility learns of each end by itself
		op: "countWorkflows", as: "ada", path: acme, query: "group_by=status",
		until: `{"count":1,"status":"completed"},{"count":2,"status":"terminated"}`,
	},
	{op: "listAssignments", as: "fleet"},
	{op: "listAssignments", as: "fleet", query: "pool=default&member=worker-0", note: "As one of the processes that share a pool:"},
	{op: "listWorkerPools", as: "operator", query: "pool=default"},
	// What was asked just now is added within seconds; what is shown was asked yesterday.
	{sql: `INSERT INTO usage_hours (org_id, key_id, hour, requests, refused, limited)
		SELECT org_id, id, date_trunc('day', now(), 'UTC') - interval '12 hours', 1204, 3, 17 FROM api_keys WHERE name = 'first'`},
	{op: "listUsage", as: "ada", path: acme, query: "to={today}", note: "Of the day before:"},
	{op: "listUsage", as: "ada", path: acme, query: "to={today}&by=hour"},
}

var failing = map[string]string{"operation": "{failing}"}

var departure = []step{
	// A request that changed the setting would have it applied at once.
	{sql: `UPDATE organizations SET settings = settings || '{"workflow_retention_days": 30}' WHERE slug = 'acme'`},
	{op: "getNamespace", as: "ada", path: acme, note: "When its retention is not as it must be:"},
	{op: "reconcileNamespace", as: "ada", path: acme},
	{op: "listOrphanedNamespaces", as: "operator", note: "When all is well there are none, in this page or the next ones:"},
	{
		op: "deleteOrphanedNamespace", as: "operator", path: map[string]string{"namespace": "bulkhead-system"}, query: "confirm=bulkhead-system",
		status: 409, note: "Whatever is no orphan is refused:",
	},
	{op: "examineOrganization", as: "ada", path: acme, body: `{"task_queues": ["default"]}`, hidden: true},
	{op: "suspendOrganization", as: "operator", path: acme, body: `{"reason": "The invoice is open."}`},
	{op: "resumeOrganization", as: "operator", path: acme},
	{
		op: "deleteOrganization", as: "operator", path: acme, query: "confirm=acme", status: 202,
		header: map[string]string{"If-Match": "*"},
	},
	{op: "restoreOrganization", as: "operator", path: acme},
	{
		op: "createOrganization", as: "operator", hidden: true, header: map[string]string{"Prefer": "wait=30"},
		body: `{"slug": "initech", "admin": {"email": "bill@initech.example"}}`, keep: map[string]string{"failing": "/operation/id"},
	},
	// No request makes an operation fail.
	{sql: "UPDATE operations SET state = 'failed' WHERE org_id = (SELECT id FROM organizations WHERE slug = 'initech')"},
	{sql: "UPDATE organizations SET state = 'failed' WHERE slug = 'initech'"},
	{op: "retryOperation", as: "operator", path: failing, status: 202},
	{op: "retryOperation", as: "operator", path: failing, status: 409, note: "An operation is tried again once:"},
	{op: "listOperations", as: "operator", path: acme, query: "limit=1"},
}
