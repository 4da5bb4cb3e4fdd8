package temporal

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// canaryName begins the identifier and the queue of each canary, which are its own:
	// two that fly at once take no task from each other.
	canaryName = namespace.OwnPrefix + "canary"
	// canaryLife ends one that a crash has left behind.
	canaryLife = time.Minute
	// taskWait is how long a task is waited for. Temporal refuses to let anybody wait
	// for less than two seconds.
	taskWait = 3 * time.Second
)

// Canary implements ports.Namespaces.
func (n *Namespaces) Canary(ctx context.Context, name string) (namespace.Canary, error) {
	ctx, err := n.conn.within(ctx, name)
	if err != nil {
		return namespace.Canary{}, err
	}
	run, came := canary{conn: n.conn, namespace: name, id: canaryName + "/" + uuid.NewString()}, namespace.Canary{}
	defer run.end(ctx)
	begun := time.Now()
	for _, step := range []struct {
		do func(context.Context) error
		at *time.Duration
	}{
		{run.start, &came.Started}, {run.read, &came.Read}, {run.work, &came.Completed}, {run.find, &came.Listed},
	} {
		if err := step.do(ctx); err != nil {
			return came, err
		}
		*step.at = time.Since(begun)
	}
	return came, nil
}

// canary is one flight. Its contexts are within the namespace.
type canary struct {
	conn          *Connection
	namespace, id string
}

func (c canary) service() workflowservice.WorkflowServiceClient {
	return c.conn.tenant.WorkflowService()
}

func (c canary) start(ctx context.Context) error {
	marked, err := markedBy(canaryName)
	if err != nil {
		return err
	}
	_, err = invoke(ctx, c.conn.cfg.CallTimeout, c.service().StartWorkflowExecution, &workflowservice.StartWorkflowExecutionRequest{
		Namespace:                c.namespace,
		WorkflowId:               c.id,
		WorkflowType:             &commonpb.WorkflowType{Name: canaryName},
		TaskQueue:                &taskqueuepb.TaskQueue{Name: c.id, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		WorkflowExecutionTimeout: durationpb.New(canaryLife),
		Identity:                 identity,
		RequestId:                uuid.NewString(),
		SearchAttributes:         marked,
	})
	if fault.IsKind(err, fault.Invalid) {
		return ports.ErrCanaryRefused.After(retryAfter).Because(err)
	}
	return notYet(err)
}

func (c canary) read(ctx context.Context) error {
	found, err := invoke(ctx, c.conn.cfg.CallTimeout, c.service().DescribeWorkflowExecution, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: c.namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: c.id},
	})
	if err != nil {
		return err
	}
	want, err := keywordPayload(canaryName)
	if err != nil {
		return err
	}
	for name := range attributes {
		if has := found.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()[name]; !bytes.Equal(has.GetData(), want.GetData()) {
			return ports.ErrCanaryUnlike.Because(fmt.Errorf("%s is %q", name, has.GetData()))
		}
	}
	return nil
}

// work does what a worker does.
func (c canary) work(ctx context.Context) error {
	task, err := invoke(ctx, taskWait, c.service().PollWorkflowTaskQueue, &workflowservice.PollWorkflowTaskQueueRequest{
		Namespace: c.namespace, Identity: identity, TaskQueue: &taskqueuepb.TaskQueue{Name: c.id, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
	})
	if err != nil {
		return err
	}
	if len(task.GetTaskToken()) == 0 { // Temporal has waited long enough
		return fault.ErrTimeout.After(retryAfter)
	}
	_, err = invoke(ctx, c.conn.cfg.CallTimeout, c.service().RespondWorkflowTaskCompleted, &workflowservice.RespondWorkflowTaskCompletedRequest{
		Namespace: c.namespace, Identity: identity, TaskToken: task.GetTaskToken(),
		Commands: []*commandpb.Command{{
			CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_CompleteWorkflowExecutionCommandAttributes{
				CompleteWorkflowExecutionCommandAttributes: &commandpb.CompleteWorkflowExecutionCommandAttributes{},
			},
		}},
	})
	return err
}

// find waits until the workflow is found as completed.
func (c canary) find(ctx context.Context) error {
	query := `ExecutionStatus = "Completed" AND WorkflowId = "` + c.id + `"`
	for name := range attributes {
		query += " AND " + name + ` = "` + canaryName + `"`
	}
	return c.conn.listed(ctx, c.service(), c.namespace, query)
}

// end removes the workflow, which ends it first if it still runs. Should that fail it
// ends by itself, and Temporal forgets it as it forgets any other.
func (c canary) end(ctx context.Context) {
	_, _ = invoke(context.WithoutCancel(ctx), time.Second, c.service().DeleteWorkflowExecution, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: c.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: c.id},
	})
}
