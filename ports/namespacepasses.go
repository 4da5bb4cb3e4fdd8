package ports

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/namespace"
)

// NamespacePasses is where the processes of a deployment take turns with the pass
// over all namespaces, so that it costs Temporal the same however many they are.
type NamespacePasses interface {
	// Claim returns how far the pass is, and whether it is the caller's turn to go on:
	// when it is due, and nobody else's. A turn ends when it is saved, and after the
	// lease. Of any number of callers at the same time at most one has it.
	Claim(ctx context.Context, now time.Time, lease time.Duration) (namespace.Pass, bool, error)
	// Save stores how far the pass has come and ends the caller's turn. It changes
	// nothing when the turn is another's by now, which it tells.
	Save(ctx context.Context, p namespace.Pass) (saved bool, err error)
}

// NamespaceMeter counts what a pass over all namespaces finds, for whoever runs the
// deployment. Its methods return at once and never fail; what it counts names no
// tenant.
type NamespaceMeter interface {
	// NamespacesSeen tells what the last whole pass has counted, and when it ended.
	NamespacesSeen(t namespace.Tally, ended time.Time)
	// NamespaceRepaired counts a namespace that was made as it must be.
	NamespaceRepaired()
}
