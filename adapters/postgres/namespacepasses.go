package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/ports"
)

// NamespacePasses is where processes take turns with the pass over all namespaces.
type NamespacePasses struct{ db *DB }

var _ ports.NamespacePasses = (*NamespacePasses)(nil)

// NewNamespacePasses returns the pass that a database holds.
func NewNamespacePasses(db *DB) *NamespacePasses { return &NamespacePasses{db} }

// Claim implements ports.NamespacePasses. Most calls find that it is not their turn,
// which takes no more than a read.
func (n *NamespacePasses) Claim(ctx context.Context, now time.Time, lease time.Duration) (namespace.Pass, bool, error) {
	row, err := queries.NamespacePassGet(ctx, n.db.reading(scope{}))
	if err == nil && (row.DueAt.After(now) || row.LeasedUntil.After(now)) {
		return toPass(row), false, nil
	}
	if err != nil && !fault.IsKind(err, fault.NotFound) {
		return namespace.Pass{}, false, err
	}
	claimed, err := queries.NamespacePassClaim(ctx, n.db.writing(scope{}), &dbsqlc.NamespacePassClaimParams{
		Turn: uuid.New(), Now: stored(now), LeasedUntil: stored(now.Add(lease)),
	})
	switch {
	case err == nil:
		return toPass(claimed), true, nil
	case fault.IsKind(err, fault.NotFound) && row != nil: // another was faster
		return toPass(row), false, nil
	case fault.IsKind(err, fault.NotFound):
		return namespace.Pass{}, false, nil
	}
	return namespace.Pass{}, false, err
}

// Save implements ports.NamespacePasses.
func (n *NamespacePasses) Save(ctx context.Context, p namespace.Pass) (bool, error) {
	rows, err := queries.NamespacePassSave(ctx, n.db.writing(scope{}), &dbsqlc.NamespacePassSaveParams{
		Turn: p.Turn, DueAt: stored(p.DueAt), Cursor: p.Cursor,
		Drifted: p.Tally.Drifted, Missing: p.Tally.Missing, Orphaned: p.Tally.Orphaned,
		EndedAt: storedOrNull(p.EndedAt), LastDrifted: p.Last.Drifted, LastMissing: p.Last.Missing, LastOrphaned: p.Last.Orphaned,
	})
	return rows > 0, err
}

func toPass(r *dbsqlc.NamespacePass) namespace.Pass {
	return namespace.Pass{
		Turn: r.Turn, Cursor: r.Cursor, DueAt: read(r.DueAt), EndedAt: readOrZero(r.EndedAt),
		Tally: namespace.Tally{Drifted: r.Drifted, Missing: r.Missing, Orphaned: r.Orphaned},
		Last:  namespace.Tally{Drifted: r.LastDrifted, Missing: r.LastMissing, Orphaned: r.LastOrphaned},
	}
}
