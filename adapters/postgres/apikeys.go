package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/ports"
)

type apiKeyWriter struct{ writer }

func (w apiKeyWriter) Insert(ctx context.Context, k apikey.Key) error {
	s := k.Snapshot()
	if err := w.own(s.OrgID); err != nil {
		return err
	}
	p, err := fromAPIKey(s)
	if err != nil {
		return err
	}
	if err := queries.APIKeyInsert(ctx, w.tx, p); err != nil {
		return err
	}
	if err := w.noteUses(ctx, s.ID, s.Generation, s.LastUsedAt); err != nil || !s.Old.Exists() {
		return err
	}
	return w.noteUses(ctx, s.ID, s.Generation-1, s.Old.LastUsedAt)
}

// noteUses makes the row in which the uses of one secret are noted.
func (w apiKeyWriter) noteUses(ctx context.Context, k id.APIKey, generation int32, last time.Time) error {
	return queries.APIKeyUseInsert(ctx, w.tx, &dbsqlc.APIKeyUseInsertParams{
		OrgID: w.org.UUID(), KeyID: k.UUID(), Generation: generation, LastUsedAt: storedOrNull(last),
	})
}

func (w apiKeyWriter) lock(ctx context.Context, i id.APIKey) (apikey.Key, error) {
	row, err := queries.APIKeyLock(ctx, w.tx, &dbsqlc.APIKeyLockParams{OrgID: w.org.UUID(), ID: i.UUID()})
	return one(row, err, lockedAPIKey)
}

func (w apiKeyWriter) Update(ctx context.Context, i id.APIKey, fn func(*apikey.Key) error) error {
	k, err := w.lock(ctx, i)
	if err != nil {
		return err
	}
	generation := k.Snapshot().Generation
	if err := fn(&k); err != nil {
		return err
	}
	p, err := fromAPIKey(k.Snapshot())
	if err != nil {
		return err
	}
	if p.Generation != generation {
		if err := w.rotate(ctx, i, p.Generation); err != nil {
			return err
		}
	}
	*w.touches = true
	return changed(queries.APIKeyUpdate(ctx, w.tx, &dbsqlc.APIKeyUpdateParams{
		OrgID: w.org.UUID(), ID: i.UUID(), Name: p.Name, Description: p.Description, Scopes: p.Scopes,
		AllowedIps: p.AllowedIps, Metadata: p.Metadata, Hint: p.Hint, LastFour: p.LastFour,
		PepperVersion: p.PepperVersion, Hash: p.Hash, Generation: p.Generation,
		OldHint: p.OldHint, OldLastFour: p.OldLastFour, OldPepperVersion: p.OldPepperVersion, OldHash: p.OldHash,
		OldExpiresAt: p.OldExpiresAt, OldUntilSeen: p.OldUntilSeen, Limits: p.Limits,
		State: p.State, ExpiresAt: p.ExpiresAt, WarnAt: p.WarnAt, RevokedAt: p.RevokedAt,
		Version: p.Version, UpdatedAt: p.UpdatedAt,
	}))
}

// rotate keeps a row of uses for the new secret and for the one before it.
func (w apiKeyWriter) rotate(ctx context.Context, k id.APIKey, generation int32) error {
	if err := w.forgetUses(ctx, k, generation-1); err != nil {
		return err
	}
	return w.noteUses(ctx, k, generation, time.Time{})
}

func (w apiKeyWriter) forgetUses(ctx context.Context, k id.APIKey, before int32) error {
	return queries.APIKeyUseForget(ctx, w.tx, &dbsqlc.APIKeyUseForgetParams{OrgID: w.org.UUID(), KeyID: k.UUID(), Before: before})
}

func (w apiKeyWriter) Delete(ctx context.Context, i id.APIKey, fn func(*apikey.Key) error) error {
	k, err := w.lock(ctx, i)
	if err != nil {
		return err
	}
	if err := fn(&k); err != nil {
		return err
	}
	if err := w.forgetUses(ctx, i, k.Snapshot().Generation+1); err != nil {
		return err
	}
	return changed(queries.APIKeyDelete(ctx, w.tx, &dbsqlc.APIKeyDeleteParams{OrgID: w.org.UUID(), ID: i.UUID()}))
}

// KeyUses is where the use of secrets is noted.
type KeyUses struct{ db *DB }

var _ ports.KeyUses = (*KeyUses)(nil)

// NewKeyUses returns the uses of a database's keys.
func NewKeyUses(db *DB) *KeyUses { return &KeyUses{db} }

// Record implements ports.KeyUses, in one statement.
func (u *KeyUses) Record(ctx context.Context, uses []apikey.Use) error {
	if len(uses) == 0 {
		return nil
	}
	p := &dbsqlc.APIKeyUseRecordParams{
		OrgIds: make([]uuid.UUID, len(uses)), KeyIds: make([]uuid.UUID, len(uses)),
		Generations: make([]int32, len(uses)), Times: make([]time.Time, len(uses)),
	}
	for i, use := range uses {
		p.OrgIds[i], p.KeyIds[i], p.Generations[i], p.Times[i] = use.Org.UUID(), use.Key.UUID(), use.Generation, stored(use.At)
	}
	return queries.APIKeyUseRecord(ctx, u.db.writing(platformScope), p)
}

// Rehash implements ports.KeyUses. It is a matter of the key's own organization.
func (u *KeyUses) Rehash(ctx context.Context, org id.Org, k id.APIKey, from, to apikey.Versioned) error {
	return queries.APIKeyRehash(ctx, u.db.writing(orgScope(org)), &dbsqlc.APIKeyRehashParams{
		OrgID: org.UUID(), ID: k.UUID(), PepperVersion: from.Version, Hash: from.Hash[:], NewVersion: to.Version, NewHash: to.Hash[:],
	})
}

// KeyCensus looks at all keys as the authentication role does.
type KeyCensus struct{ db dbsqlc.DBTX }

var _ ports.KeyCensus = (*KeyCensus)(nil)

// NewKeyCensus returns the census of a database's keys.
func NewKeyCensus(db *DB) *KeyCensus { return &KeyCensus{guarded{db.auth}} }

// Peppers implements ports.KeyCensus.
func (c *KeyCensus) Peppers(ctx context.Context, now time.Time) (map[int16]int64, error) {
	rows, err := queries.KeyCensusPeppers(ctx, c.db, stored(now))
	if err != nil {
		return nil, err
	}
	out := make(map[int16]int64, len(rows))
	for _, r := range rows {
		out[r.Version] = r.Secrets
	}
	return out, nil
}

// DueWarnings implements ports.KeyCensus.
func (c *KeyCensus) DueWarnings(ctx context.Context, now time.Time, limit int) ([]apikey.Ref, error) {
	rows, err := queries.KeyCensusDue(ctx, c.db, &dbsqlc.KeyCensusDueParams{Now: stored(now), MaxRows: count(limit)})
	if err != nil {
		return nil, err
	}
	out := make([]apikey.Ref, len(rows))
	for i, r := range rows {
		out[i] = apikey.Ref{Org: id.FromUUID[id.OrgKind](r.OrgID), Key: id.FromUUID[id.APIKeyKind](r.ID)}
	}
	return out, nil
}
