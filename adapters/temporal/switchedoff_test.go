package temporal_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"
	"go.temporal.io/api/serviceerror"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// TestSwitchedOff has the frontend say what that of Temporal 1.32 says where a feature
// is switched off.
func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	saying := func(t *testing.T, text string) *temporal.Connection {
		t.Helper()
		return startFrontend(t, &frontend{err: serviceerror.ToStatus(serviceerror.NewPermissionDenied(text, "")).Err()}, temporal.Config{})
	}
	batches := func(t *testing.T, conn *temporal.Connection) map[string]error {
		t.Helper()
		b := temporal.NewBatches(temporal.NewDispatcher(conn))
		id := workflow.NewBatchID(workflow.BatchCancel, uuid.New())
		_, started := b.Start(t.Context(), "org-a", member(), id, workflow.BatchStart{Kind: workflow.BatchCancel, Query: "x = 1"})
		_, described := b.Describe(t.Context(), "org-a", id)
		_, listed := b.List(t.Context(), "org-a", page.TokenRequest{Limit: 1})
		return map[string]error{"start": started, "describe": described, "list": listed, "stop": b.Stop(t.Context(), "org-a", member(), id, "why")}
	}

	t.Run("Should say that batches are off, and by what they are turned on", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, err := range batches(t, saying(t, "Batch operation feature are disabled on this namespace.")) {
			is.True(errors.Is(err, workflow.ErrBatchesOff))
			is.Equal(fault.From(err).Kind, fault.Conflict)
		}
	})

	t.Run("Should say so of schedules and updates", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, err := temporal.NewSchedules(saying(t, "Schedules are disabled on this namespace.")).Describe(t.Context(), "org-a", "x")
		is.True(errors.Is(err, schedule.ErrOff))
		d := temporal.NewDispatcher(saying(t, "UpdateWorkflowExecution operation is disabled on this namespace."))
		_, err = d.Update(t.Context(), "org-a", member(), workflow.Target{ID: "x"}, "u", workflow.Message{Name: "m"})
		is.True(errors.Is(err, workflow.ErrUpdatesOff))
	})

	t.Run("Should take any other refusal for a mistake of ours", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, err := range batches(t, saying(t, "Request unauthorized.")) {
			is.Equal(fault.From(err).Kind, fault.Internal)
		}
	})
}
