package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/contract"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// dispatchGate makes the database wait, while the test holds a lock, right before it is
// written what has come of a start: to the ledger, and as the request's answer.
const dispatchGate = `
CREATE FUNCTION test_dispatch_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF to_jsonb(NEW)->>'outcome' = 'started' OR to_jsonb(NEW)->>'state' = 'done' THEN
		PERFORM pg_advisory_xact_lock_shared(1);
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER test_gate BEFORE UPDATE ON workflow_dispatches FOR EACH ROW EXECUTE FUNCTION test_dispatch_gate();
CREATE TRIGGER test_gate BEFORE UPDATE ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION test_dispatch_gate();
`

// TestDispatchesCrash kills the API between Temporal's start of a workflow and the
// record of it, and has another request use the id again before the first is repeated.
func TestDispatchesCrash(t *testing.T) {
	t.Parallel()
	s := harness.NewStack(t)
	tenant := s.NewTenant(t, "alpha")
	p := poster{s, contract.Client(t)}
	admin, err := pgx.Connect(t.Context(), s.Database.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close(context.Background()) })
	run := func(statement string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	run(dispatchGate)

	post := func(key, workflowID string) (answer, error) {
		return p.post(t.Context(), s.URL, "/api/v0/organizations/alpha/workflows", key,
			`{"type":"Echo","task_queue":"own","workflow_id":"`+workflowID+`","input":["said"],"id_reuse_policy":"allow_duplicate"}`,
			"Authorization", "Bearer "+tenant.Key)
	}
	start := func(key, workflowID string) (runID string) {
		t.Helper()
		a, err := post(key, workflowID)
		if err != nil || a.status != http.StatusCreated {
			t.Fatalf("start %s: %v %+v", workflowID, err, a)
		}
		var started struct {
			RunID string `json:"run_id"`
		}
		if err := json.Unmarshal([]byte(a.body), &started); err != nil {
			t.Fatal(err)
		}
		return started.RunID
	}
	// crash starts a workflow and kills the API before anything is written of that.
	crash := func(key, workflowID string) (runID string) {
		t.Helper()
		run(`SELECT pg_advisory_lock(1)`)
		gone := make(chan error, 1)
		go func() { _, err := post(key, workflowID); gone <- err }()
		harness.Eventually(t, "ledger and answer are at the gate", func() bool {
			return number(t, admin, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 1
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) == 2
		})
		s.API.Kill()
		if <-gone == nil {
			t.Fatal("an answer has come")
		}
		run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bulkhead_app' AND application_name = 'bulkhead' AND datname = current_database()`)
		run(`SELECT pg_advisory_unlock(1)`)
		s.API.Start(t)
		run(`UPDATE idempotency_keys SET lapses_at = now()`) // as if the attempt's time were over
		w, err := tenant.Client.DescribeWorkflow(t.Context(), "alpha", workflowID, "")
		if err != nil {
			t.Fatal(err)
		}
		return w.RunID
	}
	known := func(workflowID, runID, outcome string) int {
		return number(t, admin, `SELECT count(*) FROM workflow_dispatches WHERE workflow_id = $1 AND run_id = $2 AND outcome = $3`, workflowID, runID, outcome)
	}
	told := func(workflowID, runID string) int {
		return number(t, admin, `SELECT count(*) FROM audit_events WHERE action = 'workflow.started' AND resource_id = $1
			AND changes->'run_id'->>'after' = $2`, workflowID, runID)
	}
	token, err := tenant.Client.Token(t.Context(), sdk.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	own := dial(t, token, tenant.Org.Namespace)
	if err := serve(t, own); err != nil {
		t.Fatal(err)
	}
	ended := func(workflowID, runID string) {
		t.Helper()
		if err := own.GetWorkflow(t.Context(), workflowID, runID).Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("Should answer a repeated request with its run, though another has used the id since", func(t *testing.T) {
		is := is.New(t)
		first := crash("first", "order-1")
		is.Equal(known("order-1", "", "requested"), 1)
		ended("order-1", first)
		second := start("second", "order-1")
		is.True(second != first)
		ended("order-1", second)
		is.Equal(start("first", "order-1"), first)
		is.Equal(start("first", "order-1"), first) // its answer is kept by now
		harness.Eventually(t, "both are on record", func() bool {
			return known("order-1", first, "started") == 1 && known("order-1", second, "started") == 1 &&
				told("order-1", first) == 1 && told("order-1", second) == 1
		})
		latest, err := tenant.Client.DescribeWorkflow(t.Context(), "alpha", "order-1", "")
		is.NoErr(err)
		is.Equal(latest.RunID, second) // there was no third
	})

	t.Run("Should find out in the worker what nobody asks for again", func(t *testing.T) {
		is := is.New(t)
		first := crash("lost", "order-2")
		run(`UPDATE workflow_dispatches SET requested_at = now() - interval '5 minutes' WHERE workflow_id = 'order-2'`)
		s.Worker.Kill()
		s.Worker.Start(t) // which looks at once
		harness.Eventually(t, "the run is on record", func() bool {
			return known("order-2", first, "started") == 1 && told("order-2", first) == 1
		})
		is.Equal(number(t, admin, `SELECT count(*) FROM audit_events WHERE action = 'workflow.started' AND actor_name = 'bookkeeper'`), 1)
	})
}
