package postgres

import (
	"context"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/usage"
	"github.com/bulkheadhq/bulkhead/ports"
)

// UsageHours is where usage is added up.
type UsageHours struct{ db *DB }

var _ ports.UsageHours = (*UsageHours)(nil)

// NewUsageHours returns the usage that a database holds.
func NewUsageHours(db *DB) *UsageHours { return &UsageHours{db} }

// Add implements ports.UsageHours, in one statement.
func (u *UsageHours) Add(ctx context.Context, b usage.Batch) error {
	p := &dbsqlc.UsageAddParams{Writer: b.Writer, Batch: b.Number}
	for slot, n := range b.Counts {
		p.OrgIds, p.KeyIds, p.Hours = append(p.OrgIds, slot.Org.UUID()), append(p.KeyIds, slot.Key.UUID()), append(p.Hours, slot.Hour.Time())
		p.Requests, p.Refused, p.Limited = append(p.Requests, n.Requests), append(p.Refused, n.Refused), append(p.Limited, n.Limited)
	}
	return queries.UsageAdd(ctx, u.db.writing(platformScope), p)
}

// Erase implements ports.UsageHours.
func (u *UsageHours) Erase(ctx context.Context, limit int) (int, error) {
	rows, err := queries.UsageErase(ctx, u.db.writing(platformScope), count(limit))
	return int(rows), err
}

func (r reads) Usage(ctx context.Context, f usage.Filter, q page.Request) (page.Page[usage.Sum], error) {
	from, to := storedOrNull(f.From), storedOrNull(f.To)
	place := func(s usage.Sum) uuid.UUID { return s.Place() }
	if f.By == usage.ByKey {
		rows, err := queries.UsageByKey(ctx, r.db, &dbsqlc.UsageByKeyParams{OrgID: r.org, After: q.After, From: from, To: to, MaxRows: maxRows(q)})
		return cut(rows, err, usageOfKey, q, place)
	}
	rows, err := queries.UsageByTime(ctx, r.db, &dbsqlc.UsageByTimeParams{
		OrgID: r.org, Daily: f.By == usage.ByDay, After: usage.TimeOf(q.After), From: from, To: to, MaxRows: maxRows(q),
	})
	return cut(rows, err, usageOfTime, q, place)
}

func usageOfKey(row *dbsqlc.UsageByKeyRow) (usage.Sum, error) {
	return usage.Sum{Key: id.FromUUID[id.APIKeyKind](row.KeyID), Counts: usage.Counts{Requests: row.Requests, Refused: row.Refused, Limited: row.Limited}}, nil
}

func usageOfTime(row *dbsqlc.UsageByTimeRow) (usage.Sum, error) {
	return usage.Sum{Start: row.Start.UTC(), Counts: usage.Counts{Requests: row.Requests, Refused: row.Refused, Limited: row.Limited}}, nil
}
