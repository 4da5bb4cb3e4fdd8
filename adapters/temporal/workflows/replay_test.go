package workflows_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/adapters/temporal/worker"
	"github.com/bulkheadhq/bulkhead/adapters/temporal/workflows"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/usecase/deletion"
	"github.com/bulkheadhq/bulkhead/core/usecase/holds"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

var update = flag.Bool("update", false, "record the histories in testdata from a real server")

// recorded are the ways through the workflows whose histories are kept. Each
// stands for executions that may be open when a new release replays them.
var recorded = map[string]struct {
	provisioning script
	deletion     *doomed // nil: it is a provisioning, or keeps schedules
	keeping      *kept
	namespace    *drifted
}{
	"provision_smooth":  {},
	"provision_retried": {provisioning: script{stumbles: 2}},
	"provision_failed":  {provisioning: script{foreign: true}},

	"delete_smooth":  {deletion: &doomed{}},
	"delete_waited":  {deletion: &doomed{waits: 2}},
	"delete_retried": {deletion: &doomed{stumbles: 2}},
	"delete_failed":  {deletion: &doomed{foreign: true}},

	"schedules_smooth":  {keeping: &kept{pages: 2}},
	"schedules_waited":  {keeping: &kept{waits: 2}},
	"schedules_retried": {keeping: &kept{pages: 1, stumbles: 2}},
	"schedules_all": {keeping: &kept{waits: 1, cursors: []string{
		"find op_1:", "find op_1:page", "move op_1:", "move op_1!:a", "release:",
	}}},

	"namespace_smooth":  {namespace: &drifted{}},
	"namespace_waited":  {namespace: &drifted{kept{waits: 2}}},
	"namespace_retried": {namespace: &drifted{kept{stumbles: 2}}},
}

func TestReplay(t *testing.T) {
	t.Parallel()
	for name, way := range recorded {
		t.Run("Should replay "+name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join("testdata", name+".json")
			if *update {
				if _, err := os.Stat(path); err != nil { // what was recorded once stands for old releases
					record(t, path, way.provisioning, way.deletion, way.keeping, way.namespace)
				}
			}
			replayer := sdk.NewWorkflowReplayer()
			replayer.RegisterWorkflowWithOptions(workflows.ProvisionOrganization, workflow.RegisterOptions{Name: workflows.ProvisionOrganizationName})
			replayer.RegisterWorkflowWithOptions(workflows.DeleteOrganization, workflow.RegisterOptions{Name: workflows.DeleteOrganizationName})
			replayer.RegisterWorkflowWithOptions(workflows.ReviewSchedules, workflow.RegisterOptions{Name: workflows.ReviewSchedulesName})
			replayer.RegisterWorkflowWithOptions(workflows.ReviewNamespace, workflow.RegisterOptions{Name: workflows.ReviewNamespaceName})
			is.NoErr(replayer.ReplayWorkflowHistoryFromJSONFile(quiet{}, path))
		})
	}
}

// script says how provisioning fares.
type script struct {
	stumbles int  // how often the first step is unavailable
	foreign  bool // the namespace is another's
}

func (s script) EnsureNamespace(_ context.Context, _ outbox.ProvisionPayload, attempt int) error {
	switch {
	case s.foreign:
		return ports.ErrNamespaceForeign
	case attempt <= s.stumbles:
		return fault.ErrUnavailable
	}
	return nil
}

func (script) EnsureSearchAttributes(context.Context, outbox.ProvisionPayload, int) error { return nil }

func (script) Probe(context.Context, outbox.ProvisionPayload, int) error { return nil }

func (script) Activate(context.Context, outbox.ProvisionPayload, int) error { return nil }

func (script) Fail(context.Context, outbox.ProvisionPayload, error) error { return nil }

// doomed says how a deletion fares.
type doomed struct {
	waits    int  // how often the grace is not over
	stumbles int  // how often the namespace can not be deleted
	foreign  bool // the namespace is another's
	planned  *atomic.Int32
}

func (d doomed) Plan(context.Context, outbox.DeletionPayload) (deletion.Plan, error) {
	if d.planned != nil && int(d.planned.Add(1)) <= d.waits {
		return deletion.Plan{Wait: 100 * time.Millisecond}, nil
	}
	return deletion.Plan{}, nil
}

func (doomed) StopProvisioning(context.Context, outbox.DeletionPayload, int) error { return nil }

func (d doomed) DeleteNamespace(_ context.Context, _ outbox.DeletionPayload, attempt int) error {
	switch {
	case d.foreign:
		return ports.ErrNamespaceForeign
	case attempt <= d.stumbles:
		return fault.ErrUnavailable
	}
	return nil
}

func (doomed) AwaitReclaim(context.Context, outbox.DeletionPayload, int) error { return nil }

func (doomed) Purge(context.Context, outbox.DeletionPayload, int) error { return nil }

func (doomed) Finish(context.Context, outbox.DeletionPayload, int) error { return nil }

func (doomed) Fail(context.Context, outbox.DeletionPayload, error) error { return nil }

// kept says how the keeping of schedules fares: which come first, stumbles, then pages,
// then the cursors of what is asked of all, then waits.
type kept struct {
	pages, waits, stumbles int
	cursors                []string
	mu                     *sync.Mutex
}

func (k *kept) Review(context.Context, outbox.SchedulesPayload, string) (holds.Progress, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	take := func(n *int) bool { *n--; return *n >= 0 }
	switch {
	case take(&k.stumbles):
		return holds.Progress{}, fault.ErrUnavailable
	case take(&k.pages):
		return holds.Progress{Cursor: "hold:next"}, nil
	case len(k.cursors) > 0:
		next := k.cursors[0]
		k.cursors = k.cursors[1:]
		return holds.Progress{Cursor: next}, nil
	case take(&k.waits):
		return holds.Progress{Wait: 100 * time.Millisecond}, nil
	}
	return holds.Progress{}, nil
}

// drifted says how the making of a namespace as it must be fares, in the same way.
type drifted struct{ kept }

func (d *drifted) Review(ctx context.Context, p outbox.NamespacePayload) (time.Duration, error) {
	left, err := d.kept.Review(ctx, outbox.SchedulesPayload(p), "")
	return left.Wait, err
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now().UTC() }

// record runs a workflow on a server of its own and keeps its history.
func record(t *testing.T, path string, s script, d *doomed, k *kept, n *drifted) {
	t.Helper()
	is := is.New(t)
	server := harness.NewTemporal(t, harness.TemporalOptions{})
	logger := slog.New(slog.DiscardHandler)
	conn, err := temporal.NewConnection(temporal.Config{Address: server.Address, Identity: "recorder"}, server, systemClock{}, logger)
	is.NoErr(err)
	defer conn.Close()
	is.NoErr(temporal.NewNamespaces(conn).EnsureSystemNamespace(t.Context()))
	fails := s.foreign
	if d == nil {
		d = &doomed{}
	}
	d.planned = &atomic.Int32{}
	keeping := k != nil
	if !keeping {
		k = &kept{}
	}
	k.mu = &sync.Mutex{}
	reconciling := n != nil
	if !reconciling {
		n = &drifted{}
	}
	n.mu = &sync.Mutex{}
	w := worker.New(conn, worker.NewActivities(s, d, k, n, logger), logger)
	w.Start(t.Context())
	defer w.Stop()
	org := id.New[id.OrgKind]()
	workflowID := "org-provision/" + org.String()
	switch {
	case reconciling:
		workflowID = "org-namespace/" + org.String()
		is.NoErr(temporal.NewOrchestrator(conn).ReviewNamespace(t.Context(), outbox.NamespacePayload{Organization: org}))
	case keeping:
		workflowID = "org-schedules/" + org.String()
		is.NoErr(temporal.NewOrchestrator(conn).ReviewSchedules(t.Context(), outbox.SchedulesPayload{Organization: org}))
	case strings.Contains(path, "delete"):
		fails, workflowID = d.foreign, "org-delete/"+org.String()
		is.NoErr(temporal.NewOrchestrator(conn).ReviewDeletion(t.Context(), outbox.DeletionPayload{Organization: org}))
	default:
		p := outbox.ProvisionPayload{Organization: org, Operation: id.New[id.OperationKind]()}
		is.NoErr(temporal.NewOrchestrator(conn).ProvisionOrganization(t.Context(), p))
	}
	run := conn.System().GetWorkflow(t.Context(), workflowID, "")
	is.Equal(run.Get(t.Context(), nil) != nil, fails)
	events := conn.System().GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var history historypb.History
	for events.HasNext() {
		e, err := events.Next()
		is.NoErr(err)
		history.Events = append(history.Events, e)
	}
	document, err := temporalproto.CustomJSONMarshalOptions{Indent: "  "}.Marshal(&history)
	is.NoErr(err)
	is.NoErr(os.WriteFile(path, append(document, '\n'), 0o600))
}
