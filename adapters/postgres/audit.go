package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

// auditWriter keeps the entries of a transaction until its end, where they are
// appended together, in one round trip with the commit.
type auditWriter struct {
	writer
	entries []*dbsqlc.AuditAppendParams
}

// Append implements ports.AuditWriter.
func (w *auditWriter) Append(_ context.Context, e audit.Entry) error {
	if err := w.own(e.OrgID); err != nil {
		return err
	}
	r, err := e.Record()
	if err != nil {
		return fmt.Errorf("encode the entry %s: %w", e.Action, err)
	}
	w.entries = append(w.entries, fromAuditRecord(r))
	return nil
}

// Purge implements ports.AuditWriter.
func (w *auditWriter) Purge(ctx context.Context, many int) (int64, error) {
	return queries.AuditPurge(ctx, w.tx, &dbsqlc.AuditPurgeParams{OrgID: w.org.UUID(), MaxRows: count(many)})
}

// flush has the entries appended to the chain, as the last that a transaction does:
// what holds the organization's head is on its way to commit.
func (w *auditWriter) flush(ctx context.Context) error {
	for _, e := range w.entries {
		if err := queries.AuditAppend(ctx, w.later, e); err != nil {
			return err
		}
	}
	return nil
}

// Trail is the reads of the audit trails.
type Trail struct{ db *DB }

var _ ports.Trail = (*Trail)(nil)

// NewTrail returns the trails of a database.
func NewTrail(db *DB) *Trail { return &Trail{db} }

// Event implements ports.Trail.
func (t *Trail) Event(ctx context.Context, o id.Org, e id.Event) (audit.Record, error) {
	row, err := queries.AuditGet(ctx, t.db.reading(orgScope(o)), &dbsqlc.AuditGetParams{OrgID: o.UUID(), ID: e.UUID()})
	return one(row, err, toAuditRecord)
}

// Events implements ports.Trail.
func (t *Trail) Events(ctx context.Context, o id.Org, f audit.Filter, q page.Request) (page.Page[audit.Record], error) {
	rows, err := queries.AuditList(ctx, t.db.planned(orgScope(o)), &dbsqlc.AuditListParams{
		OrgID: o.UUID(), Before: numberOf(q.After), UserID: nullable(f.User), KeyID: nullable(f.Key), Action: f.Action,
		ResourceType: f.ResourceType, ResourceID: f.ResourceID, Outcome: f.Outcome,
		From: storedOrNull(f.From), To: storedOrNull(f.To), MaxRows: maxRows(q),
	})
	return cut(rows, err, toAuditRecord, q, func(r audit.Record) uuid.UUID { return keyOf(r.Seq) })
}

// AllEvents implements ports.Trail.
func (t *Trail) AllEvents(ctx context.Context, f audit.Filter, q page.Request) (page.Page[audit.Record], error) {
	before := q.After
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := queries.PlatformAuditList(ctx, t.db.planned(platformScope), &dbsqlc.PlatformAuditListParams{
		Before: before, UserID: nullable(f.User), KeyID: nullable(f.Key), Action: f.Action,
		ResourceType: f.ResourceType, ResourceID: f.ResourceID, Outcome: f.Outcome,
		From: storedOrNull(f.From), To: storedOrNull(f.To), MaxRows: maxRows(q),
	})
	return cut(rows, err, toAuditRecord, q, func(r audit.Record) uuid.UUID { return r.ID.UUID() })
}

// Chain implements ports.Trail. The highest number is read before the head, which
// may have moved on meanwhile but is never behind.
func (t *Trail) Chain(ctx context.Context, o id.Org) (audit.Chain, error) {
	db := t.db.reading(orgScope(o))
	last, err := queries.AuditLast(ctx, db, o.UUID())
	if err != nil {
		return audit.Chain{}, err
	}
	head, err := queries.AuditHead(ctx, db, o.UUID())
	if fault.IsKind(err, fault.NotFound) {
		return audit.Chain{}, nil // there is no such organization
	}
	if err != nil {
		return audit.Chain{}, err
	}
	c := audit.Chain{Head: audit.Anchor{Seq: head.Seq}, Last: max(last, 0)}
	if c.Head.Hash, err = toChainHash(head.Hash); err != nil {
		return audit.Chain{}, err
	}
	start, err := queries.AuditStart(ctx, db, o.UUID())
	if fault.IsKind(err, fault.NotFound) || (err == nil && start.Seq <= 0) {
		return c, nil // nothing of the chain was purged
	}
	if err != nil {
		return audit.Chain{}, err
	}
	c.Start.Seq = start.Seq
	c.Last = max(c.Last, start.Seq) // all may have been purged
	c.Start.Hash, err = toChainHash(start.Hash)
	return c, err
}

// Links implements ports.Trail.
func (t *Trail) Links(ctx context.Context, o id.Org, after, last int64, limit int) ([]audit.Record, error) {
	rows, err := queries.AuditLinks(ctx, t.db.reading(orgScope(o)), &dbsqlc.AuditLinksParams{
		OrgID: o.UUID(), Seq: after + 1, Last: last, MaxRows: count(limit),
	})
	if err != nil {
		return nil, err
	}
	return each(rows, toAuditRecord)
}

// Span implements ports.Trail.
func (t *Trail) Span(ctx context.Context, o id.Org, from, to time.Time) (first, last int64, err error) {
	row, err := queries.AuditSpan(ctx, t.db.planned(orgScope(o)), &dbsqlc.AuditSpanParams{
		OrgID: o.UUID(), From: storedOrNull(from), To: storedOrNull(to),
	})
	if err != nil {
		return 0, 0, err
	}
	return row.First, row.Last, nil
}

// keyOf is an entry's number in the form of a page's key, which is never zero.
func keyOf(seq int64) uuid.UUID {
	u := uuid.UUID{0: 1}
	binary.BigEndian.PutUint64(u[8:], uint64(seq)) //nolint:gosec // and back below
	return u
}

// numberOf is the way back: the number to go on below, the highest at first.
func numberOf(key uuid.UUID) int64 {
	if key == uuid.Nil {
		return math.MaxInt64
	}
	return int64(binary.BigEndian.Uint64(key[8:])) //nolint:gosec // as it was put
}

func fromAuditRecord(r audit.Record) *dbsqlc.AuditAppendParams {
	return &dbsqlc.AuditAppendParams{
		OrgID: r.OrgID.UUID(), ID: r.ID.UUID(), At: stored(r.At),
		ActorKind: r.Actor.Kind, ActorOrgID: nullable(r.Actor.Org), ActorUserID: nullable(r.Actor.User),
		ActorKeyID: nullable(r.Actor.Key), ActorName: r.Actor.Name,
		Action: r.Action, ResourceType: r.ResourceType, ResourceID: r.ResourceID, Outcome: r.Outcome,
		Changes: r.Changes, Count: r.Count, RequestID: r.RequestID, SourceIP: address(r.SourceIP), Body: r.Body(),
	}
}

// toAuditRecord reads an entry as it was written: the words of another release are
// words, and an altered entry is what verification looks for.
func toAuditRecord(r *dbsqlc.AuditEvent) (audit.Record, error) {
	changes, err := audit.Canonical(r.Changes)
	if err != nil {
		return audit.Record{}, fmt.Errorf("stored changes: %w", err)
	}
	out := audit.Record{
		ID: id.FromUUID[id.EventKind](r.ID), OrgID: id.FromUUID[id.OrgKind](r.OrgID), At: read(r.At),
		Actor: audit.Actor{
			Kind: r.ActorKind, Org: id.FromUUID[id.OrgKind](r.ActorOrgID.UUID), User: id.FromUUID[id.UserKind](r.ActorUserID.UUID),
			Key: id.FromUUID[id.APIKeyKind](r.ActorKeyID.UUID), Name: r.ActorName,
		},
		Action: r.Action, ResourceType: r.ResourceType, ResourceID: r.ResourceID, Outcome: r.Outcome,
		Changes: changes, Count: r.Count, RequestID: r.RequestID, Seq: r.Seq,
	}
	if r.SourceIP != nil {
		out.SourceIP = *r.SourceIP
	}
	if r.Hash != nil {
		out.Hash, err = toChainHash(r.Hash)
	}
	return out, err
}

func toChainHash(b []byte) (audit.Hash, error) {
	var h audit.Hash
	if len(b) != len(h) {
		return h, fmt.Errorf("stored hash has %d bytes", len(b))
	}
	copy(h[:], b)
	return h, nil
}

// address is NULL for the zero address.
func address(ip netip.Addr) *netip.Addr {
	if !ip.IsValid() {
		return nil
	}
	return &ip
}
