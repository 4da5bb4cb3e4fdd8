package usecase_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/ports"
)

// TestRelayShows has operations tell whoever waits for them that they are not delivered.
func TestRelayShows(t *testing.T) {
	t.Parallel()

	// open stores an operation of a kind, and the message that it waits for.
	open := func(t *testing.T, w *world, o id.Org, k operation.Kind, m func(id.Org, id.Operation, time.Time) (outbox.Message, error)) id.Operation {
		t.Helper()
		op := operation.New(id.New[id.OperationKind](), o, k, w.clock.Now())
		message, err := m(o, op.Snapshot().ID, w.clock.Now())
		must(t, err)
		w.write(o, func(ctx context.Context, tx ports.Tx) error {
			return errors.Join(tx.Operations.Insert(ctx, op), tx.Outbox.Append(ctx, message))
		})
		return op.Snapshot().ID
	}
	without := func(m func(id.Org, time.Time) (outbox.Message, error)) func(id.Org, id.Operation, time.Time) (outbox.Message, error) {
		return func(o id.Org, _ id.Operation, now time.Time) (outbox.Message, error) { return m(o, now) }
	}
	kinds := map[operation.Kind]struct {
		message func(id.Org, id.Operation, time.Time) (outbox.Message, error)
		port    string
	}{
		operation.ProvisionOrganization: {outbox.NewProvision, "ProvisionOrganization"},
		operation.DeleteOrganization:    {without(outbox.NewDeletion), "ReviewDeletion "},
		operation.PauseSchedules:        {without(outbox.NewSchedules), "ReviewSchedules "},
		operation.ResumeSchedules:       {without(outbox.NewSchedules), "ReviewSchedules "},
	}
	port := func(k operation.Kind, o id.Org) string {
		if p := kinds[k].port; strings.HasSuffix(p, " ") {
			return p + o.String()
		}
		return kinds[k].port
	}

	for k, c := range kinds {
		t.Run("Should show what is in the way, and no more when it is not: "+k.String(), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w).relay
			o, other := w.addOrg("a", org.Provisioning), w.addOrg("b", org.Provisioning)
			bystander := w.addOperation(other)
			op := open(t, w, o, k, c.message)
			shows := func() operation.Snapshot {
				row := w.operationOf(o, op)
				return row.Snapshot()
			}
			w.breaks(port(k, o), fault.ErrUnavailable.Because(errors.New("10.0.0.7 refused")))
			for attempt := 1; attempt <= 3; attempt++ {
				_, err := s.Deliver(t.Context())
				is.NoErr(err)
				is.Equal(shows().State, operation.Pending) // it has not begun
				is.Equal(shows().Attempts, attempt)
				is.Equal(shows().FailureCode, "unavailable")
				is.Equal(shows().Failure, fault.ErrUnavailable.Public)
				w.clock.advance(time.Minute)
			}
			w.mends(port(k, o))
			_, err := s.Deliver(t.Context())
			is.NoErr(err)
			is.Equal(w.rows("outbox"), 0)
			is.Equal(shows().State, operation.Pending)
			is.Equal(shows().Attempts, 0)
			is.Equal(shows().Failure+shows().FailureCode, "")
			still := w.operationOf(other, bystander)
			is.Equal(still.Snapshot().Failure, "")
		})
	}

	t.Run("Should cost nothing when a message is delivered at once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		open(t, w, w.addOrg("a", org.Provisioning), operation.ProvisionOrganization, outbox.NewProvision)
		_, err := newServices(w).relay.Deliver(t.Context())
		is.NoErr(err)
		is.Equal(w.count("WriteTx"), 0)
	})

	t.Run("Should leave alone what has begun, and what nobody waits for", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).relay
		o := w.addOrg("a", org.Provisioning)
		op := open(t, w, o, operation.ProvisionOrganization, outbox.NewProvision)
		w.write(o, func(ctx context.Context, tx ports.Tx) error {
			return tx.Operations.Update(ctx, op, func(op *operation.Operation) error {
				return op.Complete(operation.NamespaceRegistered, w.clock.Now())
			})
		})
		before := w.operationOf(o, op)
		review, err := outbox.NewNamespace(o, w.clock.Now().Add(-outbox.Gathering))
		is.NoErr(err)
		w.addMessage(review)
		w.breaks("ProvisionOrganization", fault.ErrUnavailable)
		w.breaks("ReviewNamespace "+o.String(), fault.ErrUnavailable)
		_, err = s.Deliver(t.Context())
		is.NoErr(err)
		is.Equal(w.operationOf(o, op), before)
		is.Equal(w.count("WriteTx"), 1)
	})

	t.Run("Should put the message back, whatever becomes of what is shown", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, p := range []string{"WriteTx", "Operations.Update", "Commit"} {
			w := newWorld(t)
			s := newServices(w).relay
			o := w.addOrg("a", org.Provisioning)
			op := open(t, w, o, operation.ProvisionOrganization, outbox.NewProvision)
			w.breaks("ProvisionOrganization", fault.ErrUnavailable)
			w.breaks(p, fault.ErrUnavailable)
			_, err := s.Deliver(t.Context())
			is.NoErr(err)
			is.Equal(w.count("Retry"), 1)
			w.mends("ProvisionOrganization")
			w.clock.advance(time.Minute)
			_, err = s.Deliver(t.Context())
			is.NoErr(err)
			is.Equal(w.rows("outbox"), 0)
			is.Equal(w.temporal.started[op], 2)
			is.True(strings.Contains(w.log.String(), "does not show"))
		}
	})

	t.Run("Should say that Temporal is slow, where it does not answer at all", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("a", org.Provisioning)
		op := open(t, w, o, operation.ProvisionOrganization, outbox.NewProvision)
		w.temporal.deliver = refuse(context.DeadlineExceeded)
		_, err := newServices(w).relay.Deliver(t.Context())
		is.NoErr(err)
		row := w.operationOf(o, op)
		is.Equal(row.Snapshot().FailureCode, "timeout")
	})
}
