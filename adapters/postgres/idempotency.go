package postgres

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Idempotency is where requests that may be sent again are remembered.
type Idempotency struct{ db *DB }

var _ ports.Idempotency = (*Idempotency)(nil)

// NewIdempotency returns the requests that a database remembers.
func NewIdempotency(db *DB) *Idempotency { return &Idempotency{db} }

// maxClaims bounds how often a request is claimed that vanishes each time it is
// looked at. Once is what there could be: it was erased just then.
const maxClaims = 3

// Claim implements ports.Idempotency.
func (i *Idempotency) Claim(ctx context.Context, c *idempotency.Claim, fingerprint idempotency.Digest, t idempotency.Terms) (idempotency.Record, bool, error) {
	p := dbsqlc.IdempotencyClaimParams{
		OrgID: c.Org.UUID(), APIKeyID: c.Key.UUID(), Operation: c.Operation, Key: nameOf(c.Request), Fingerprint: fingerprint[:],
		Token: c.Token, LeaseSeconds: t.Lease.Seconds(), KeepSeconds: t.Keep.Seconds(),
	}
	db := i.db.writing(orgScope(c.Org))
	for range maxClaims {
		won, err := queries.IdempotencyClaim(ctx, db, &p)
		if err == nil {
			c.Since, c.Repeated = won.CreatedAt.UTC(), won.Repeated
			return idempotency.Record{}, true, nil
		}
		if !errors.Is(err, fault.ErrNotFound) {
			return idempotency.Record{}, false, err
		}
		row, err := queries.IdempotencyGet(ctx, db, &dbsqlc.IdempotencyGetParams{OrgID: p.OrgID, APIKeyID: p.APIKeyID, Operation: p.Operation, Key: p.Key})
		if err == nil {
			return toRecord(row), false, nil
		}
		if !errors.Is(err, fault.ErrNotFound) {
			return idempotency.Record{}, false, err
		}
	}
	return idempotency.Record{}, false, idempotency.ErrInProgress
}

// Answer implements ports.Idempotency.
func (i *Idempotency) Answer(ctx context.Context, c idempotency.Claim, a idempotency.Answer) error {
	status := count(a.Status)
	rows, err := queries.IdempotencyAnswer(ctx, i.db.settling(orgScope(c.Org)), &dbsqlc.IdempotencyAnswerParams{
		OrgID: c.Org.UUID(), APIKeyID: c.Key.UUID(), Operation: c.Operation, Key: nameOf(c.Request), Token: c.Token,
		Status: &status, Response: a.Sealed, SealedBy: &a.SealedBy,
	})
	return held(rows, err)
}

// Release implements ports.Idempotency.
func (i *Idempotency) Release(ctx context.Context, c idempotency.Claim) error {
	return queries.IdempotencyRelease(ctx, i.db.settling(orgScope(c.Org)), &dbsqlc.IdempotencyReleaseParams{
		OrgID: c.Org.UUID(), APIKeyID: c.Key.UUID(), Operation: c.Operation, Key: nameOf(c.Request), Token: c.Token,
	})
}

// Erase implements ports.Idempotency.
func (i *Idempotency) Erase(ctx context.Context, limit int) (int, error) {
	rows, err := queries.IdempotencyErase(ctx, i.db.writing(platformScope), count(limit))
	return int(rows), err
}

// held fails when the request is another attempt's by now.
func held(rows int64, err error) error {
	if err == nil && rows == 0 {
		return idempotency.ErrInProgress
	}
	return err
}

func nameOf(r idempotency.Request) string { return hex.EncodeToString(r.Name[:]) }

func toRecord(row *dbsqlc.IdempotencyGetRow) idempotency.Record {
	r := idempotency.Record{Committed: row.Committed, Resource: row.Resource, Lapsed: row.Lapsed}
	copy(r.Fingerprint[:], row.Fingerprint)
	if row.Status != nil && row.SealedBy != nil {
		r.Answer = idempotency.Answer{Status: int(*row.Status), Sealed: row.Response, SealedBy: *row.SealedBy}
	}
	return r
}

// claimed adds to a transaction's function what the claim of its context asks
// for: that the change and the fact that it has happened commit together. The
// claim is the actor's organization's, which need not be the transaction's. It is
// asked before anything is appended to a trail, so that no head is held meanwhile.
func claimed(fn func(context.Context, *work, *noted) error) func(context.Context, *work) error {
	return func(ctx context.Context, tx *work) error {
		c, ok := idempotency.From(ctx)
		if !ok || c.Repeatable {
			return fn(ctx, tx, nil)
		}
		var about noted
		if err := fn(ctx, tx, &about); err != nil || about.refusal {
			return err
		}
		return held(queries.IdempotencyCommit(ctx, tx.unit.in(orgScope(c.Org)), &dbsqlc.IdempotencyCommitParams{
			OrgID: c.Org.UUID(), APIKeyID: c.Key.UUID(), Operation: c.Operation, Key: nameOf(c.Request), Token: c.Token,
			Resource: about.resource,
		}))
	}
}

// noted is what a transaction is about, by its entries of the trail.
type noted struct {
	resource string // of the first
	refusal  bool   // it tells of nothing that happened
}

// notingAudit notes what it appends.
type notingAudit struct {
	ports.AuditWriter
	about *noted
}

func (w notingAudit) Append(ctx context.Context, e audit.Entry) error {
	if w.about.resource == "" {
		w.about.resource, w.about.refusal = e.ResourceType+" "+e.ResourceID, true
	}
	w.about.refusal = w.about.refusal && e.Outcome != audit.Succeeded && e.Outcome != audit.Requested
	return w.AuditWriter.Append(ctx, e)
}

// noting returns an audit writer that notes what the transaction is about, if
// anybody asks.
func noting(w ports.AuditWriter, about *noted) ports.AuditWriter {
	if about == nil {
		return w
	}
	return notingAudit{w, about}
}
