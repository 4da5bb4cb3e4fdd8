package usecase_test

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

func (r reads) Dispatch(ctx context.Context, request uuid.UUID) (workflow.Dispatch, error) {
	return asked(r.spy, "Reads.Dispatch", func() (workflow.Dispatch, error) { return r.real.Dispatch(ctx, request) })
}

type dispatchWriter struct {
	*spy
	real ports.DispatchWriter
}

func (w dispatchWriter) Request(ctx context.Context, d workflow.Dispatch) error {
	return done(w.spy, "Dispatches.Request", func() error { return w.real.Request(ctx, d) })
}

func (w dispatchWriter) Decide(ctx context.Context, ds []workflow.Dispatch) ([]uuid.UUID, error) {
	return asked(w.spy, "Dispatches.Decide", func() ([]uuid.UUID, error) { return w.real.Decide(ctx, ds) })
}

type ledgers struct {
	*spy
	real ports.Dispatches
}

// Open gives one at a time, so that whoever forgets the next is found out.
func (l ledgers) Open(ctx context.Context, before time.Time, after workflow.Dispatch, limit int) ([]workflow.Dispatch, error) {
	return asked(l.spy, "Dispatches.Open", func() ([]workflow.Dispatch, error) { return l.real.Open(ctx, before, after, limit) })
}

func (l ledgers) Erase(ctx context.Context, limit int) (int, error) {
	return asked(l.spy, "Dispatches.Erase", func() (int, error) { return l.real.Erase(ctx, limit) })
}

// Dispatched answers with the run that is told of a request, if there is one.
func (d *temporal) Dispatched(_ context.Context, namespace string, in workflow.Dispatch) (workflow.Dispatch, error) {
	if err := d.remote("Dispatched " + namespace); err != nil {
		return workflow.Dispatch{}, err
	}
	runID, ok := d.came[in.Request]
	if !ok {
		return workflow.Dispatch{}, workflow.ErrNotFound
	}
	in.Outcome, in.RunID = workflow.DispatchStarted, runID
	return in, nil
}
