package ports

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// CredentialFeed tells that what Credentials.Find returns has changed, for those who
// keep it.
type CredentialFeed interface {
	// Since returns every change that had not become visible at the cursor and is
	// visible now, and the cursor of now. Nothing is left out, whatever the order in
	// which transactions began, wrote and committed; a change may be told twice. That
	// something is new is no change. The zero cursor, and one that says nothing about
	// this database any more, as after a failover, make everything a change.
	Since(ctx context.Context, cursor CredentialCursor) (CredentialChanges, CredentialCursor, error)
	// Wait returns when something may have changed since the last call, after limit
	// at the latest, or with ctx's error. It is for one caller at a time. A change may
	// come unannounced: Since is to be asked from time to time.
	Wait(ctx context.Context, limit time.Duration) error
	// Written counts the transactions of this process on an organization, by whatever
	// port, that may have changed something, and sometimes those on others. It has grown
	// before the call returns that made the change: for those who just made it, what was
	// kept of the organization before is outdated at once.
	Written(o id.Org) uint64
	// WrittenUntil returns what Written says now, of every organization.
	WrittenUntil() func(o id.Org) uint64
}

// CredentialCursor is a moment of a database, which only its feed can read.
type CredentialCursor string

// CredentialChanges says whose credentials have changed.
type CredentialChanges struct {
	Everything bool
	Orgs       []id.Org // all keys of these organizations
	Keys       []apikey.Ref
}
