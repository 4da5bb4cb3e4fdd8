package ports

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/pool"
)

// WorkerMembers is where the processes are kept that share the organizations of a
// pool of workers. Its clock is the database's. The pool "" is that of all
// organizations.
type WorkerMembers interface {
	// Hold makes a process a member of the pool, or keeps it one, until the lease ends.
	// Members whose leases have ended stay until another holds its own anew that had
	// not ended: after a time in which nobody could ask, nobody is taken away who comes
	// back as soon as the others.
	Hold(ctx context.Context, pool, member string, lease time.Duration) error
	// Leave ends the membership at once. That there was none is success.
	Leave(ctx context.Context, pool, member string) error
	// Leases returns the leases of all members, by pool and member.
	Leases(ctx context.Context) ([]pool.Lease, error)
	// All returns the members of each pool.
	All(ctx context.Context) (map[string][]string, error)
	// Wait returns when a member may have come or gone, or an organization may have
	// changed in what a worker is told of it, since the last call; after limit at the
	// latest, or with ctx's error. It is for one caller at a time. A change may come
	// unannounced: one is to look from time to time.
	Wait(ctx context.Context, limit time.Duration) error
}
