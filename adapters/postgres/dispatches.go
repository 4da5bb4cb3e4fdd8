package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Dispatches is the ledgers of all organizations.
type Dispatches struct{ db *DB }

var _ ports.Dispatches = (*Dispatches)(nil)

// NewDispatches returns the ledgers of a database.
func NewDispatches(db *DB) *Dispatches { return &Dispatches{db} }

// Open implements ports.Dispatches.
func (d *Dispatches) Open(ctx context.Context, before time.Time, after workflow.Dispatch, limit int) ([]workflow.Dispatch, error) {
	rows, err := queries.DispatchOpen(ctx, d.db.reading(platformScope), &dbsqlc.DispatchOpenParams{
		Before: stored(before), AfterOrg: after.Org.UUID(), AfterRequest: after.Request, MaxRows: count(limit),
	})
	if err != nil {
		return nil, err
	}
	return each(rows, toDispatch)
}

// Erase implements ports.Dispatches.
func (d *Dispatches) Erase(ctx context.Context, limit int) (int, error) {
	rows, err := queries.DispatchErase(ctx, d.db.writing(platformScope), count(limit))
	return int(rows), err
}

func (r reads) Dispatch(ctx context.Context, request uuid.UUID) (workflow.Dispatch, error) {
	row, err := queries.DispatchGet(ctx, r.db, &dbsqlc.DispatchGetParams{OrgID: r.org, Request: request})
	return one(row, err, toDispatch)
}

type dispatchWriter struct{ writer }

func (w dispatchWriter) Request(ctx context.Context, d workflow.Dispatch) error {
	if err := w.own(d.Org); err != nil {
		return err
	}
	return queries.DispatchInsert(ctx, w.later, &dbsqlc.DispatchInsertParams{
		OrgID: w.org.UUID(), Request: d.Request, WorkflowID: d.WorkflowID, Type: d.Type, TaskQueue: d.TaskQueue,
		Subject: d.Subject, RequestedAt: stored(d.RequestedAt),
	})
}

func (w dispatchWriter) Decide(ctx context.Context, ds []workflow.Dispatch) ([]uuid.UUID, error) {
	if len(ds) == 0 {
		return nil, nil
	}
	p := dbsqlc.DispatchDecideParams{OrgID: w.org.UUID()}
	for _, d := range ds {
		if err := w.own(d.Org); err != nil {
			return nil, err
		}
		p.Requests, p.Outcomes = append(p.Requests, d.Request), append(p.Outcomes, d.Outcome.String())
		p.RunIds, p.DecidedAts = append(p.RunIds, d.RunID), append(p.DecidedAts, stored(d.DecidedAt))
	}
	return queries.DispatchDecide(ctx, w.tx, &p)
}

func toDispatch(r *dbsqlc.WorkflowDispatch) (workflow.Dispatch, error) {
	outcome, err := workflow.ParseOutcome(r.Outcome)
	return workflow.Dispatch{
		Org: id.FromUUID[id.OrgKind](r.OrgID), Request: r.Request, WorkflowID: r.WorkflowID, Type: r.Type, TaskQueue: r.TaskQueue,
		Subject: r.Subject, RequestedAt: read(r.RequestedAt), Outcome: outcome, RunID: r.RunID, DecidedAt: readOrZero(r.DecidedAt),
	}, err
}
