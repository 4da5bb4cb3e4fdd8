package usecase_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/dispatches"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// ledger is a world with an organization that starts workflows.
type ledger struct {
	*world
	services services
	org      id.Org
	by       authz.Actor
	claim    idempotency.Claim
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	w := newWorld(t)
	o := w.addOrg("own", org.Active)
	w.temporal.came = map[uuid.UUID]string{}
	by := holder(o, authz.Member)
	return &ledger{
		world: w, services: newServices(w), org: o, by: by,
		claim: idempotency.Claim{Request: idempotency.Request{Org: o, Key: by.Key(), Operation: "startWorkflow"}, Token: uuid.New(), Since: w.clock.Now(), Repeatable: true},
	}
}

// attempt starts a workflow as the next attempt at one request.
func (l *ledger) attempt() (workflow.Execution, error) {
	l.t.Helper()
	l.forget()
	e, err := l.services.workflows.Start(idempotency.With(l.t.Context(), l.claim), l.by, l.org, workflow.Start{ID: "order-42", Type: "Order", TaskQueue: "orders"})
	l.claim.Token, l.claim.Repeated = uuid.New(), true
	return e, err
}

// crash loses the process, and all that it had in memory.
func (l *ledger) crash() { l.services = newServices(l.world) }

func (l *ledger) entry() workflow.Dispatch {
	l.t.Helper()
	d, err := l.unseen.store.Reads(l.org).Dispatch(l.t.Context(), l.claim.ID())
	if err != nil {
		l.t.Fatal(err)
	}
	return d
}

// started returns the lines of the trail that tell of runs.
func (l *ledger) started() (out []line) {
	l.t.Helper()
	for _, one := range l.trail() {
		if one.Action == audit.WorkflowStarted.String() || one.Action == audit.WorkflowJoined.String() {
			out = append(out, one)
		}
	}
	return out
}

func (l *ledger) starts() int { return l.count("Start " + l.namespaceOf(l.org)) }

func TestDispatches(t *testing.T) {
	t.Parallel()

	t.Run("Should write the run of a start after its answer, to the ledger and to the trail", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l := newLedger(t)
		_, err := l.attempt()
		is.NoErr(err)
		d := l.entry()
		is.Equal(d, workflow.Dispatch{
			Org: l.org, Request: l.claim.ID(), WorkflowID: "order-42", Type: "Order", TaskQueue: "orders", Subject: l.by.Subject(),
			RequestedAt: l.clock.Now(), Outcome: workflow.DispatchRequested,
		})
		l.clock.advance(time.Second)
		is.NoErr(l.services.dispatches.Flush(t.Context()))
		d.Outcome, d.RunID, d.DecidedAt = workflow.DispatchStarted, "run", l.clock.Now().Add(-time.Second)
		is.Equal(l.entry(), d)
		lines := l.started()
		is.Equal(len(lines), 1)
		is.Equal(lines[0].Changes, map[string]audit.Change{"run_id": audit.Created("run")})
		is.Equal(lines[0].Actor, whoIs(l.by))
		is.Equal([]string{lines[0].Action, lines[0].ResourceID}, []string{"workflow.started", "order-42"})
	})

	t.Run("Should say that a start was refused, or has joined what ran", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l := newLedger(t)
		l.breaks("Start "+l.namespaceOf(l.org), workflow.ErrAlreadyStarted)
		_, err := l.attempt()
		is.True(errors.Is(err, workflow.ErrAlreadyStarted))
		is.NoErr(l.services.dispatches.Flush(t.Context()))
		is.Equal(l.entry().Outcome, workflow.DispatchRefused)
		is.Equal(len(l.started()), 0)
		l.mends("Start " + l.namespaceOf(l.org))
		l.temporal.joins = true
		_, err = l.attempt() // the refusal was not kept
		is.NoErr(err)
		is.NoErr(l.services.dispatches.Flush(t.Context()))
		is.Equal([]string{l.entry().Outcome.String(), l.entry().RunID}, []string{"joined", "run"})
		is.Equal(l.started()[0].Action, "workflow.joined")
	})

	t.Run("Should write later what can not be written, and lose nothing of it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, port := range []string{"WriteTx", "Dispatches.Decide", "Audit.Append", "Commit"} {
			l := newLedger(t)
			_, err := l.attempt()
			is.NoErr(err)
			l.breaks(port, fault.ErrUnavailable)
			is.True(errors.Is(l.services.dispatches.Flush(t.Context()), fault.ErrUnavailable))
			is.Equal(l.entry().Outcome, workflow.DispatchRequested)
			is.Equal(len(l.started()), 0)
			l.mends(port)
			is.NoErr(l.services.dispatches.Flush(t.Context()))
			is.Equal(l.entry().RunID, "run")
			is.Equal(len(l.started()), 1)
		}
	})

	t.Run("Should write soon what it is told, as long as the process runs", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l := newLedger(t)
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { l.services.dispatches.Run(ctx); close(ended) }()
		written := l.watch("Dispatches.Decide")
		_, err := l.services.workflows.Start(t.Context(), l.by, l.org, workflow.Start{ID: "order-43", Type: "Order", TaskQueue: "orders"})
		is.NoErr(err)
		<-written
		end()
		<-ended
	})
}

// TestDispatchesLost loses the process between Temporal's answer and its record.
func TestDispatchesLost(t *testing.T) {
	t.Parallel()

	t.Run("Should find out which run a lost start has come to, and start nothing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l := newLedger(t)
		_, err := l.attempt()
		is.NoErr(err)
		l.crash()
		l.temporal.came[l.claim.ID()] = "run-1"
		l.forget()
		l.clock.advance(dispatches.Settled)
		is.NoErr(l.services.dispatches.Sweep(t.Context())) // somebody may still work at it
		is.Equal(l.called(), []string{"Dispatches.Open"})
		l.clock.advance(time.Second)
		is.NoErr(l.services.dispatches.Sweep(t.Context()))
		is.NoErr(newServices(l.world).dispatches.Sweep(t.Context())) // of another process
		is.Equal([]string{l.entry().Outcome.String(), l.entry().RunID}, []string{"started", "run-1"})
		is.Equal(l.starts(), 0)
		lines := l.started()
		is.Equal(len(lines), 1)
		is.Equal(lines[0].Actor.Name, "bookkeeper")
		is.Equal(lines[0].Changes, map[string]audit.Change{"run_id": audit.Created("run-1"), "requested_by": audit.Created(l.by.Subject())})
	})

	t.Run("Should find out that nothing was started, and start nothing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l := newLedger(t)
		l.breaks("Start "+l.namespaceOf(l.org), fault.ErrTimeout) // whether it has, nobody knows
		_, err := l.attempt()
		is.True(errors.Is(err, fault.ErrTimeout))
		is.NoErr(l.services.dispatches.Flush(t.Context()))
		is.Equal(l.entry().Outcome, workflow.DispatchRequested)
		l.clock.advance(time.Hour)
		l.forget()
		is.NoErr(l.services.dispatches.Sweep(t.Context()))
		is.Equal(l.entry().Outcome, workflow.DispatchRefused)
		is.Equal(l.starts(), 0)
		is.Equal(len(l.started()), 0)
	})

	t.Run("Should leave open what nobody can tell, and hold up no other for it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l := newLedger(t)
		_, err := l.attempt()
		is.NoErr(err)
		other := l.addOrg("other", org.Active)
		_, err = l.services.workflows.Start(t.Context(), holder(other, authz.Member), other, workflow.Start{ID: "o", Type: "t", TaskQueue: "q"})
		is.NoErr(err)
		request := l.temporal.starts[1].Request
		l.crash()
		l.clock.advance(time.Hour)
		l.temporal.came[request] = "run-2"
		for _, failure := range []error{fault.ErrTimeout, fault.ErrUnavailable} {
			l.breaks("Dispatched "+l.namespaceOf(l.org), failure)
			is.True(errors.Is(l.services.dispatches.Sweep(t.Context()), failure))
			is.Equal(l.entry().Outcome, workflow.DispatchRequested)
		}
		d, err := l.unseen.store.Reads(other).Dispatch(t.Context(), request)
		is.NoErr(err)
		is.Equal(d.RunID, "run-2")
		for _, port := range []string{"Dispatches.Open", "Reads.Org", "WriteTx"} {
			l.mends("Dispatched " + l.namespaceOf(l.org))
			l.breaks(port, fault.ErrUnavailable)
			is.True(errors.Is(l.services.dispatches.Sweep(t.Context()), fault.ErrUnavailable))
			l.mends(port)
			is.Equal(l.entry().Outcome, workflow.DispatchRequested)
		}
	})
}

// TestDispatchesRepeated sends a request again.
func TestDispatchesRepeated(t *testing.T) {
	t.Parallel()

	t.Run("Should answer with the run that the request has started, whatever has become of the id", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l := newLedger(t)
		_, err := l.attempt()
		is.NoErr(err)
		is.NoErr(l.services.dispatches.Flush(t.Context()))
		l.crash()
		e, err := l.attempt()
		is.NoErr(err)
		is.Equal([]string{e.ID, e.RunID}, []string{"order-42", "run"})
		is.Equal(l.called(), []string{"Reads.Org", "Reads.Dispatch", "Describe " + l.namespaceOf(l.org)})
		l.breaks("Describe "+l.namespaceOf(l.org), workflow.ErrNotFound) // Temporal has forgotten it
		e, err = l.attempt()
		is.NoErr(err)
		is.Equal([]string{e.ID, e.RunID, e.Type, e.TaskQueue, e.Status.String()}, []string{"order-42", "run", "Order", "orders", "unknown"})
		is.Equal(l.starts(), 0)
	})

	t.Run("Should ask Temporal what a lost attempt has started before it starts anything", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l := newLedger(t)
		_, err := l.attempt()
		is.NoErr(err)
		l.crash()
		l.temporal.came[l.claim.ID()] = "run-1"
		for range 2 { // whether the worker has been there meanwhile or not
			e, err := l.attempt()
			is.NoErr(err)
			is.Equal(e.RunID, "run-1")
			is.Equal(l.starts(), 0)
			l.clock.advance(time.Hour)
			is.NoErr(l.services.dispatches.Sweep(t.Context()))
		}
		is.Equal(len(l.started()), 1)
	})

	t.Run("Should start what was not, by the same name, though it was taken for refused meanwhile", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l := newLedger(t)
		l.breaks("Start "+l.namespaceOf(l.org), fault.ErrUnavailable)
		for range 2 {
			_, err := l.attempt()
			is.True(errors.Is(err, fault.ErrUnavailable))
			l.clock.advance(time.Hour)
			is.NoErr(l.services.dispatches.Sweep(t.Context()))
			is.Equal(l.entry().Outcome, workflow.DispatchRefused)
		}
		l.mends("Start " + l.namespaceOf(l.org))
		_, err := l.attempt()
		is.NoErr(err)
		is.NoErr(l.services.dispatches.Flush(t.Context()))
		is.Equal(l.entry().RunID, "run")
		for _, asked := range l.temporal.starts {
			is.Equal(asked.Request, l.claim.ID())
		}
		is.Equal(len(l.started()), 1)
	})

	t.Run("Should start nothing while nobody can tell what an earlier attempt has", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l := newLedger(t)
		_, err := l.attempt()
		is.NoErr(err)
		l.crash()
		for _, port := range []string{"Reads.Dispatch", "Dispatched " + l.namespaceOf(l.org)} {
			l.breaks(port, fault.ErrUnavailable)
			_, err = l.attempt()
			is.True(errors.Is(err, fault.ErrUnavailable))
			is.Equal(l.starts(), 0)
			l.mends(port)
		}
	})
}
