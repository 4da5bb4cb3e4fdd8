package temporal_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/usecase/namespaces"
	"github.com/bulkheadhq/bulkhead/ports"
)

// nobodys is a database without an organization.
type nobodys struct {
	ports.Store
	ports.Platform
}

func (nobodys) Org(context.Context, id.Org) (org.Org, error) { return org.Org{}, fault.ErrNotFound }

func (nobodys) WriteTx(context.Context, id.Org, func(context.Context, ports.Tx) error) error {
	return nil
}

// lastLook has something looked at right before a namespace is deleted.
type lastLook struct {
	ports.Namespaces
	look func()
}

func (l lastLook) Discard(ctx context.Context, name, identifier string) error {
	l.look()
	return l.Namespaces.Discard(ctx, name, identifier)
}

// TestOrphanWithSchedule deletes a namespace in which a schedule starts something every
// second, which Temporal would have to remove as well.
func TestOrphanWithSchedule(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	b := setup(t)
	p := b.admit(t)
	p.treat(t)
	schedules, name := temporal.NewSchedules(b.conn), p.row.Namespace
	is.NoErr(schedules.Create(t.Context(), name, member(), schedule.Schedule{
		ID: "tick", Spec: schedule.Spec{Intervals: []schedule.Interval{{Every: time.Second}}},
		Policy: schedule.Policy{Overlap: schedule.AllowAll}, Action: schedule.Action{Type: "Any", TaskQueue: "nobody"},
	}))
	eventually(t, "the schedule is listed, and has started something", func() bool {
		listed, err := schedules.List(t.Context(), name, page.TokenRequest{Limit: 1})
		n, failed := b.dispatcher.Count(t.Context(), name, `WorkflowType = "Any"`, false)
		return err == nil && failed == nil && len(listed.Items) == 1 && n.Total > 0
	})
	left := errors.New("not looked at")
	look := lastLook{b.namespaces, func() { _, left = schedules.Describe(t.Context(), name, "tick") }}
	s := namespaces.New(nobodys{}, nobodys{}, look, b.dispatcher, schedules, namespace.Standard{}, systemClock{})
	by := authz.NewKeyActor(authz.KeyHolder{Org: id.SystemOrg, User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Role: authz.Operator})
	is.NoErr(s.DeleteOrphan(t.Context(), by, name, name))
	is.True(errors.Is(left, schedule.ErrNotFound)) // when the namespace went, it was gone
	eventually(t, "Temporal has removed all that was in it", func() bool {
		return b.namespaces.Gone(t.Context(), name, p.row.ID) == nil
	})
}
