// Package sleep waits between two attempts without outliving who asked for them.
package sleep

import (
	"context"
	"time"
)

// For waits for d, and tells whether it did: it returns false at once when ctx ends
// first. No time and less is a sleep as well, of which the answer is whether ctx is
// still alive.
func For(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
