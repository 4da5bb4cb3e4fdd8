package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/user"
)

const goodQuery = `WorkflowType = "Order"`

// addPeople adds a user who can be changed, and one who is suspended.
func (b *bundle) addPeople() (bob, away string) {
	if b.bob.ID().IsZero() {
		member := func(name string) user.User {
			return must(user.New(id.New[id.UserKind](), b.acme.ID(), must(user.ParseEmail("", name+"@acme.example")), name, authz.Member, now))
		}
		b.bob, b.away = member("bob"), member("away")
		if err := b.away.Suspend("on leave", now); err != nil {
			b.t.Fatal(err)
		}
		b.memory.users = append(b.memory.users, b.bob, b.away)
	}
	return usersURL + "/" + b.bob.ID().String(), usersURL + "/" + b.away.ID().String()
}

// calls returns a good request for each operation of the contract.
func (b *bundle) calls() map[string]*http.Request {
	ada, key, op := b.ada.ID().String(), b.key.Snapshot().ID.String(), b.operation.Snapshot().ID.String()
	bob, away := b.addPeople()
	return map[string]*http.Request{
		"getUserActivity":         request("GET", usersURL+"/"+ada+"/activity", b.admin, ""),
		"updateUser":              matching(request("PATCH", bob, b.admin, `{"name":"Bob","role":"manager"}`)),
		"suspendUser":             request("POST", bob+"/suspend", b.admin, `{"reason":"on leave"}`),
		"resumeUser":              request("POST", away+"/resume", b.admin, ""),
		"removeUser":              matching(request("DELETE", bob, b.admin, "")),
		"bulkUsers":               request("POST", usersURL+"/bulk", b.admin, `{"operations":[{"op":"add","email":"eve@acme.example","role":"viewer"},{"op":"remove","user_id":"`+ada+`"}]}`),
		"getLiveness":             request("GET", "/livez", "", ""),
		"getReadiness":            request("GET", "/readyz", "", ""),
		"getVersion":              request("GET", "/version", "", ""),
		"getKeySet":               request("GET", "/.well-known/jwks.json", "", ""),
		"getWhoami":               request("GET", whoamiURL, b.admin, ""),
		"createToken":             request("POST", tokenURL, b.admin, `{}`),
		"createOrganization":      request("POST", orgsURL, b.operator, `{"slug":"globex","admin":{"email":"hank@globex.example"}}`),
		"listOrganizations":       request("GET", orgsURL, b.operator, ""),
		"getOrganization":         request("GET", acmeURL, b.admin, ""),
		"updateOrganization":      matching(request("PATCH", acmeURL, b.admin, `{"name":"Acme Corp."}`)),
		"deleteOrganization":      matching(request("DELETE", acmeURL+"?confirm=acme", b.admin, "")),
		"suspendOrganization":     request("POST", acmeURL+"/suspend", b.operator, `{"reason":"unpaid"}`),
		"getNamespace":            request("GET", acmeURL+"/namespace", b.admin, ""),
		"reconcileNamespace":      request("POST", acmeURL+"/namespace/reconcile", b.admin, ""),
		"examineOrganization":     request("POST", acmeURL+"/doctor", b.admin, `{"task_queues":["orders"]}`),
		"resumeOrganization":      request("POST", orgsURL+"/paused/resume", b.operator, ""),
		"restoreOrganization":     request("POST", orgsURL+"/doomed/restore", b.operator, ""),
		"listOperations":          request("GET", acmeURL+"/operations", b.admin, ""),
		"retryOperation":          request("POST", "/api/v0/operations/"+b.failed.Snapshot().ID.String()+"/retry", b.operator, ""),
		"createUser":              request("POST", usersURL, b.admin, `{"email":"grace@acme.example","role":"member"}`),
		"listUsers":               request("GET", usersURL, b.admin, ""),
		"getUser":                 request("GET", usersURL+"/"+ada, b.admin, ""),
		"createAPIKey":            request("POST", keysURL, b.admin, `{"name":"ci","user_id":"`+ada+`"}`),
		"createRole":              request("POST", rolesURL, b.admin, `{"name":"shipper","description":"Ships.","permissions":["workflows:start"]}`),
		"listRoles":               request("GET", rolesURL, b.admin, ""),
		"getRole":                 request("GET", rolesURL+"/deployer", b.admin, ""),
		"updateRole":              matching(request("PATCH", rolesURL+"/deployer", b.admin, `{"permissions":["users:read"]}`)),
		"deleteRole":              matching(request("DELETE", rolesURL+"/"+b.deployer.Snapshot().ID.String(), b.admin, "")),
		"listPermissions":         request("GET", "/api/v0/authz/permissions", b.admin, ""),
		"explainAccess":           request("GET", explainURL+"?actor="+ada+"&action=tokens:write&resource=acme", b.admin, ""),
		"getAllowList":            request("GET", acmeURL+"/allow-list", b.admin, ""),
		"setAllowList":            matching(request("PUT", acmeURL+"/allow-list", b.admin, `{"rules":[{"role":"member","workflow_types":["Order*"]}]}`)),
		"listLimits":              request("GET", acmeURL+"/limits", b.admin, ""),
		"getLimit":                request("GET", acmeURL+"/limits/users", b.admin, ""),
		"setLimit":                matching(request("PUT", acmeURL+"/limits/requests", b.operator, `{"count":600,"period_seconds":60,"burst":60,"mode":"dry_run"}`)),
		"resetLimit":              matching(request("DELETE", acmeURL+"/limits/requests", b.operator, "")),
		"listAPIKeys":             request("GET", keysURL, b.admin, ""),
		"getAPIKey":               request("GET", keysURL+"/"+key, b.admin, ""),
		"revokeAPIKey":            request("POST", keysURL+"/"+key+"/revoke", b.admin, ""),
		"updateAPIKey":            anyVersion(request("PATCH", keysURL+"/"+key, b.admin, `{"name":"other","allowed_ips":["192.0.2.7"],"never_expires":true}`)),
		"deleteAPIKey":            anyVersion(request("DELETE", keysURL+"/"+b.ended.Snapshot().ID.String(), b.admin, "")),
		"rotateAPIKey":            request("POST", keysURL+"/"+key+"/rotate", b.admin, `{"until_seen":true}`),
		"disableAPIKey":           request("POST", keysURL+"/"+key+"/disable", b.admin, ""),
		"enableAPIKey":            request("POST", keysURL+"/"+b.off.Snapshot().ID.String()+"/enable", b.admin, ""),
		"verifyAPIKey":            request("POST", verifyURL, b.admin, `{"key":"`+b.admin+`","permissions":["workflows:read"],"cost":1,"ip":"192.0.2.7"}`),
		"reportLeakedAPIKey":      request("POST", "/api/v0/api-keys/report-leak", b.operator, `{"key":"`+b.admin+`"}`),
		"receiveGitHubLeaks":      signedBy(b.github, request("POST", gitHubURL, "", `[{"token":"`+b.admin+`","type":"bulkhead_api_key","url":"https://github.com/x","source":"content"}]`)),
		"startWorkflow":           request("POST", flowsURL, b.admin, goodFlow),
		"describeWorkflow":        request("GET", flowsURL+"/a", b.admin, ""),
		"getWorkflowHistory":      request("GET", flowsURL+"/a/history?view=tasks", b.admin, ""),
		"resetWorkflow":           request("POST", flowsURL+"/a/reset", b.admin, `{"to":"last_workflow_task","reason":"a bug is mended"}`),
		"getWorkflowResult":       request("GET", flowsURL+"/a/result", b.admin, ""),
		"listWorkflows":           request("GET", flowsURL+"?limit=1&query="+url.QueryEscape(goodQuery), b.admin, ""),
		"countWorkflows":          request("GET", acmeURL+"/workflow-count?group_by=status", b.admin, ""),
		"signalWorkflow":          request("POST", flowsURL+"/a/signal", b.admin, `{"name":"approve","input":[true]}`),
		"queryWorkflow":           request("POST", flowsURL+"/a/query", b.admin, `{"name":"status","input":[1]}`),
		"updateWorkflow":          request("POST", flowsURL+"/a/update", b.admin, `{"name":"approve","update_id":"u1","input":[1]}`),
		"cancelWorkflow":          request("POST", flowsURL+"/a/cancel", b.admin, `{"reason":"changed my mind"}`),
		"terminateWorkflow":       request("POST", flowsURL+"/a/terminate", b.admin, `{"reason":"stuck"}`),
		"createSchedule":          request("POST", schedulesURL, b.admin, goodSchedule),
		"listSchedules":           request("GET", schedulesURL+"?limit=2", b.admin, ""),
		"getSchedule":             request("GET", schedulesURL+"/nightly", b.admin, ""),
		"updateSchedule":          matching(request("PATCH", schedulesURL+"/nightly", b.admin, `{"policy":{"overlap":"allow_all","pause_on_failure":true}}`)),
		"deleteSchedule":          matching(request("DELETE", schedulesURL+"/nightly", b.admin, "")),
		"pauseSchedule":           request("POST", schedulesURL+"/nightly/pause", b.admin, `{"note":"a holiday"}`),
		"resumeSchedule":          request("POST", schedulesURL+"/nightly/resume", b.admin, `{}`),
		"triggerSchedule":         request("POST", schedulesURL+"/nightly/trigger", b.admin, `{}`),
		"backfillSchedule":        request("POST", schedulesURL+"/nightly/backfill", b.admin, `{"start_at":"2020-01-01T00:00:00Z","end_at":"2020-01-02T00:00:00Z"}`),
		"getOperation":            request("GET", "/api/v0/operations/"+op, b.admin, ""),
		"listAuditEvents":         request("GET", auditURL+"?outcome=succeeded&limit=2", b.admin, ""),
		"exportAuditEvents":       request("GET", auditURL+"/export?from=2020-01-01T00:00:00Z", b.admin, ""),
		"verifyAuditTrail":        request("POST", auditURL+"/verify", b.admin, ""),
		"getAuditEvent":           request("GET", auditURL+"/"+b.memory.trail[0].ID.String(), b.admin, ""),
		"listUsage":               request("GET", acmeURL+"/usage?by=day&from=2026-01-01T00:00:00Z&to=2026-01-31T00:00:00Z&limit=2", b.admin, ""),
		"listAllAuditEvents":      request("GET", "/api/v0/audit", b.operator, ""),
		"listAssignments":         request("GET", "/api/v0/worker/assignments", b.admin, ""),
		"listWorkerPools":         request("GET", "/api/v0/worker/pools", b.operator, ""),
		"listOrphanedNamespaces":  request("GET", "/api/v0/namespaces/orphans", b.operator, ""),
		"deleteOrphanedNamespace": request("DELETE", "/api/v0/namespaces/orphans/org-lost?confirm=org-lost", b.operator, ""),
		"pauseAllSchedules":       request("POST", schedulesURL+"/pause-all", b.admin, `{"note":"a holiday"}`),
		"resumeAllSchedules":      request("POST", schedulesURL+"/resume-all", b.admin, `{}`),

		"batchCancelWorkflows":    request("POST", batchesURL+"/cancel", b.admin, goodBatch),
		"batchTerminateWorkflows": request("POST", batchesURL+"/terminate", b.admin, goodBatch),
		"batchSignalWorkflows":    request("POST", batchesURL+"/signal", b.admin, `{"query":"WorkflowType = 'Order'","signal":{"name":"approve","input":[true]}}`),
		"listWorkflowBatches":     request("GET", batchesURL+"?limit=2", b.admin, ""),
		"getWorkflowBatch":        request("GET", batchesURL+"/"+aBatch.ID, b.admin, ""),
		"stopWorkflowBatch":       request("POST", batchesURL+"/"+aBatch.ID+"/stop", b.admin, `{"reason":"enough"}`),
	}
}

// matching adds that the request is meant for any version.
func matching(r *http.Request) *http.Request {
	r.Header.Set("If-Match", "*")
	return r
}

// call makes the good request for an operation.
func (b *bundle) call(operationID string) *httptest.ResponseRecorder {
	return b.do(b.calls()[operationID])
}
