package workflows_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
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
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

var update = flag.Bool("update", false, "record the histories in testdata from a real server")

// recorded are the ways through the workflow whose histories are kept. Each
// stands for executions that may be open when a new release replays them.
var recorded = map[string]script{
	"provision_smooth":  {},
	"provision_retried": {stumbles: 2},
	"provision_failed":  {foreign: true},
}

func TestReplay(t *testing.T) {
	t.Parallel()
	for name, s := range recorded {
		t.Run("Should replay "+name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join("testdata", name+".json")
			if *update {
				record(t, path, s)
			}
			replayer := sdk.NewWorkflowReplayer()
			replayer.RegisterWorkflowWithOptions(workflows.ProvisionOrganization, workflow.RegisterOptions{Name: workflows.ProvisionOrganizationName})
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

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now().UTC() }

// record runs the workflow on a server of its own and keeps its history.
func record(t *testing.T, path string, s script) {
	t.Helper()
	is := is.New(t)
	server := harness.NewTemporal(t, harness.TemporalOptions{})
	logger := slog.New(slog.DiscardHandler)
	conn, err := temporal.NewConnection(temporal.Config{Address: server.Address, Identity: "recorder"}, server, systemClock{}, logger)
	is.NoErr(err)
	defer conn.Close()
	is.NoErr(temporal.NewNamespaces(conn).EnsureSystemNamespace(t.Context()))
	w := worker.New(conn, worker.NewActivities(s, logger), logger)
	w.Start(t.Context())
	defer w.Stop()
	p := outbox.ProvisionPayload{Organization: id.New[id.OrgKind](), Operation: id.New[id.OperationKind]()}
	is.NoErr(temporal.NewOrchestrator(conn).ProvisionOrganization(t.Context(), p))
	run := conn.System().GetWorkflow(t.Context(), "org-provision/"+p.Organization.String(), "")
	is.Equal(run.Get(t.Context(), nil) != nil, s.foreign)
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
