package postgres

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/ports"
)

// credentialChannel is where the triggers of migration 017 say that something that
// authentication reads has changed.
const credentialChannel = "bulkhead_credentials" //nolint:gosec // the name of a channel

// maxChanges is how many changes are told one by one. More of them, after a long
// time without the database for example, are told as everything.
const maxChanges = 10_000

// CredentialFeed tells what has changed for authentication. It asks as the
// authentication role, on that role's own pool.
type CredentialFeed struct {
	db       dbsqlc.DBTX
	writes   *writes
	listener *listener
}

var _ ports.CredentialFeed = (*CredentialFeed)(nil)

// NewCredentialFeed returns the feed of a database. It holds a connection of its own
// from the first Wait until Close.
func NewCredentialFeed(db *DB) *CredentialFeed {
	return &CredentialFeed{db: guarded{db.auth}, writes: &db.writes, listener: newListener(db.listen, credentialChannel)}
}

// Since implements ports.CredentialFeed. The cursor is a snapshot, and not the last
// number that was seen: a transaction that began before others may commit after
// them, and whoever looks for greater numbers only never learns of it.
func (f *CredentialFeed) Since(ctx context.Context, cursor ports.CredentialCursor) (ports.CredentialChanges, ports.CredentialCursor, error) {
	server, since := readCursor(cursor)
	rows, err := queries.CredentialChanges(ctx, f.db, &dbsqlc.CredentialChangesParams{
		Server: server, Since: since, MaxRows: maxChanges + 1,
	})
	if err != nil {
		return ports.CredentialChanges{}, cursor, err
	}
	next := writeCursor(rows[0].Server, rows[0].Position)
	if rows[0].IsLost || len(rows) > maxChanges {
		return ports.CredentialChanges{Everything: true}, next, nil
	}
	var changes ports.CredentialChanges
	for _, r := range rows {
		switch {
		case r.OrgID == uuid.Nil: // nothing has changed
		case r.KeyID == uuid.Nil:
			changes.Orgs = append(changes.Orgs, id.FromUUID[id.OrgKind](r.OrgID))
		default:
			changes.Keys = append(changes.Keys, apikey.Ref{Org: id.FromUUID[id.OrgKind](r.OrgID), Key: id.FromUUID[id.APIKeyKind](r.KeyID)})
		}
	}
	return changes, next, nil
}

// Wait implements ports.CredentialFeed. While the database is away it returns after
// limit, and as soon as the database is back.
func (f *CredentialFeed) Wait(ctx context.Context, limit time.Duration) error {
	return f.listener.wait(ctx, limit)
}

// Written implements ports.CredentialFeed.
func (f *CredentialFeed) Written(o id.Org) uint64 { return f.writes.of(o).Load() }

// WrittenUntil implements ports.CredentialFeed.
func (f *CredentialFeed) WrittenUntil() func(id.Org) uint64 {
	var until [stripes]uint64
	for i := range f.writes {
		until[i] = f.writes[i].Load()
	}
	return func(o id.Org) uint64 { return until[stripe(o)] }
}

// stripes is over how many counters organizations are spread: what one writes outdates
// what is kept of that many fewer others.
const stripes = 256

// writes counts transactions of this process by organization.
type writes [stripes]atomic.Uint64

func (w *writes) of(o id.Org) *atomic.Uint64 { return &w[stripe(o)] }

func (w *writes) add(o id.Org) { w.of(o).Add(1) }

// stripe chooses by a part of the id that is random.
func stripe(o id.Org) byte {
	u := o.UUID()
	return u[len(u)-1]
}

// Close ends the connection that Wait holds.
func (f *CredentialFeed) Close(ctx context.Context) error { return f.listener.close(ctx) }

// A cursor is a snapshot, and when the server that made it started: another server
// of the same data, such as a standby that took over, may not have all that this one
// had committed, and gives the same numbers to other transactions.
func writeCursor(server time.Time, position string) ports.CredentialCursor {
	return ports.CredentialCursor(server.UTC().Format(time.RFC3339Nano) + " " + position)
}

func readCursor(c ports.CredentialCursor) (server time.Time, position string) {
	started, position, _ := strings.Cut(string(c), " ")
	server, err := time.Parse(time.RFC3339Nano, started)
	if err != nil {
		return time.Time{}, "" // the zero cursor
	}
	return server, position
}
