package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/ports"
)

// outboxChannel is where relays are woken. Postgres serializes the commits of
// transactions that notify, so that this is for the outbox, which grows with
// administrative changes, and never for what happens with each request.
const outboxChannel = "bulkhead_outbox"

// maxReason is how many bytes of the reason of a retry are kept.
const maxReason = 2000

// Outbox is the relay's side of the outbox.
type Outbox struct {
	db       dbsqlc.DBTX
	listener *listener
}

var _ ports.Outbox = (*Outbox)(nil)

// NewOutbox returns the relay's side of a database's outbox. It holds a
// connection of its own from the first Wait until Close.
func NewOutbox(db *DB) *Outbox {
	return &Outbox{db: db.writing(platformScope), listener: newListener(db.listen, outboxChannel)}
}

// Claim implements ports.Outbox. No transaction stays open while messages are
// delivered: it is the lease that hides them.
func (o *Outbox) Claim(ctx context.Context, now time.Time, limit int, lease time.Duration) ([]outbox.Message, error) {
	rows, err := queries.OutboxClaim(ctx, o.db, &dbsqlc.OutboxClaimParams{
		Now: stored(now), MaxRows: count(limit), LeasedUntil: stored(now.Add(lease)),
	})
	if err != nil {
		return nil, err
	}
	out := make([]outbox.Message, len(rows))
	for i, r := range rows {
		out[i] = toMessage(r)
	}
	return out, nil
}

// Done implements ports.Outbox.
func (o *Outbox) Done(ctx context.Context, m id.Message) error {
	return queries.OutboxDelete(ctx, o.db, m.UUID())
}

// Retry implements ports.Outbox.
func (o *Outbox) Retry(ctx context.Context, m id.Message, at time.Time, reason string) error {
	return queries.OutboxRetry(ctx, o.db, &dbsqlc.OutboxRetryParams{
		AvailableAt: stored(at), LastError: legible(reason), ID: m.UUID(),
	})
}

// Wait implements ports.Outbox. It is for one caller at a time; others wait for
// their turn and share the wake-ups. While the database is away it returns
// after limit, and as soon as the database is back.
func (o *Outbox) Wait(ctx context.Context, limit time.Duration) error {
	return o.listener.wait(ctx, limit)
}

// Close ends the connection that Wait holds.
func (o *Outbox) Close(ctx context.Context) error { return o.listener.close(ctx) }

// legible makes the text of any error something that Postgres can store: a
// message must not be stuck because the reason of its retry is not UTF-8.
func legible(s string) string {
	if len(s) > maxReason {
		s = s[:maxReason]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
