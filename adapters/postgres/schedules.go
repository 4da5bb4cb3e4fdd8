package postgres

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/schedule"
)

func (r reads) KnownSchedules(ctx context.Context, ids []string) ([]string, error) {
	return queries.ScheduleKnown(ctx, r.db, &dbsqlc.ScheduleKnownParams{OrgID: r.org, ScheduleIds: ids})
}

func (r reads) Schedules(ctx context.Context, f schedule.Filter) ([]schedule.Row, error) {
	rows, err := queries.ScheduleList(ctx, r.db, &dbsqlc.ScheduleListParams{
		OrgID: r.org, After: f.After, Held: f.Held.String(), MaxRows: schedule.MaxRows,
	})
	if err != nil {
		return nil, err
	}
	return each(rows, toScheduleRow)
}

func toScheduleRow(r *dbsqlc.Schedule) (schedule.Row, error) {
	return schedule.Row{
		OrgID: id.FromUUID[id.OrgKind](r.OrgID), ID: r.ScheduleID, CreatedAt: r.CreatedAt.UTC(), CreatedBy: textOrEmpty(r.CreatedBy), Request: r.Request,
		Holds: schedule.Holds{Suspension: r.SuspensionHold.UUID, Bulk: r.BulkHold.UUID},
	}, nil
}

type scheduleWriter struct{ writer }

func (w scheduleWriter) Claim(ctx context.Context, r schedule.Row) (bool, error) {
	if err := w.own(r.OrgID); err != nil {
		return false, err
	}
	n, err := queries.ScheduleClaim(ctx, w.tx, &dbsqlc.ScheduleClaimParams{
		OrgID: w.org.UUID(), ScheduleID: r.ID, CreatedAt: stored(r.CreatedAt), CreatedBy: textOrNull(r.CreatedBy), Request: r.Request,
	})
	return n > 0, err
}

func (w scheduleWriter) TakeBack(ctx context.Context, scheduleID string, request uuid.UUID) (bool, error) {
	n, err := queries.ScheduleTakeBack(ctx, w.tx, &dbsqlc.ScheduleTakeBackParams{OrgID: w.org.UUID(), ScheduleID: scheduleID, Request: request})
	return n > 0, err
}

func (w scheduleWriter) Remove(ctx context.Context, scheduleID string) (bool, error) {
	n, err := queries.ScheduleRemove(ctx, w.tx, &dbsqlc.ScheduleRemoveParams{OrgID: w.org.UUID(), ScheduleID: scheduleID})
	return n > 0, err
}

func (w scheduleWriter) Learn(ctx context.Context, rs []schedule.Row) (int64, error) {
	if len(rs) == 0 {
		return 0, nil
	}
	ids := make([]string, len(rs))
	for i, r := range rs {
		if err := w.own(r.OrgID); err != nil {
			return 0, err
		}
		ids[i] = r.ID
	}
	slices.Sort(ids)
	return queries.ScheduleLearn(ctx, w.tx, &dbsqlc.ScheduleLearnParams{
		OrgID: w.org.UUID(), ScheduleIds: slices.Compact(ids), CreatedAt: stored(rs[0].CreatedAt), Request: rs[0].Request,
	})
}

func (w scheduleWriter) Hold(ctx context.Context, rs []schedule.Row) ([]schedule.Row, error) {
	if len(rs) == 0 {
		return nil, nil
	}
	p := &dbsqlc.ScheduleHoldParams{OrgID: w.org.UUID(), CreatedAt: stored(rs[0].CreatedAt), Request: rs[0].Request}
	for _, r := range rs {
		if err := w.own(r.OrgID); err != nil {
			return nil, err
		}
		p.ScheduleIds = append(p.ScheduleIds, r.ID)
		p.SuspensionHolds = append(p.SuspensionHolds, r.Holds.Suspension)
		p.BulkHolds = append(p.BulkHolds, r.Holds.Bulk)
	}
	held, err := queries.ScheduleHold(ctx, w.tx, p)
	if err != nil {
		return nil, err
	}
	return each(held, toScheduleRow)
}

func (w scheduleWriter) Unhold(ctx context.Context, scheduleID string, hold uuid.UUID) (bool, error) {
	n, err := queries.ScheduleUnhold(ctx, w.tx, &dbsqlc.ScheduleUnholdParams{
		OrgID: w.org.UUID(), ScheduleID: scheduleID, Hold: hold,
	})
	return n > 0, err
}
