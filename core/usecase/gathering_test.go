package usecase_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/core/usecase/relay"
	"github.com/bulkheadhq/bulkhead/ports"
)

// deliverAll delivers what is due.
func (w *world) deliverAll(s services) {
	w.t.Helper()
	for n := 1; n > 0; {
		var err error
		n, err = s.relay.Deliver(w.t.Context())
		must(w.t, err)
	}
}

// reviewer looks at an organization's row whenever it is told to, as the workflow does.
type reviewer struct {
	ports.Orchestrator
	look func(o id.Org)
}

func (r reviewer) ReviewNamespace(_ context.Context, p outbox.NamespacePayload) error {
	r.look(p.Organization)
	return nil
}

func TestGathering(t *testing.T) {
	t.Parallel()
	keep := func(t *testing.T, s services, o id.Org, days int) {
		t.Helper()
		_, err := s.orgs.Update(t.Context(), holder(o, authz.Admin), o, orgs.UpdateInput{Settings: &org.Settings{WorkflowRetentionDays: days}})
		must(t, err)
	}

	t.Run("Should repair a namespace once for all that was set in a while, and no other's later for that", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o, neighbour := w.addNamespaced("acme", org.Active, nil), w.addNamespaced("neighbour", org.Active, nil)
		reviews := func(o id.Org) int { return w.count("ReviewNamespace " + o.String()) }
		const seconds, perSecond = 60, 8
		for i := range seconds * perSecond {
			keep(t, s, o, 1+i%2)
			if i == 0 {
				keep(t, s, neighbour, 9)
			}
			w.clock.advance(time.Second / perSecond)
			w.deliverAll(s)
			if i == perSecond*int(outbox.Gathering/time.Second) {
				is.Equal(reviews(neighbour), 1) // in time
			}
		}
		w.clock.advance(outbox.Gathering)
		w.deliverAll(s)
		n := reviews(o)
		is.True(n > seconds/10 && n <= 1+seconds/int(outbox.Gathering/time.Second))
		is.Equal(reviews(neighbour), 1)
		_, err := s.watch.Review(t.Context(), outbox.NamespacePayload{Organization: o})
		is.NoErr(err)
		is.Equal(w.temporal.states[w.namespaceOf(o)].Retention, 2*day)
		is.Equal(w.rows("outbox"), 0)
	})

	t.Run("Should never miss the last value, whenever it is set", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addNamespaced("acme", org.Active, nil)
		seen := 0
		r := relay.New(w.unseen.outbox, w.store, reviewer{w.temporal, func(o id.Org) {
			row := w.orgOf(o)
			seen = row.Snapshot().Settings.WorkflowRetentionDays
		}}, w.clock, slog.New(slog.DiscardHandler))
		for round := range 40 {
			var both sync.WaitGroup
			both.Go(func() { keep(t, s, o, 1+round) })
			both.Go(func() {
				for range 3 {
					w.clock.advance(outbox.Gathering)
					_, err := r.Deliver(t.Context())
					if err != nil {
						t.Error(err)
					}
				}
			})
			both.Wait()
			w.clock.advance(outbox.Gathering)
			_, err := r.Deliver(t.Context())
			is.NoErr(err)
			is.Equal(seen, 1+round)
		}
	})
}
