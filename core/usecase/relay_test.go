package usecase_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/usecase/relay"
	"github.com/bulkheadhq/bulkhead/ports"
)

// asking returns a message that asks for provisioning.
func asking(t *testing.T, o id.Org, now time.Time) (outbox.Message, id.Operation) {
	t.Helper()
	op := id.New[id.OperationKind]()
	m, err := outbox.NewProvision(o, op, now)
	must(t, err)
	return m, op
}

// ask leaves such a message.
func (w *world) ask(o id.Org) (id.Message, id.Operation) {
	w.t.Helper()
	m, op := asking(w.t, o, w.clock.Now())
	w.addMessage(m)
	return m.ID, op
}

func refuse(err error) func(context.Context, outbox.ProvisionPayload) error {
	return func(context.Context, outbox.ProvisionPayload) error { return err }
}

func TestRelay(t *testing.T) {
	t.Parallel()

	t.Run("Should deliver and remove", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).relay
		_, a := w.ask(w.addOrg("a", org.Provisioning))
		_, b := w.ask(w.addOrg("b", org.Provisioning))
		n, err := s.Deliver(t.Context())
		is.NoErr(err)
		is.Equal(n, 2)
		is.Equal(w.temporal.started, map[id.Operation]int{a: 1, b: 1})
		is.Equal(w.rows("outbox"), 0)
		n, err = s.Deliver(t.Context())
		is.NoErr(err)
		is.Equal(n, 0)
	})

	t.Run("Should say what it delivers for which organization", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("a", org.Provisioning)
		_, op := w.ask(o)
		var got outbox.ProvisionPayload
		w.temporal.deliver = func(_ context.Context, p outbox.ProvisionPayload) error { got = p; return nil }
		_, err := newServices(w).relay.Deliver(t.Context())
		is.NoErr(err)
		is.Equal(got, outbox.ProvisionPayload{Organization: o, Operation: op})
	})

	t.Run("Should come back ever later, half a minute at most, and never give up", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).relay
		o := w.addOrg("a", org.Provisioning)
		m, op := w.ask(o)
		w.temporal.deliver = refuse(fault.ErrUnavailable)
		want := []int{200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000} // milliseconds
		for attempt, ms := range want {
			d := time.Duration(ms) * time.Millisecond
			_, err := s.Deliver(t.Context())
			is.NoErr(err)
			left := w.message(m)
			is.Equal(left.Due.Sub(w.clock.Now()), d)
			is.Equal(left.Attempts, attempt+1)
			is.True(strings.HasPrefix(left.Reason, "unavailable"))
			w.clock.advance(d - time.Microsecond)
			n, err := s.Deliver(t.Context())
			is.NoErr(err)
			is.Equal(n, 0) // not before its time
			w.clock.advance(time.Microsecond)
		}
		is.Equal(w.temporal.started[op], len(want))

		old, _ := asking(t, o, w.clock.Now())
		old.Attempts = 1_000_000
		w.addMessage(old)
		_, err := s.Deliver(t.Context())
		is.NoErr(err)
		is.Equal(w.message(old.ID).Due.Sub(w.clock.Now()), 30*time.Second)
		is.Equal(w.temporal.started[op], len(want)+1)
		is.Equal(w.rows("outbox"), 2)
	})

	t.Run("Should keep what it does not understand and deliver the rest", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("a", org.Provisioning)
		now := w.clock.Now()
		newer := outbox.Message{ID: id.New[id.MessageKind](), OrgID: o, Kind: "org.provision.v2", Payload: json.RawMessage(`{}`), CreatedAt: now}
		broken := outbox.Message{
			ID: id.New[id.MessageKind](), OrgID: o, Kind: outbox.ProvisionOrganization,
			Payload: json.RawMessage(`{"organization":"x"}`), CreatedAt: now,
		}
		w.addMessage(newer)
		w.addMessage(broken)
		_, op := w.ask(o)
		n, err := newServices(w).relay.Deliver(t.Context())
		is.NoErr(err)
		is.Equal(n, 3)
		is.Equal(w.temporal.started, map[id.Operation]int{op: 1})
		is.Equal(w.rows("outbox"), 2)
		is.True(w.message(newer.ID).Reason != "" && w.message(broken.ID).Reason != "")
		is.Equal(strings.Count(w.log.String(), "message not delivered"), 2)
	})

	t.Run("Should deliver a batch at the same time", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("a", org.Provisioning)
		for range 10 {
			w.ask(o)
		}
		_, fast := w.ask(o)
		delivered := make(chan struct{})
		w.temporal.deliver = func(ctx context.Context, p outbox.ProvisionPayload) error {
			if p.Operation == fast {
				close(delivered)
				return nil
			}
			select {
			case <-delivered: // the last one has not waited for this one
				return fault.ErrUnavailable
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		n, err := newServices(w).relay.Deliver(t.Context())
		is.NoErr(err)
		is.Equal(n, 11)
		is.Equal(w.rows("outbox"), 10)
		is.Equal(strings.Count(w.log.String(), "unavailable"), 10)
	})

	t.Run("Should let no message wait for a slow one beyond the lease", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			var told toldOutbox
			for range 10 {
				m, _ := asking(t, id.New[id.OrgKind](), time.Now())
				told.next = append(told.next, m)
			}
			last, fast := asking(t, id.New[id.OrgKind](), time.Now())
			told.next = append(told.next, last)
			slow := &temporal{spy: newSpy(t), deliver: func(ctx context.Context, p outbox.ProvisionPayload) error {
				if p.Operation == fast {
					return nil
				}
				<-ctx.Done() // a server that never answers
				return ctx.Err()
			}}
			start := time.Now()
			_, err := relay.New(&told, noOperations{}, slow, wall{}, slog.New(slog.DiscardHandler)).Deliver(t.Context())
			is.NoErr(err)
			is.Equal(told.done, []id.Message{last.ID})
			is.Equal(len(told.retried), 10)
			is.True(time.Since(start) < 5*time.Second) // the lease: nobody else has claimed them meanwhile
		})
	})

	t.Run("Should claim for no longer than the lease, and hide what it has claimed", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).relay
		m, _ := w.ask(w.addOrg("a", org.Provisioning))
		w.breaks("Retry", fault.ErrUnavailable) // so that the claim stays
		w.temporal.deliver = refuse(fault.ErrUnavailable)
		_, err := s.Deliver(t.Context())
		is.NoErr(err)
		is.Equal(w.message(m).Due.Sub(w.clock.Now()), 5*time.Second)
		n, err := s.Deliver(t.Context())
		is.NoErr(err)
		is.Equal(n, 0)
	})

	t.Run("Should deliver again what could not be removed or put back", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).relay
		_, op := w.ask(w.addOrg("a", org.Provisioning))
		w.breaks("Done", fault.ErrUnavailable)
		_, err := s.Deliver(t.Context())
		is.NoErr(err)
		w.mends("Done")
		w.breaks("Retry", fault.ErrUnavailable)
		w.temporal.deliver = refuse(errors.New("no"))
		w.clock.advance(5 * time.Second) // the lease
		_, err = s.Deliver(t.Context())
		is.NoErr(err)
		w.temporal.deliver = nil
		w.clock.advance(5 * time.Second)
		_, err = s.Deliver(t.Context())
		is.NoErr(err)
		is.Equal(w.temporal.started[op], 3)
		is.Equal(w.rows("outbox"), 0)
		is.True(strings.Contains(w.log.String(), "not removed"))
		is.True(strings.Contains(w.log.String(), "not put back"))
	})

	t.Run("Should run until it is told to stop, through every failure, and never spin", func(t *testing.T) {
		t.Parallel()
		for name, told := range map[string]*toldOutbox{
			"nothing":            {},
			"a claim that fails": {claim: fault.ErrUnavailable},
			"a wait that fails":  {wait: fault.ErrUnavailable},
			"both":               {claim: fault.ErrUnavailable, wait: fault.ErrUnavailable},
		} {
			t.Run("Should survive "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					is := is.New(t)
					ctx, cancel := context.WithCancel(t.Context())
					ended := make(chan struct{})
					s := relay.New(told, noOperations{}, &temporal{spy: newSpy(t)}, wall{}, slog.New(slog.DiscardHandler))
					go func() { s.Run(ctx); close(ended) }()
					pass(time.Minute)
					synctest.Wait()
					m, _ := asking(t, id.New[id.OrgKind](), time.Now())
					told.mu.Lock()
					claims := told.claims
					told.claim, told.next = nil, []outbox.Message{m}
					told.mu.Unlock()
					is.True(claims >= 50 && claims <= 62)

					pass(3 * time.Second)
					synctest.Wait()
					is.Equal(told.done, []id.Message{m.ID}) // it has recovered
					cancel()
					<-ended
				})
			})
		}
	})

	t.Run("Should deliver what is left while it waits", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("a", org.Provisioning)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		waits := w.watch("Wait")
		go func() { newServices(w).relay.Run(ctx); close(ended) }()
		<-waits
		delivered := w.watch("ProvisionOrganization")
		_, op := w.ask(o)
		<-delivered
		<-w.watch("Wait") // it goes on when the delivery is settled
		is.Equal(w.rows("outbox"), 0)
		cancel()
		<-ended
		is.Equal(w.temporal.started, map[id.Operation]int{op: 1})
	})

	t.Run("Should not wait while there may be more", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		const many = 500
		w := newWorld(t)
		o := w.addOrg("a", org.Provisioning)
		w.write(o, func(ctx context.Context, tx ports.Tx) error {
			for range many {
				m, _ := asking(t, o, w.clock.Now())
				if err := tx.Outbox.Append(ctx, m); err != nil {
					return err
				}
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		waits := w.watch("Wait")
		go func() { newServices(w).relay.Run(ctx); close(ended) }()
		<-waits
		is.Equal(w.rows("outbox"), 0) // before it waited at all
		cancel()
		<-ended
		calls := w.called()
		claims := slices.DeleteFunc(calls[:slices.Index(calls, "Wait")], func(c string) bool { return c != "Claim" })
		is.Equal(len(claims), many/16+1)
		is.Equal(len(w.temporal.started), many)
		for op, n := range w.temporal.started {
			if n != 1 {
				t.Errorf("%s was delivered %d times", op, n)
			}
		}
	})
}
