package temporal_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/ports/porttest"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

func TestDispatcherContract(t *testing.T) {
	t.Parallel()
	b := setupOn(t, harness.Temporal(t), temporal.Config{CallTimeout: 3 * time.Second}) // what nobody answers takes as long
	namespace := b.namespace(t)
	worker := b.serve(t, namespace)
	porttest.Dispatcher(t, porttest.DispatcherSetup{
		Dispatcher: b.dispatcher,
		Namespace:  namespace,
		Other:      b.namespace(t),
		Absent:     "org-absent-00000000",
		TaskQueue:  taskQueue,
		Unserved:   "nobody",
		Attributes: b.attributes(t, namespace),
		Release: func(t *testing.T, workflowID string) {
			t.Helper()
			if err := worker.SignalWorkflow(t.Context(), workflowID, "", release, nil); err != nil {
				t.Fatalf("release %s: %v", workflowID, err)
			}
		},
		Recorded: func(t *testing.T, workflowID string, by authz.Actor) (n int) {
			t.Helper()
			events := worker.GetWorkflowHistory(t.Context(), workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for events.HasNext() {
				e, err := events.Next()
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(e.String(), by.Subject()) {
					n++
				}
			}
			return n
		},
	})
}

func TestNamespacesContract(t *testing.T) {
	t.Parallel()
	b := setup(t)
	porttest.Namespaces(t, porttest.NamespacesSetup{
		Namespaces: b.namespaces,
		Register: func(t *testing.T, name string, tags map[string]string, retention time.Duration) {
			t.Helper()
			admin := b.client(t, org.SystemNamespace, "temporal-system:admin")
			_, err := admin.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
				Namespace: name, Data: tags, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
			})
			if err != nil {
				t.Fatal(err)
			}
		},
		Running: func(t *testing.T, namespace string) int {
			t.Helper()
			reader := b.client(t, namespace, namespace+":read")
			var running int
			// Visibility follows the state with a delay, so only the absence of what is open counts.
			eventually(t, "the probe is listed as closed", func() bool {
				res, err := reader.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
					Query: `ExecutionStatus = "Running"`,
				})
				running = int(res.GetCount())
				return err == nil && running == 0
			})
			return running
		},
	})
}

func TestNamespaceDeletionContract(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.namespaces.EnsureSystemNamespace(t.Context()); err != nil {
		t.Fatal(err)
	}
	porttest.NamespaceDeletion(t, porttest.NamespacesSetup{Namespaces: b.namespaces})
}

func TestOrchestratorContract(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.namespaces.EnsureSystemNamespace(t.Context()); err != nil {
		t.Fatal(err)
	}
	porttest.Orchestrator(t, porttest.OrchestratorSetup{
		Orchestrator: temporal.NewOrchestrator(b.conn),
		Runs: func(t *testing.T, org id.Org) int {
			t.Helper()
			workflow := "org-provision/" + org.String()
			latest, err := b.conn.System().DescribeWorkflowExecution(t.Context(), workflow, "")
			if err != nil {
				t.Fatal(err)
			}
			count := func(query string) int {
				res, err := b.conn.System().CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
				if err != nil {
					t.Fatal(err)
				}
				return int(res.GetCount())
			}
			// The index lags behind. When it has the latest run, it has all before.
			eventually(t, "the latest run is listed", func() bool {
				return count(`RunId = "`+latest.GetWorkflowExecutionInfo().GetExecution().GetRunId()+`"`) > 0
			})
			n := count(`WorkflowId = "` + workflow + `"`)
			return n
		},
		End: func(t *testing.T, kind string, org id.Org) {
			t.Helper()
			if err := b.conn.System().TerminateWorkflow(t.Context(), kind+"/"+org.String(), "", "a test's"); err != nil {
				t.Fatal(err)
			}
		},
		Reviews: func(t *testing.T, kind string, org id.Org) int {
			t.Helper()
			events := b.conn.System().GetWorkflowHistory(t.Context(), kind+"/"+org.String(), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			n := 0
			for events.HasNext() {
				e, err := events.Next()
				if err != nil {
					t.Fatal(err)
				}
				if e.GetEventType() == enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
					n++
				}
			}
			return n
		},
	})
}

func TestSchedulesContract(t *testing.T) {
	t.Parallel()
	b := setup(t)
	namespace := b.namespace(t)
	reader := b.client(t, namespace, namespace+":read")
	porttest.Schedules(t, porttest.SchedulesSetup{
		Schedules: temporal.NewSchedules(b.conn),
		Namespace: namespace,
		Other:     b.namespace(t),
		Absent:    "org-absent-00000000",
		Started: func(t *testing.T, workflowType string) map[string]string {
			t.Helper()
			res, err := reader.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: `WorkflowType = "` + workflowType + `"`})
			if err != nil {
				t.Fatal(err)
			}
			started := map[string]string{}
			for _, e := range res.GetExecutions() {
				var by, noted string
				attribute, memo := e.GetSearchAttributes().GetIndexedFields()[temporal.AttributeActor], e.GetMemo().GetFields()["actor"]
				decode := converter.GetDefaultDataConverter().FromPayload
				if err := errors.Join(decode(attribute, &by), decode(memo, &noted)); err != nil || by != noted {
					t.Fatalf("%s is by %q and noted to be by %q: %v", e.GetExecution().GetWorkflowId(), by, noted, err)
				}
				started[e.GetExecution().GetWorkflowId()] = by
			}
			return started
		},
	})
}

func TestScheduleDeletionContract(t *testing.T) {
	t.Parallel()
	b := setup(t)
	porttest.ScheduleDeletion(t, porttest.ScheduleDeletionSetup{
		Schedules: temporal.NewSchedules(b.conn),
		Namespace: b.namespace(t),
		Other:     b.namespace(t),
		Absent:    "org-absent-00000000",
		Many:      60,
		Instant:   10 * time.Millisecond,
	})
}

func TestBatchesContract(t *testing.T) {
	t.Parallel()
	b := setup(t)
	namespace := b.namespace(t)
	b.serve(t, namespace)
	porttest.Batches(t, porttest.BatchesSetup{
		Batches:    temporal.NewBatches(b.dispatcher),
		Dispatcher: b.dispatcher,
		Namespace:  namespace,
		Other:      b.namespace(t),
		Absent:     "org-absent-00000000",
		TaskQueue:  taskQueue,
		Unserved:   "nobody",
	})
}
