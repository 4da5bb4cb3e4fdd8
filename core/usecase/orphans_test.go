package usecase_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/usecase/namespaces"
	"github.com/bulkheadhq/bulkhead/ports"
)

func TestOrphans(t *testing.T) {
	t.Parallel()
	count := func(t *testing.T, w *world) namespace.Tally {
		t.Helper()
		w.whole(newServices(w).watch)
		return w.lastTally()
	}
	tagged := func(owner string) namespace.State {
		return namespace.State{ID: "x", Status: namespace.Registered, Owner: owner, Tagged: true}
	}

	t.Run("Should find namespaces without an organization, whatever has become of it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.has("org-lost", tagged(id.New[id.OrgKind]().String()))
		w.has("org-nameless", tagged(""))
		w.has("org-odd", tagged("nobody"))
		w.has("org-buried", tagged(w.addOrg("buried", org.Deleted).String()))
		for _, state := range []org.State{org.Active, org.Suspended, org.Provisioning, org.Failed, org.Deleting} {
			w.has("org-second-"+state.String(), tagged(w.addNamespaced("org-"+state.String(), state, nil).String()))
		}
		is.Equal(count(t, w), namespace.Tally{Orphaned: 9})
	})

	t.Run("Should leave alone what is nobody's of ours, and what other work is under way with", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.has("default", namespace.State{ID: "y", Status: namespace.Registered})
		w.has("theirs", namespace.State{ID: "z", Status: namespace.Registered, Owner: id.New[id.OrgKind]().String()})
		for _, state := range []org.State{org.Active, org.Suspended, org.Provisioning, org.Failed, org.Deleting} {
			w.addNamespaced("org-"+state.String(), state, nil)
		}
		is.Equal(count(t, w), namespace.Tally{})
	})

	t.Run("Should not take for orphans what was deleted between two looks", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		buried := w.addOrg("buried", org.Deleted)
		w.has("org-buried", tagged(buried.String()))
		w.temporal.states["org-buried"] = namespace.State{Status: namespace.Absent} // listed before, gone since
		lost := tagged(id.New[id.OrgKind]().String())
		w.has("org-again", lost)
		lost.ID = "another of the same name"
		w.temporal.states["org-again"] = lost
		going := tagged(id.New[id.OrgKind]().String())
		w.has("org-going", going)
		going.Status = namespace.Deleted
		w.temporal.states["org-going"] = going
		given := tagged(id.New[id.OrgKind]().String())
		w.has("org-given", given)
		given.Owner = w.addNamespaced("given", org.Active, nil).String() // the tag is another's since
		w.temporal.states["org-given"] = given
		is.Equal(count(t, w), namespace.Tally{})
	})

	t.Run("Should not miss the namespace of who is being deleted meanwhile", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addNamespaced("going", org.Active, func(s *namespace.State) { *s = namespace.State{Status: namespace.Absent} })
		log := slog.New(slog.NewTextHandler(w.log, nil))
		watch := namespaces.NewWatch(w.store, w.platform, between{w.temporal, func() { w.setState(o, org.Deleting) }}, w.passes,
			namespace.Standard{}, namespaces.Policy{Every: time.Hour}, w.clock, w.meter, log)
		w.whole(watch)
		is.Equal(w.lastTally(), namespace.Tally{})
	})
}

func TestDeleteOrphan(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (*world, services) {
		t.Helper()
		w := newWorld(t)
		w.addSystem()
		w.has("org-lost", namespace.State{ID: "x", Status: namespace.Registered, Owner: id.New[id.OrgKind]().String(), Tagged: true})
		return w, newServices(w)
	}

	t.Run("Should list both sides, page by page, each with what to do", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s := setup(t)
		buried := w.addOrg("buried", org.Deleted)
		w.has("org-buried", namespace.State{ID: "y", Status: namespace.Registered, Owner: buried.String(), Tagged: true})
		w.addNamespaced("well", org.Active, nil)
		w.addNamespaced("absent", org.Active, func(s *namespace.State) { *s = namespace.State{Status: namespace.Absent} })
		var got []string
		for token, pages := []byte(nil), 0; ; pages++ {
			p, err := s.namespaces.Orphans(t.Context(), operator(), page.TokenRequest{Limit: 1, Token: token})
			is.NoErr(err)
			is.True(len(p.Items) <= 1)
			for _, o := range p.Items {
				is.True(o.Repair != "")
				is.Equal(o.Since.IsZero(), o.Reason != namespace.OrganizationDeleted)
				got = append(got, o.Namespace+" "+o.Reason.String())
			}
			if token = p.Next; token == nil {
				break
			}
			is.True(pages < 20)
		}
		is.Equal(got, []string{"org-lost organization_unknown", "org-buried organization_deleted", w.temporal.nameOf("absent") + " namespace_absent"})
	})

	t.Run("Should delete what was looked at, with the request on record before", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s := setup(t)
		by := operator()
		is.NoErr(s.namespaces.DeleteOrphan(t.Context(), by, "org-lost", "org-lost"))
		called := w.called()
		is.Equal(called[len(called)-1], "Discard org-lost x")
		is.True(slices.Index(called, "Audit.Append") < slices.Index(called, "Discard org-lost x"))
		trail := w.trail()
		is.Equal(len(trail), 1)
		is.Equal(trail[0].Action, audit.NamespaceDeleteRequested.String())
		is.Equal(trail[0].Actor, whoIs(by))
		is.Equal(trail[0].Org, id.SystemOrg)
		is.Equal(trail[0].ResourceID, "org-lost")
	})

	t.Run("Should delete its schedules before, and nothing while that fails", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, _ := setup(t)
		temporal := newPlanner(w.temporal)
		for _, i := range []string{"a", "b", "c"} {
			temporal.put(i, false, "")
		}
		s := namespaces.New(w.store, w.platform, w.temporal, w.temporal, temporal, namespace.Standard{}, w.clock)
		w.breaks("Schedules.DeleteAll org-lost", fault.ErrUnavailable)
		is.True(errors.Is(s.DeleteOrphan(t.Context(), operator(), "org-lost", "org-lost"), fault.ErrUnavailable))
		is.Equal(w.count("Discard org-lost x"), 0)
		w.mends("Schedules.DeleteAll org-lost")
		w.forget()
		is.NoErr(s.DeleteOrphan(t.Context(), operator(), "org-lost", "org-lost"))
		is.Equal(len(temporal.there), 0)
		called := w.called()
		is.True(slices.Index(called, "Audit.Append") < slices.Index(called, "Schedules.DeleteAll org-lost"))
		is.Equal(called[len(called)-2:], []string{"Schedules.DeleteAll org-lost", "Discard org-lost x"})
	})

	t.Run("Should refuse whatever is no orphan, and what nobody has confirmed or can account for", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s := setup(t)
		w.addNamespaced("acme", org.Active, nil)
		w.addNamespaced("new", org.Provisioning, nil)
		w.has("default", namespace.State{ID: "z", Status: namespace.Registered})
		w.temporal.states["gone"] = namespace.State{Status: namespace.Absent}
		w.temporal.states[org.SystemNamespace] = namespace.State{ID: "s", Status: namespace.Registered, Tagged: true}
		for name, want := range map[string]error{
			w.temporal.nameOf("acme"): namespace.ErrNotOrphaned, w.temporal.nameOf("new"): namespace.ErrNotOrphaned,
			"default": namespace.ErrNotOrphaned, org.SystemNamespace: namespace.ErrNotOrphaned, "gone": fault.ErrNotFound,
		} {
			is.True(errors.Is(s.namespaces.DeleteOrphan(t.Context(), operator(), name, name), want))
		}
		is.True(errors.Is(s.namespaces.DeleteOrphan(t.Context(), operator(), "org-lost", "org-los"), fault.ErrInvalid))
		for _, port := range []string{"WriteTx", "Audit.Append", "Commit"} {
			w.breaks(port, fault.ErrUnavailable)
			is.True(errors.Is(s.namespaces.DeleteOrphan(t.Context(), operator(), "org-lost", "org-lost"), fault.ErrUnavailable))
			w.mends(port)
		}
		is.True(!touches(w.called()))
	})

	for name, c := range map[string]struct {
		happens func(w *world, lost *namespace.State)
		want    error
	}{
		"another's": {func(_ *world, lost *namespace.State) { lost.ID = "another of the same name" }, namespace.ErrNotOrphaned},
		"an organization's again": {func(w *world, lost *namespace.State) {
			owner, err := id.Parse[id.OrgKind](lost.Owner)
			must(w.t, err)
			w.insertOrg(org.Restore(org.Snapshot{
				ID: owner, Slug: "lost", Name: "Lost", State: org.Provisioning, Namespace: "org-lost", NamespaceAdopted: true, Version: 1,
				CreatedAt: w.clock.Now(), UpdatedAt: w.clock.Now(),
			}))
		}, namespace.ErrNotOrphaned},
		"nobody's of ours": {func(_ *world, lost *namespace.State) { lost.Tagged = false }, namespace.ErrNotOrphaned},
		"absent":           {func(_ *world, lost *namespace.State) { *lost = namespace.State{Status: namespace.Absent} }, fault.ErrNotFound},
	} {
		t.Run("Should not delete what has become "+name+" while the request was written down", func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w, _ := setup(t)
			looks := 0
			watch := between{w.temporal, func() {
				if looks++; looks == 3 { // after the first look, which looks twice
					state := w.temporal.states["org-lost"]
					c.happens(w, &state)
					w.temporal.states["org-lost"] = state
				}
			}}
			other := namespaces.New(w.store, w.platform, watch, w.temporal, scheduler{w.temporal}, namespace.Standard{}, w.clock)
			is.True(errors.Is(other.DeleteOrphan(t.Context(), operator(), "org-lost", "org-lost"), c.want))
			is.Equal(len(w.trail()), 1) // the request
			is.True(!touches(w.called()))
		})
	}
}

// touches tells whether anything was done to a namespace, or in it.
func touches(calls []string) bool {
	return slices.ContainsFunc(calls, func(c string) bool {
		return strings.HasPrefix(c, "Discard ") || strings.HasPrefix(c, "Schedules.")
	})
}

// nameOf returns the name of the namespace that was made for a slug.
func (d *temporal) nameOf(slug string) string {
	for name := range d.states {
		if strings.HasPrefix(name, "org-"+slug+"-") {
			return name
		}
	}
	return ""
}

// between has something happen right before a namespace is looked at.
type between struct {
	ports.Namespaces
	happens func()
}

func (b between) State(ctx context.Context, name string) (namespace.State, error) {
	b.happens()
	return b.Namespaces.State(ctx, name)
}
