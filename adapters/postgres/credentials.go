package postgres

import (
	"context"
	"crypto/subtle"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Credentials finds the owner of a presented key. It works as the
// authentication role, on that role's own pool.
type Credentials struct{ db dbsqlc.DBTX }

var _ ports.Credentials = (*Credentials)(nil)

// NewCredentials returns the credentials of a database.
func NewCredentials(db *DB) *Credentials { return &Credentials{guarded{db.auth}} }

// Find implements ports.Credentials. The index has compared the hashes already,
// in a time that tells nothing an attacker could steer; comparing them again in
// constant time costs nothing and does not depend on that argument.
func (c *Credentials) Find(ctx context.Context, candidates []apikey.Versioned) (apikey.Credential, error) {
	p := dbsqlc.CredentialFindParams{Versions: make([]int16, len(candidates)), Hashes: make([][]byte, len(candidates))}
	for i := range candidates {
		p.Versions[i], p.Hashes[i] = candidates[i].Version, candidates[i].Hash[:]
	}
	rows, err := queries.CredentialFind(ctx, c.db, &p)
	if err != nil {
		return apikey.Credential{}, err
	}
	for _, row := range rows {
		for _, candidate := range candidates {
			if row.PepperVersion == candidate.Version && subtle.ConstantTimeCompare(row.Hash, candidate.Hash[:]) == 1 {
				return toCredential(row)
			}
		}
	}
	return apikey.Credential{}, fault.ErrNotFound
}
