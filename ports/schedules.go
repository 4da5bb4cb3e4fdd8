package ports

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
)

// Schedules keeps tenants' schedules. The namespace is that of the organization's
// row, and the adapter's credential is good for it alone. What is absent is
// schedule.ErrNotFound, whatever is asked of it.
type Schedules interface {
	// Create makes a schedule. The actor is recorded on each workflow that it starts.
	// A claimed request that is repeated makes it once, and succeeds. It fails with
	// schedule.ErrExists.
	Create(ctx context.Context, namespace string, by authz.Actor, s schedule.Schedule) error
	// Describe returns the schedule as it stands.
	Describe(ctx context.Context, namespace, scheduleID string) (schedule.Status, error)
	// List lists the schedules. What has just changed may be shown a moment late.
	List(ctx context.Context, namespace string, r page.TokenRequest) (page.TokenPage[schedule.Summary], error)
	// Update changes the schedule, and nothing when it has not the version; 0 is any.
	// What the change does not name stays, whoever changes it meanwhile. From then on
	// the actor is recorded on each workflow that it starts. It fails with
	// fault.ErrStale.
	Update(ctx context.Context, namespace string, by authz.Actor, scheduleID string, version int64, c schedule.Change) error
	// Pause stops the schedule with a note. One that is paused has the new note then.
	Pause(ctx context.Context, namespace, scheduleID, note string) error
	// Unpause lets the schedule go on, with a note.
	Unpause(ctx context.Context, namespace, scheduleID, note string) error
	// Hold pauses the schedule with a note, unless it is paused: then it stays as it is.
	Hold(ctx context.Context, namespace, scheduleID, note string) error
	// Release lets the schedule go on with a note, if it is paused with one that has the
	// mark in it. Any other stays as it is. It tells whether the schedule runs then.
	Release(ctx context.Context, namespace, scheduleID, mark, note string) (runs bool, err error)
	// Trigger starts the schedule's workflow now, also when it is paused. One call
	// starts it once at most; after fault.ErrUnavailable and fault.ErrTimeout nobody
	// knows whether it did.
	Trigger(ctx context.Context, namespace, scheduleID string, o schedule.Overlap) error
	// Backfill starts what the schedule would have started, and returns how many that
	// are. Before, it asks admit for so many, and starts none when that fails. It bears repetition no better than Trigger. It fails with
	// schedule.ErrBackfillSize, and schedule.ErrBackfills.
	Backfill(ctx context.Context, namespace, scheduleID string, b schedule.Backfill, admit func(n int) error) (int, error)
	// Delete deletes the schedule, unless it has not the version; 0 is any. What it
	// has started runs on. It fails with fault.ErrStale.
	Delete(ctx context.Context, namespace, scheduleID string, version int64) error
	// DeleteAll deletes every schedule of the namespace that is listed; that there is no
	// such namespace, or that one is gone meanwhile, is success. What it has deleted stays
	// so when it fails, or ctx ends: who calls it often enough comes to the end. What is
	// made meanwhile may be missed.
	DeleteAll(ctx context.Context, namespace string) error
}
