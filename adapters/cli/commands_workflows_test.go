package cli

import "github.com/bulkheadhq/bulkhead/sdk"

var workflowCommands = []commandCase{
	{
		"workflow-start", `workflow start --org acme --type Greet -q default --id greet-1 --input "a,b" -i {"n":1} --execution-timeout 90s`,
		`POST /api/v0/organizations/acme/workflows {"execution_timeout_seconds":90,"input":["a,b",{"n":1}],"task_queue":"default","type":"Greet","workflow_id":"greet-1"}`,
	},
	{"workflow-show", "workflow show greet-1 --org acme --run " + runID, "GET /api/v0/organizations/acme/workflows/greet-1?run_id=" + runID},
	{"workflow-result", "workflow result greet-1 --org acme --wait 0s", "GET /api/v0/organizations/acme/workflows/greet-1/result"},
	{"workflow-result-wait", "workflow result greet-1 --org acme --wait 60s", "GET /api/v0/organizations/acme/workflows/greet-1/result?wait=30"},
	{
		"workflow-list", "workflow list --org acme --query ExecutionStatus='Running' --limit 3",
		"GET /api/v0/organizations/acme/workflows?limit=200&query=ExecutionStatus%3D%27Running%27",
	},
	{"workflow-history", "workflow history greet-1 --org acme", "GET /api/v0/organizations/acme/workflows/greet-1/history?limit=200&view=events"},
	{
		"workflow-history-tasks", "workflow history greet-1 --org acme --tasks --run " + runID,
		"GET /api/v0/organizations/acme/workflows/greet-1/history?limit=200&run_id=" + runID + "&view=tasks",
	},
	{"workflow-count", "workflow count --org acme", "GET /api/v0/organizations/acme/workflow-count?group_by=status"},
	{
		"workflow-signal", `workflow signal greet-1 --org acme --name approve -i {"n":1}`,
		`POST /api/v0/organizations/acme/workflows/greet-1/signal {"input":[{"n":1}],"name":"approve"}`,
	},
	{
		"workflow-start-signal", `workflow start --org acme --type Greet -q default --id greet-1 --signal add --signal-input 1`,
		`POST /api/v0/organizations/acme/workflows {"signal":{"input":[1],"name":"add"},"task_queue":"default","type":"Greet","workflow_id":"greet-1"}`,
	},
	{
		"workflow-start-options",
		`workflow start --org acme --type Greet -q default --id greet-1 --reuse allow_duplicate --conflict terminate_existing --run-timeout 1m --task-timeout 5s --delay 10s --attempts 3 --retry-interval 2s --no-retry BadLuck --memo note={"n":1} --attribute Customer=keyword:c-42 --attribute Cents=int:995`,
		`POST /api/v0/organizations/acme/workflows {"id_conflict_policy":"terminate_existing","id_reuse_policy":"allow_duplicate","memo":{"note":{"n":1}},"retry_policy":{"initial_interval_seconds":2,"maximum_attempts":3,"non_retryable_error_types":["BadLuck"]},"run_timeout_seconds":60,"search_attributes":{"Cents":{"type":"int","value":995},"Customer":{"type":"keyword","value":"c-42"}},"start_delay_seconds":10,"task_queue":"default","task_timeout_seconds":5,"type":"Greet","workflow_id":"greet-1"}`,
	},
	{
		"workflow-query", `workflow query greet-1 --org acme --name status -i 1`,
		`POST /api/v0/organizations/acme/workflows/greet-1/query {"input":[1],"name":"status"}`,
	},
	{
		"workflow-update", `workflow update greet-1 --org acme --name approve --id u1 -i true --wait 5s`,
		`POST /api/v0/organizations/acme/workflows/greet-1/update?wait=5 {"input":[true],"name":"approve","update_id":"u1"}`,
	},
	{
		"workflow-cancel", "workflow cancel greet-1 --org acme --run " + runID,
		"POST /api/v0/organizations/acme/workflows/greet-1/cancel?run_id=" + runID + " {}",
	},
	{
		"workflow-reset", "workflow reset greet-1 --org acme --reason mended --yes",
		`POST /api/v0/organizations/acme/workflows/greet-1/reset {"reason":"mended","to":"last_workflow_task"}`,
	},
	{
		"workflow-reset-event", "workflow reset greet-1 --org acme --event 14 --reason mended --yes",
		`POST /api/v0/organizations/acme/workflows/greet-1/reset {"event_id":14,"reason":"mended","to":"event"}`,
	},
	{
		"workflow-terminate", "workflow terminate greet-1 --org acme --reason stuck --yes",
		`POST /api/v0/organizations/acme/workflows/greet-1/terminate {"reason":"stuck"}`,
	},
	{
		"workflow-batch-cancel", "workflow batch cancel --org acme --query WorkflowType='Greet'",
		`POST /api/v0/organizations/acme/workflow-batches/cancel {"query":"WorkflowType='Greet'"}`,
	},
	{
		"workflow-batch-cancel-wait", "workflow batch cancel --org acme --query WorkflowType='Greet' --wait 1m",
		"GET /api/v0/organizations/acme/workflow-batches/" + batchID,
	},
	{
		"workflow-batch-terminate", "workflow batch terminate --org acme --query WorkflowType='Greet' --reason stuck --yes",
		`POST /api/v0/organizations/acme/workflow-batches/terminate {"query":"WorkflowType='Greet'","reason":"stuck"}`,
	},
	{
		"workflow-batch-signal", `workflow batch signal --org acme --query WorkflowType='Greet' --name approve -i {"n":1}`,
		`POST /api/v0/organizations/acme/workflow-batches/signal {"query":"WorkflowType='Greet'","signal":{"input":[{"n":1}],"name":"approve"}}`,
	},
	{"workflow-batch-list", "workflow batch list --org acme", "GET /api/v0/organizations/acme/workflow-batches?limit=200"},
	{"workflow-batch-show", "workflow batch show " + batchID + " --org acme", "GET /api/v0/organizations/acme/workflow-batches/" + batchID},
	{
		"workflow-batch-stop", "workflow batch stop " + batchID + " --org acme --reason enough",
		"POST /api/v0/organizations/acme/workflow-batches/" + batchID + `/stop {"reason":"enough"}`,
	},
}

// startedBy is a workflow as it is shown alone.
func startedBy(w sdk.Workflow) sdk.Workflow {
	w.StartedBy = sdk.WorkflowStarter{UserID: adaID, APIKeyID: keyID}
	return w
}
