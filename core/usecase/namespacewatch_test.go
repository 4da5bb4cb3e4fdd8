package usecase_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/usecase/namespaces"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/ports"
)

// passes notes the turns of a pass.
type passes struct {
	*spy
	real ports.NamespacePasses
}

func (p passes) Claim(ctx context.Context, now time.Time, lease time.Duration) (pass namespace.Pass, mine bool, err error) {
	if err := p.call("Passes.Claim"); err != nil {
		return namespace.Pass{}, false, err
	}
	return p.real.Claim(ctx, now, lease)
}

func (p passes) Save(ctx context.Context, next namespace.Pass) (bool, error) {
	return asked(p.spy, "Passes.Save", func() (bool, error) { return p.real.Save(ctx, next) })
}

func (w *world) newWatch(p namespaces.Policy) *namespaces.Watch {
	log := slog.New(slog.NewTextHandler(w.log, nil))
	return namespaces.NewWatch(w.store, w.platform, w.temporal, w.passes, namespace.Standard{}, p, w.clock, w.meter, log)
}

// addNamespaced stores an organization whose namespace Temporal has, as it must be but
// for the change.
func (w *world) addNamespaced(slug string, s org.State, change func(*namespace.State)) id.Org {
	w.t.Helper()
	o := w.addOrg(slug, s)
	state := registered(o)
	state.ID = "of " + slug
	if change != nil {
		change(&state)
	}
	w.has(w.namespaceOf(o), state)
	return o
}

// has makes Temporal have a namespace, and list it.
func (w *world) has(name string, s namespace.State) {
	if w.temporal.states == nil {
		w.temporal.states = map[string]namespace.State{}
	}
	w.temporal.states[name] = s
	if s.Status != namespace.Absent && s.Status != namespace.Deleted {
		w.temporal.listed = append(w.temporal.listed, namespace.Found{Name: name, State: s})
	}
}

// whole takes the turns of a whole pass.
func (w *world) whole(s *namespaces.Watch) {
	w.t.Helper()
	w.clock.advance(2 * time.Hour) // the last one is over
	before := len(w.meter.tallies)
	for range 100 {
		_, err := s.Turn(w.t.Context())
		must(w.t, err)
		if len(w.meter.tallies) > before && w.meter.ended.Equal(w.clock.Now()) {
			return
		}
		w.clock.advance(time.Second)
	}
	w.t.Fatal("the pass does not end")
}

func (w *world) lastTally() namespace.Tally { return w.meter.tallies[len(w.meter.tallies)-1] }

func short(s *namespace.State) { s.Retention = time.Hour }

func TestNamespaceWatch(t *testing.T) {
	t.Parallel()
	foreign := func(s *namespace.State) { s.Owner = id.New[id.OrgKind]().String() }
	absent := func(s *namespace.State) { *s = namespace.State{Status: namespace.Absent} }
	mistyped := func(s *namespace.State) { s.Attributes = map[string]string{namespace.AttributeActor: "Text"} }

	t.Run("Should repair all that can be repaired, with each repair on record, and count the rest", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.addSystem()
		s := newServices(w)
		for i := range 30 { // more than a turn looks at
			w.addNamespaced("org-"+string(rune('a'+i%26))+string(rune('a'+i/26)), org.Active, nil)
		}
		drifted, paused := w.addNamespaced("drifted", org.Active, short), w.addNamespaced("paused", org.Suspended, short)
		w.addNamespaced("mistyped", org.Active, mistyped)
		w.addNamespaced("foreign", org.Active, foreign)
		w.addNamespaced("absent", org.Active, absent)
		for _, state := range []org.State{org.Provisioning, org.Failed, org.Deleting} {
			w.addNamespaced("org-"+state.String(), state, absent)
		}
		w.whole(s.watch)
		is.Equal(w.lastTally(), namespace.Tally{Drifted: 1, Missing: 2, Orphaned: 1}) // of the foreign one, no organization is known
		is.Equal(w.meter.repaired, 2)
		trail := w.trail()
		is.Equal(len(trail), 2)
		for i, o := range []id.Org{drifted, paused} {
			is.Equal(w.temporal.states[w.namespaceOf(o)].Retention, namespace.DefaultRetention)
			is.Equal(trail[i].Action, audit.NamespaceReconcileRequested.String())
			is.Equal(trail[i].ResourceID, w.namespaceOf(o))
			is.Equal(trail[i].Actor, whoIs(authz.Reconciler))
		}
		w.whole(s.watch)
		is.Equal(w.lastTally(), namespace.Tally{Drifted: 1, Missing: 2, Orphaned: 1})
		is.Equal(len(w.trail()), 2) // nothing was left to repair
	})

	t.Run("Should only count, when nothing is to be repaired", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addNamespaced("drifted", org.Active, short)
		w.whole(w.newWatch(namespaces.Policy{ReportOnly: true, Every: time.Hour}))
		is.Equal(w.lastTally(), namespace.Tally{Drifted: 1})
		is.Equal(w.temporal.states[w.namespaceOf(o)].Retention, time.Hour)
		is.Equal(w.meter.repaired, 0)
		is.Equal(len(w.trail()), 0)
	})

	t.Run("Should look at each namespace once a pass, however many look, and all tell the same", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		for i := range 40 {
			w.addNamespaced("org-"+string(rune('a'+i%26))+string(rune('a'+i/26)), org.Active, short)
		}
		// Replicas past the spies, whose transactions know of one another not at all.
		turns := postgres.NewNamespacePasses(w.database.db)
		replicas := make([]*namespaces.Watch, 4)
		meters := make([]*meter, len(replicas))
		for i := range replicas {
			meters[i] = &meter{}
			replicas[i] = namespaces.NewWatch(w.unseen.store, postgres.NewPlatform(w.database.db), locked{Namespaces: w.temporal, mu: &sync.Mutex{}}, turns,
				namespace.Standard{}, namespaces.Policy{Every: time.Hour}, w.clock, meters[i], slog.New(slog.DiscardHandler))
		}
		for range 60 {
			var all sync.WaitGroup
			for _, r := range replicas {
				all.Go(func() {
					if _, err := r.Turn(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			w.clock.advance(time.Second)
		}
		repaired := 0
		for _, m := range meters {
			repaired += m.repaired
			is.Equal(m.tallies[len(m.tallies)-1], namespace.Tally{})
			is.Equal(m.ended, meters[0].ended)
		}
		is.Equal(repaired, 40)
		is.Equal(len(w.trail()), 40)
	})

	t.Run("Should not call well what it could not see, and go on where it was", func(t *testing.T) {
		t.Parallel()
		for _, port := range []string{"State ", "All", "Reads.Org", "Platform.Orgs", "Passes.Claim", "Passes.Save"} {
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w)
			o := w.addNamespaced("absent", org.Active, absent)
			if port == "State " {
				port += w.namespaceOf(o)
			}
			w.breaks(port, fault.ErrUnavailable)
			for range 5 {
				_, err := s.watch.Turn(t.Context())
				if slices.Contains(w.called(), port) && port != "Reads.Org" {
					is.True(err == nil || errors.Is(err, fault.ErrUnavailable))
				}
				w.clock.advance(time.Second)
			}
			if port != "Reads.Org" { // which it does without
				is.Equal(len(w.meter.tallies), 0)
			}
			w.mends(port)
			w.whole(s.watch)
			is.Equal(w.lastTally(), namespace.Tally{Missing: 1})
		}
	})

	t.Run("Should not be held up by one that Temporal refuses to repair", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		refused := w.addNamespaced("refused", org.Active, short)
		other := w.addNamespaced("other", org.Active, short)
		w.breaks("Reconcile "+w.namespaceOf(refused), fault.ErrInvalid)
		w.whole(s.watch)
		is.Equal(w.lastTally(), namespace.Tally{Drifted: 1})
		is.Equal(w.temporal.states[w.namespaceOf(other)].Retention, namespace.DefaultRetention)
		is.True(strings.Contains(w.log.String(), "namespace not repaired"))
	})

	t.Run("Should apply a changed retention soon, by a message in its transaction, whatever the policy", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addNamespaced("acme", org.Active, nil)
		watch := w.newWatch(namespaces.Policy{ReportOnly: true, Every: time.Hour})
		reviews := func() int {
			w.forget()
			w.clock.advance(outbox.Gathering)
			w.deliverAll(s)
			return w.count("ReviewNamespace " + o.String())
		}
		update := func(in orgs.UpdateInput) {
			_, err := s.orgs.Update(t.Context(), holder(o, authz.Admin), o, in)
			is.NoErr(err)
		}
		name := "Acme"
		update(orgs.UpdateInput{Name: &name})
		is.Equal(reviews(), 0)
		update(orgs.UpdateInput{Settings: &org.Settings{WorkflowRetentionDays: 30}})
		is.Equal(reviews(), 1)
		update(orgs.UpdateInput{Settings: &org.Settings{WorkflowRetentionDays: 30, DeletionGraceDays: 3}})
		is.Equal(reviews(), 0)
		wait, err := watch.Review(t.Context(), outbox.NamespacePayload{Organization: o})
		is.NoErr(err)
		is.Equal(wait, time.Duration(0))
		is.Equal(w.temporal.states[w.namespaceOf(o)].Retention, 30*24*time.Hour)
		update(orgs.UpdateInput{Settings: &org.Settings{}})
		is.Equal(reviews(), 1)

		for _, port := range []string{"Outbox.Append", "Commit"} {
			w.breaks(port, fault.ErrUnavailable)
			_, err = s.orgs.Update(t.Context(), holder(o, authz.Admin), o, orgs.UpdateInput{Settings: &org.Settings{WorkflowRetentionDays: 9}})
			is.True(errors.Is(err, fault.ErrUnavailable))
			row := w.orgOf(o)
			is.Equal(row.Snapshot().Settings.WorkflowRetentionDays, 0) // not without its effect
			w.mends(port)
		}
	})

	t.Run("Should wait for what is being provisioned, and leave what goes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		for state, wait := range map[org.State]bool{org.Provisioning: true, org.Failed: false, org.Deleting: false, org.Deleted: false} {
			o := w.addNamespaced("org-"+state.String(), state, short)
			got, err := s.watch.Review(t.Context(), outbox.NamespacePayload{Organization: o})
			is.NoErr(err)
			is.Equal(got > 0, wait)
		}
		w.addSystem()
		for _, o := range []id.Org{id.SystemOrg, id.New[id.OrgKind]()} { // which has none, and which nobody knows
			wait, err := s.watch.Review(t.Context(), outbox.NamespacePayload{Organization: o})
			is.NoErr(err)
			is.Equal(wait, time.Duration(0))
		}
		is.Equal(len(w.trail()), 0)
	})
}

// locked lets one at a time use a recorder of namespaces.
type locked struct {
	ports.Namespaces
	mu *sync.Mutex
}

func (l locked) State(ctx context.Context, name string) (namespace.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Namespaces.State(ctx, name)
}

func (l locked) Reconcile(ctx context.Context, b namespace.Blueprint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Namespaces.Reconcile(ctx, b)
}
