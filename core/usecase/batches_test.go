package usecase_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/usecase/workflows"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

const allThatRuns = "ExecutionStatus = 'Running'"

var aBatch = workflow.NewBatchID(workflow.BatchCancel, uuid.New())

var _ = alsoAccount(map[string]accounted{
	"workflows.StartBatch": {oneOrganization, authz.WorkflowsCancel, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.StartBatch(ctx, by, o, workflow.BatchStart{Kind: workflow.BatchCancel, Query: allThatRuns})
		return err
	}},
	"workflows.GetBatch": {oneOrganization, authz.WorkflowsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.GetBatch(ctx, by, o, aBatch)
		return err
	}},
	"workflows.ListBatches": {oneOrganization, authz.WorkflowsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.ListBatches(ctx, by, o, page.TokenRequest{Limit: 1})
		return err
	}},
	"workflows.StopBatch": {oneOrganization, authz.WorkflowsCancel, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		return s.workflows.StopBatch(ctx, by, o, aBatch, "why")
	}},
})

// batcher is the port of batches, whose names are those of the dispatcher.
type batcher struct{ *temporal }

func (d batcher) Start(_ context.Context, namespace string, by authz.Actor, batchID string, b workflow.BatchStart) (workflow.Batch, error) {
	if d.batches == nil {
		d.batches = map[string]workflow.BatchStart{}
	}
	d.batches[batchID], d.starters = b, append(d.starters, by)
	return workflow.Batch{ID: batchID, Kind: b.Kind, State: workflow.BatchRunning}, d.remote("Batches.Start " + namespace)
}

func (d batcher) Describe(_ context.Context, namespace, batchID string) (workflow.Batch, error) {
	return workflow.Batch{ID: batchID, State: d.batch}, d.remote("Batches.Describe " + namespace)
}

func (d batcher) List(_ context.Context, namespace string, _ page.TokenRequest) (page.TokenPage[workflow.Batch], error) {
	return page.TokenPage[workflow.Batch]{}, d.remote("Batches.List " + namespace)
}

func (d batcher) Stop(_ context.Context, namespace string, _ authz.Actor, _, _ string) error {
	return d.remote("Batches.Stop " + namespace)
}

func TestBatchesStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		start   workflow.BatchStart
		needs   authz.Permission
		action  audit.Action
		changes string
	}{
		"cancel": {
			workflow.BatchStart{Kind: workflow.BatchCancel, Query: allThatRuns},
			authz.WorkflowsCancel, audit.WorkflowBatchCancelRequested, `{"count":{"after":7},"query":{"after":"` + allThatRuns + `"}}`,
		},
		"terminate": {
			workflow.BatchStart{Kind: workflow.BatchTerminate, Query: allThatRuns, Reason: "stuck"},
			authz.WorkflowsTerminate, audit.WorkflowBatchTerminateRequested,
			`{"count":{"after":7},"query":{"after":"` + allThatRuns + `"},"reason":{"after":"stuck"}}`,
		},
		"signal": {
			workflow.BatchStart{Kind: workflow.BatchSignal, Query: allThatRuns, Signal: &workflow.Message{Name: "go", Input: []json.RawMessage{[]byte(`"theirs"`)}}},
			authz.WorkflowsSignal, audit.WorkflowBatchSignalRequested,
			`{"count":{"after":7},"query":{"after":"` + allThatRuns + `"},"signal":{"after":"go"}}`,
		},
	} {
		t.Run("Should stand in the trail, with the query and its count, before it is done: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			w.temporal.running = 7
			o := w.addOrg("own", org.Active)
			by := holder(o, authz.Admin, c.needs)
			b, err := newServices(w).workflows.StartBatch(t.Context(), by, o, c.start)
			is.NoErr(err)
			is.Equal(*b.Progress, workflow.BatchProgress{Total: 7})
			is.Equal(w.called(), []string{"Reads.Org", "Count " + w.namespaceOf(o), "WriteTx", "Audit.Append", "Audit.Append", "Batches.Start " + w.namespaceOf(o)})
			is.Equal(w.temporal.batches, map[string]workflow.BatchStart{b.ID: c.start})
			is.Equal(w.temporal.starters, []authz.Actor{by})
			kind, err := workflow.BatchKindOf(b.ID)
			is.NoErr(err)
			is.Equal(kind, c.start.Kind)
			trail := w.trail()
			is.Equal(len(trail), 1)
			is.Equal(trail[0].Action, c.action.String())
			is.Equal(trail[0].ResourceID, b.ID)
			is.Equal(trail[0].Actor, whoIs(by))
			changes, err := json.Marshal(trail[0].Changes)
			is.NoErr(err)
			is.Equal(string(changes), c.changes)
		})

		t.Run("Should take what the same takes of one workflow: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			o := w.addOrg("own", org.Active)
			for _, p := range []authz.Permission{authz.WorkflowsCancel, authz.WorkflowsTerminate, authz.WorkflowsSignal, authz.WorkflowsStart, authz.WorkflowsRead} {
				_, err := newServices(w).workflows.StartBatch(t.Context(), holder(o, authz.Admin, p), o, c.start)
				is.Equal(errors.Is(err, fault.ErrForbidden), p != c.needs)
			}
			is.Equal(len(w.temporal.batches), 1)
		})

		t.Run("Should do nothing that nobody can account for: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			for _, port := range []string{"Reads.Org", "Count", "WriteTx", "Audit.Append", "Commit"} {
				w := newWorld(t)
				o := w.addOrg("own", org.Active)
				if port == "Count" {
					port += " " + w.namespaceOf(o)
				}
				w.breaks(port, fault.ErrUnavailable)
				_, err := newServices(w).workflows.StartBatch(t.Context(), holder(o, authz.Member), o, c.start)
				is.True(errors.Is(err, fault.ErrUnavailable))
				is.Equal(len(w.trail()), 0)
				is.Equal(len(w.temporal.batches), 0)
			}
		})
	}

	t.Run("Should start one batch for the attempts at one request, and another for the next", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s := newServices(w).workflows
		start := func(ctx context.Context) string {
			b, err := s.StartBatch(ctx, operator(), o, workflow.BatchStart{Kind: workflow.BatchCancel, Query: allThatRuns})
			is.NoErr(err)
			return b.ID
		}
		claim := idempotency.Claim{Request: idempotency.Request{Org: o, Key: id.New[id.APIKeyKind](), Operation: "batchCancelWorkflows"}, Token: uuid.New(), Repeatable: true}
		attempt := idempotency.With(t.Context(), claim)
		is.Equal(start(attempt), start(attempt))
		one, other := start(t.Context()), start(t.Context())
		is.True(one != other)
	})

	t.Run("Should count what the query chooses as a whole, as the batch takes it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		// Whatever stands behind it binds to all of it, and nothing of it hides that.
		for _, query := range []string{"WorkflowType = 'A' OR WorkflowType = 'B'", allThatRuns + " --"} {
			_, err := newServices(w).workflows.StartBatch(t.Context(), operator(), o, workflow.BatchStart{Kind: workflow.BatchCancel, Query: query})
			is.NoErr(err)
			is.Equal(w.temporal.counted, "("+query+")")
		}
	})

	t.Run("Should say that it is the query which Temporal does not understand", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.breaks("Count "+w.namespaceOf(o), workflow.ErrQuery)
		_, err := newServices(w).workflows.StartBatch(t.Context(), operator(), o, workflow.BatchStart{Kind: workflow.BatchCancel, Query: "x"})
		is.Equal(fault.From(err).Fields[0].Pointer, "/query")
		is.Equal(len(w.trail()), 0)
	})

	t.Run("Should refuse a broken rule before anything is asked", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		_, err := newServices(w).workflows.StartBatch(t.Context(), operator(), o, workflow.BatchStart{Kind: workflow.BatchCancel})
		is.True(errors.Is(err, fault.ErrInvalid))
		is.Equal(len(w.called()), 0)
	})
}

func TestBatchesStop(t *testing.T) {
	t.Parallel()
	t.Run("Should stand in the trail before it is stopped", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.temporal.batch = workflow.BatchRunning
		o := w.addOrg("own", org.Active)
		is.NoErr(newServices(w).workflows.StopBatch(t.Context(), operator(), o, aBatch, "enough"))
		is.Equal(w.called(), []string{"Reads.Org", "Batches.Describe " + w.namespaceOf(o), "WriteTx", "Audit.Append", "Audit.Append", "Batches.Stop " + w.namespaceOf(o)})
		trail := w.trail()
		is.Equal(trail[0].Action, audit.WorkflowBatchStopRequested.String())
		is.Equal(trail[0].ResourceID, aBatch)
		is.Equal(trail[0].Changes["reason"], audit.Created("enough"))
	})

	t.Run("Should leave one that has ended as it is", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for state, want := range map[workflow.BatchState]error{workflow.BatchCompleted: workflow.ErrBatchEnded, workflow.BatchFailed: nil} {
			w := newWorld(t)
			w.temporal.batch = state
			o := w.addOrg("own", org.Active)
			err := newServices(w).workflows.StopBatch(t.Context(), operator(), o, aBatch, "enough")
			is.True(errors.Is(err, want))
			is.Equal(len(w.trail()), 0)
			is.True(!slices.Contains(w.called(), "Batches.Stop "+w.namespaceOf(o)))
		}
	})

	t.Run("Should refuse a broken rule before anything is asked", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s := newServices(w).workflows
		is.True(errors.Is(s.StopBatch(t.Context(), operator(), o, aBatch, ""), fault.ErrInvalid))
		is.True(errors.Is(s.StopBatch(t.Context(), operator(), o, aBatch, strings.Repeat("x", 501)), fault.ErrInvalid))
		is.Equal(len(w.called()), 0)
	})
}

func TestBatches(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(s *workflows.Service, ctx context.Context, o id.Org, batchID string) error{
		"Start": func(s *workflows.Service, ctx context.Context, o id.Org, _ string) error {
			_, err := s.StartBatch(ctx, operator(), o, workflow.BatchStart{Kind: workflow.BatchCancel, Query: allThatRuns})
			return err
		},
		"Describe": func(s *workflows.Service, ctx context.Context, o id.Org, batchID string) error {
			_, err := s.GetBatch(ctx, operator(), o, batchID)
			return err
		},
		"List": func(s *workflows.Service, ctx context.Context, o id.Org, _ string) error {
			_, err := s.ListBatches(ctx, operator(), o, page.TokenRequest{Limit: 1})
			return err
		},
		"Stop": func(s *workflows.Service, ctx context.Context, o id.Org, batchID string) error {
			return s.StopBatch(ctx, operator(), o, batchID, "why")
		},
	} {
		t.Run("Should reach the namespace of the organization's row, if that is active: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			o := w.addOrg("own", org.Active)
			is.NoErr(call(newServices(w).workflows, t.Context(), o, aBatch))
			calls := w.called()
			is.Equal(calls[len(calls)-1], "Batches."+name+" "+w.namespaceOf(o))
			suspended := w.addOrg("other", org.Suspended)
			w.forget()
			is.True(errors.Is(call(newServices(w).workflows, t.Context(), suspended, aBatch), org.ErrNotActive))
			is.Equal(w.called(), []string{"Reads.Org"})
			w.addSystem()
			w.forget()
			is.True(errors.Is(call(newServices(w).workflows, t.Context(), id.SystemOrg, aBatch), org.ErrReserved))
			is.Equal(w.called(), []string{"Reads.Org"})
		})

		if name != "Describe" && name != "Stop" {
			continue
		}
		t.Run("Should find nothing under an id that is none of ours, without asking Temporal: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			o := w.addOrg("own", org.Active)
			for _, batchID := range []string{"", "x", uuid.NewString(), "batch-reset-" + uuid.NewString(), strings.ToUpper(aBatch), aBatch + "0"} {
				is.True(errors.Is(call(newServices(w).workflows, t.Context(), o, batchID), fault.ErrNotFound))
			}
			is.True(!slices.Contains(w.called(), "Batches."+name+" "+w.namespaceOf(o)))
			w.addSystem()
			is.True(errors.Is(call(newServices(w).workflows, t.Context(), id.SystemOrg, "x"), org.ErrReserved)) // as for any id
		})
	}
}
