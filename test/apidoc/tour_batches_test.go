package apidoc

var batch = map[string]string{"org": "acme", "batch": "{batch}"}

// One batch runs at a time: each but the first is asked for until it may.
var batches = []step{
	{
		op: "batchCancelWorkflows", as: "ada", path: acme, status: 202, keep: map[string]string{"batch": "/id"},
		body: `{"query": "WorkflowType = 'Greet'", "reason": "A wrong price."}`,
	},
	{
		op: "batchCancelWorkflows", as: "ada", path: acme, status: 400, note: "That everything is meant must be said:",
		body: `{"query": ""}`,
	},
	{op: "getWorkflowBatch", as: "ada", path: batch, until: `"state":"completed"`},
	{
		op: "stopWorkflowBatch", as: "ada", path: batch, status: 409, note: "A batch that has completed can not be stopped:",
		body: `{"reason": "The price was right."}`,
	},
	{op: "listWorkflowBatches", as: "ada", path: acme, until: `"state":"completed"`},
	{
		op: "batchTerminateWorkflows", as: "ada", path: acme, status: 202, until: `"kind":"terminate"`,
		body: `{"query": "TaskQueue = 'nobody'", "reason": "Nobody serves the queue."}`,
	},
	{
		op: "batchSignalWorkflows", as: "ada", path: acme, status: 202, until: `"kind":"signal"`,
		body: `{"query": "ExecutionStatus = 'Running'", "signal": {"name": "approve", "input": [{"by": "ada"}]}}`,
	},
}
