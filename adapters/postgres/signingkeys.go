package postgres

import (
	"context"
	"slices"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/ports"
)

// signingKeysLock is the number of the advisory lock under which signing keys
// change. It is arbitrary, and nobody else's.
const signingKeysLock = 0x62686b5f6b657973

// SigningKeys is where the signing keys are kept.
type SigningKeys struct{ db *DB }

var _ ports.SigningKeys = (*SigningKeys)(nil)

// NewSigningKeys returns the signing keys of a database.
func NewSigningKeys(db *DB) *SigningKeys { return &SigningKeys{db} }

// List implements ports.SigningKeys, oldest first.
func (s *SigningKeys) List(ctx context.Context) ([]signing.Key, error) {
	return listSigningKeys(ctx, s.db.reading(scope{}))
}

// Change implements ports.SigningKeys. Like every transaction's function, fn
// may run again.
func (s *SigningKeys) Change(ctx context.Context, fn func([]signing.Key) ([]signing.Key, error)) error {
	return s.db.transact(ctx, scope{}, func(ctx context.Context, tx *work) error {
		if err := queries.SigningKeyLock(ctx, tx, signingKeysLock); err != nil {
			return err
		}
		keys, err := listSigningKeys(ctx, tx)
		if err != nil {
			return err
		}
		keys, err = fn(keys)
		if err != nil {
			return err
		}
		for _, k := range activeLast(keys) {
			if err := queries.SigningKeyUpsert(ctx, tx, fromSigningKey(k)); err != nil {
				return err
			}
		}
		return nil
	})
}

func listSigningKeys(ctx context.Context, db dbsqlc.DBTX) ([]signing.Key, error) {
	rows, err := queries.SigningKeyList(ctx, db)
	if err != nil {
		return nil, err
	}
	return each(rows, toSigningKey)
}

// activeLast orders the keys so that the one which signs no longer is stored
// before the one that takes over: the database admits one active key at any
// moment, within a transaction too.
func activeLast(keys []signing.Key) []signing.Key {
	keys = slices.Clone(keys)
	slices.SortStableFunc(keys, func(a, b signing.Key) int { return rank(a) - rank(b) })
	return keys
}

func rank(k signing.Key) int {
	if k.State == signing.Active {
		return 1
	}
	return 0
}
