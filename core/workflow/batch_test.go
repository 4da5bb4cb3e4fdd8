package workflow_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

func TestBatchStart(t *testing.T) {
	t.Parallel()
	const query = "ExecutionStatus = 'Running'"
	signal := func(name string) *workflow.Message { return &workflow.Message{Name: name} }

	t.Run("Should take a query, and a reason where one is due", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(workflow.BatchStart{Kind: workflow.BatchCancel, Query: query}.Validate())
		is.NoErr(workflow.BatchStart{Kind: workflow.BatchTerminate, Query: query, Reason: "stuck"}.Validate())
		is.NoErr(workflow.BatchStart{Kind: workflow.BatchSignal, Query: query, Signal: signal("go")}.Validate())
	})

	t.Run("Should name the rule that is broken", func(t *testing.T) {
		for want, b := range map[string]workflow.BatchStart{
			"/query required":       {Kind: workflow.BatchCancel},
			"/query max_length":     {Kind: workflow.BatchCancel, Query: strings.Repeat("x", 2049)},
			"/query characters":     {Kind: workflow.BatchCancel, Query: "a\x00"},
			"/query format":         {Kind: workflow.BatchCancel, Query: "a = 'b' UNION SELECT 1"},
			"/query reserved":       {Kind: workflow.BatchCancel, Query: "TemporalNamespaceDivision = 'TemporalScheduler'"},
			"/reason required":      {Kind: workflow.BatchTerminate, Query: query},
			"/reason max_length":    {Kind: workflow.BatchCancel, Query: query, Reason: strings.Repeat("x", 501)},
			"/signal/name required": {Kind: workflow.BatchSignal, Query: query, Signal: signal("")},
		} {
			is := is.New(t)
			err := b.Validate()
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer+" "+fault.From(err).Fields[0].Rule, want)
		}
	})

	t.Run("Should not reach for Temporal's own executions by any name of theirs", func(t *testing.T) {
		for _, q := range []string{"NamespaceDivision IS NOT NULL", "`temporalnamespacedivision` = 'x'", "a = 'b' OR TEMPORALNAMESPACEDIVISION = 'x'"} {
			is.New(t).True(errors.Is(workflow.BatchStart{Kind: workflow.BatchCancel, Query: q}.Validate(), fault.ErrInvalid))
		}
	})

	t.Run("Should want a reason to stop", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(workflow.CheckBatchStop("enough"))
		for _, reason := range []string{"", " ", strings.Repeat("x", 501)} {
			is.True(errors.Is(workflow.CheckBatchStop(reason), fault.ErrInvalid))
		}
	})
}

func TestBatchID(t *testing.T) {
	t.Parallel()
	unique := uuid.New()

	t.Run("Should tell the kind of the batch", func(t *testing.T) {
		is := is.New(t)
		for _, k := range []workflow.BatchKind{workflow.BatchCancel, workflow.BatchTerminate, workflow.BatchSignal} {
			id := workflow.NewBatchID(k, unique)
			is.Equal(id, "batch-"+k.String()+"-"+unique.String())
			got, err := workflow.BatchKindOf(id)
			is.NoErr(err)
			is.Equal(got, k)
			is.NoErr(workflow.CheckID(id)) // it is a workflow, too
		}
	})

	t.Run("Should find nothing under any other id", func(t *testing.T) {
		for _, id := range []string{
			"", "batch-", "batch-cancel-", unique.String(), "batch-reset-" + unique.String(), "Batch-cancel-" + unique.String(),
			"batch-cancel-" + strings.ToUpper(unique.String()), "batch-cancel-{" + unique.String() + "}", "batch-cancel-" + unique.String() + "0",
		} {
			_, err := workflow.BatchKindOf(id)
			is.New(t).True(errors.Is(err, workflow.ErrNotFound))
		}
	})
}
