package porttest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

// NamespacesSetup is an implementation under test, with the world it needs.
type NamespacesSetup struct {
	Namespaces ports.Namespaces
	// Register makes a namespace past the port, with those tags and that retention.
	Register func(t *testing.T, name string, tags map[string]string, retention time.Duration)
	// Running returns how many executions are open in a namespace.
	Running func(t *testing.T, namespace string) int
}

// probe probes the namespace until that succeeds, and then forgets it, which leaves
// nothing running.
func (s NamespacesSetup) probe(t *testing.T, name string) {
	t.Helper()
	is := is.New(t)
	is.NoErr(untilAvailable(t, func() error { return s.Namespaces.Probe(t.Context(), name) }))
	is.NoErr(s.Namespaces.ForgetProbe(t.Context(), name))
	is.NoErr(untilAvailable(t, func() error {
		if s.Running(t, name) > 0 {
			return fault.ErrUnavailable
		}
		return nil
	}))
}

// Namespaces is the contract of ports.Namespaces.
func Namespaces(t *testing.T, s NamespacesSetup) {
	blueprint := func() namespace.Blueprint {
		owner := id.New[id.OrgKind]()
		return namespace.Blueprint{
			Namespace: "org-suite-" + owner.Tail(8), Owner: owner, Description: "A test's", Retention: 24 * time.Hour,
		}
	}

	t.Run("Should make a namespace usable, however often it is asked to", func(t *testing.T) {
		is := is.New(t)
		b := blueprint()
		for range 2 {
			is.NoErr(s.Namespaces.Ensure(t.Context(), b))
			is.NoErr(s.Namespaces.EnsureSearchAttributes(t.Context(), b.Namespace))
			s.probe(t, b.Namespace)
		}
	})

	t.Run("Should adopt what is there", func(t *testing.T) { namespaceAdoption(t, s, blueprint) })

	t.Run("Should find and repair drift", func(t *testing.T) { namespaceDrift(t, s, blueprint) })

	t.Run("Should fly canaries, also at the same time, and leave nothing of them", func(t *testing.T) {
		is := is.New(t)
		b := blueprint()
		is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		is.NoErr(s.Namespaces.EnsureSearchAttributes(t.Context(), b.Namespace))
		s.probe(t, b.Namespace)
		for _, err := range together(4, func(int) error {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			came, err := s.Namespaces.Canary(ctx, b.Namespace)
			if err == nil && (came.Started <= 0 || came.Read < came.Started || came.Completed < came.Read || came.Listed < came.Completed) {
				err = fmt.Errorf("it came like this: %+v", came)
			}
			return err
		}) {
			is.NoErr(err)
		}
		is.Equal(s.Running(t, b.Namespace), 0)
	})

	t.Run("Should fly no canary where there are no search attributes, or no namespace", func(t *testing.T) {
		is := is.New(t)
		b := blueprint()
		is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		is.NoErr(untilAvailable(t, func() error { return s.Namespaces.Confined(t.Context(), b.Namespace) })) // it is known
		came, err := s.Namespaces.Canary(t.Context(), b.Namespace)
		is.True(errors.Is(err, ports.ErrCanaryRefused))
		is.Equal(came, namespace.Canary{})
		_, err = s.Namespaces.Canary(t.Context(), blueprint().Namespace)
		is.True(fault.IsKind(err, fault.Unavailable))
	})

	t.Run("Should let concurrent calls for one owner succeed", func(t *testing.T) {
		is := is.New(t)
		b := blueprint()
		errs := make(chan error)
		const n = 4
		for range n {
			go func() { errs <- s.Namespaces.Ensure(t.Context(), b) }()
		}
		for range n {
			is.NoErr(<-errs)
		}
	})

	t.Run("Should refuse a namespace that is another's", func(t *testing.T) {
		is := is.New(t)
		b := blueprint()
		is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		b.Owner = id.New[id.OrgKind]()
		is.True(errors.Is(s.Namespaces.Ensure(t.Context(), b), ports.ErrNamespaceForeign))
	})

	t.Run("Should not call a namespace usable before it is", func(t *testing.T) {
		is := is.New(t)
		is.True(fault.IsKind(s.Namespaces.Probe(t.Context(), blueprint().Namespace), fault.Unavailable)) // not registered
		b := blueprint()                                                                                 // another one: servers remember for a while what was absent
		is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		is.True(fault.IsKind(s.Namespaces.Probe(t.Context(), b.Namespace), fault.Unavailable)) // no search attributes
	})
}

// namespaceDrift is the contract of State and Reconcile.
func namespaceDrift(t *testing.T, s NamespacesSetup, blueprint func() namespace.Blueprint) {
	diff := func(t *testing.T, b namespace.Blueprint) []namespace.Difference {
		t.Helper()
		is := is.New(t)
		have, err := s.Namespaces.State(t.Context(), b.Namespace)
		is.NoErr(err)
		return namespace.Diff(b, have)
	}

	t.Run("Should confine a token to its namespace, and find no worker where there is none", func(t *testing.T) {
		is := is.New(t)
		b := blueprint()
		is.True(errors.Is(s.Namespaces.Confined(t.Context(), b.Namespace), ports.ErrTokenRefused)) // there is none
		b = blueprint()                                                                            // servers remember for a while what was absent
		is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		is.NoErr(untilAvailable(t, func() error { return s.Namespaces.Confined(t.Context(), b.Namespace) }))
		n, err := s.Namespaces.Pollers(t.Context(), b.Namespace, "nobody")
		is.NoErr(err)
		is.Equal(n, 0)
	})

	t.Run("Should say that there is no namespace", func(t *testing.T) {
		is := is.New(t)
		have, err := s.Namespaces.State(t.Context(), "org-absent-00000000")
		is.NoErr(err)
		is.Equal(have, namespace.State{Status: namespace.Absent})
	})

	t.Run("Should repair what differs, however often it is asked to, and leave nothing to repair", func(t *testing.T) {
		is := is.New(t)
		b := blueprint()
		is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		is.Equal(len(diff(t, b)), 1) // the search attribute
		b.Retention, b.Description = 48*time.Hour, "Another"
		is.Equal(len(diff(t, b)), 3)
		for range 2 {
			is.NoErr(untilAvailable(t, func() error { return s.Namespaces.Reconcile(t.Context(), b) }))
			is.Equal(len(diff(t, b)), 0)
		}
		have, err := s.Namespaces.State(t.Context(), b.Namespace)
		is.NoErr(err)
		is.True(have.ID != "")
		is.Equal(have, namespace.State{
			ID: have.ID, Status: namespace.Registered, Owner: b.Owner.String(), Tagged: true, Description: "Another", Retention: 48 * time.Hour,
			Attributes: namespace.Attributes(),
		})
	})

	t.Run("Should list every namespace once, but those of the system", func(t *testing.T) {
		is := is.New(t)
		made := map[string]id.Org{}
		for range 3 {
			b := blueprint()
			is.NoErr(s.Namespaces.Ensure(t.Context(), b))
			made[b.Namespace] = b.Owner
		}
		seen := map[string]bool{}
		for next := []byte(nil); ; {
			found, err := s.Namespaces.All(t.Context(), page.TokenRequest{Limit: 2, Token: next})
			is.NoErr(err)
			is.True(len(found.Items) <= 2)
			for _, f := range found.Items {
				is.True(!seen[f.Name])
				seen[f.Name] = true
				is.True(f.Name != org.SystemNamespace && f.Name != "temporal-system")
				owner, ours := made[f.Name]
				if !ours {
					continue // another test's
				}
				have, err := s.Namespaces.State(t.Context(), f.Name)
				is.NoErr(err)
				have.Attributes = nil
				is.Equal(f.State, have)
				is.Equal(f.State.Owner, owner.String())
				delete(made, f.Name)
			}
			if next = found.Next; next == nil {
				break
			}
		}
		is.Equal(len(made), 0)
	})

	t.Run("Should touch nothing that is another's or nobody's", func(t *testing.T) {
		is := is.New(t)
		b := blueprint()
		is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		before, err := s.Namespaces.State(t.Context(), b.Namespace)
		is.NoErr(err)
		other := b
		other.Owner, other.Retention = id.New[id.OrgKind](), 48*time.Hour
		is.True(errors.Is(s.Namespaces.Reconcile(t.Context(), other), ports.ErrNamespaceForeign))
		other.Namespace = org.SystemNamespace
		is.True(s.Namespaces.Reconcile(t.Context(), other) != nil)
		other.Namespace = blueprint().Namespace
		is.True(errors.Is(s.Namespaces.Reconcile(t.Context(), other), ports.ErrNamespaceForeign))
		after, err := s.Namespaces.State(t.Context(), b.Namespace)
		is.NoErr(err)
		is.Equal(after, before)
	})
}

// NamespaceDeletion is the contract of ports.Namespaces.Delete and Gone. It takes
// seconds, as Temporal does.
func NamespaceDeletion(t *testing.T, s NamespacesSetup) {
	blueprint := func() namespace.Blueprint {
		owner := id.New[id.OrgKind]()
		return namespace.Blueprint{
			Namespace: "org-suite-" + owner.Tail(8), Owner: owner, Description: "A test's", Retention: 24 * time.Hour,
		}
	}

	t.Run("Should delete a namespace, however often it is asked to", func(t *testing.T) {
		is := is.New(t)
		b, neighbour := blueprint(), blueprint()
		is.NoErr(s.Namespaces.Ensure(t.Context(), neighbour))
		is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		is.True(errors.Is(s.Namespaces.Gone(t.Context(), b.Namespace, b.Owner), ports.ErrNamespaceReclaiming)) // it is there
		for range 3 {
			is.NoErr(untilAvailable(t, func() error { return s.Namespaces.Delete(t.Context(), b.Namespace, b.Owner) }))
		}
		is.NoErr(untilWithin(t, reclaimLimit, func() error { return s.Namespaces.Gone(t.Context(), b.Namespace, b.Owner) }))
		is.NoErr(s.Namespaces.Delete(t.Context(), b.Namespace, b.Owner))
		have, err := s.Namespaces.State(t.Context(), b.Namespace)
		is.NoErr(err)
		is.Equal(have, namespace.State{Status: namespace.Absent})
		is.NoErr(s.Namespaces.Ensure(t.Context(), neighbour)) // untouched: it is still the neighbour's
		is.True(errors.Is(s.Namespaces.Gone(t.Context(), neighbour.Namespace, neighbour.Owner), ports.ErrNamespaceReclaiming))
	})

	t.Run("Should delete each of several at the same time, and one that several delete", func(t *testing.T) {
		is := is.New(t)
		doomed := []namespace.Blueprint{blueprint(), blueprint(), blueprint()}
		for _, b := range doomed {
			is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		}
		for _, err := range together(3*len(doomed), func(i int) error {
			b := doomed[i%len(doomed)]
			return untilAvailable(t, func() error { return s.Namespaces.Delete(t.Context(), b.Namespace, b.Owner) })
		}) {
			is.NoErr(err)
		}
		for _, b := range doomed {
			is.NoErr(untilWithin(t, reclaimLimit, func() error { return s.Namespaces.Gone(t.Context(), b.Namespace, b.Owner) }))
		}
	})

	t.Run("Should wait for no other namespace that has the owner's tag, unless it is being removed", func(t *testing.T) {
		is := is.New(t)
		b := blueprint()
		orphan := b
		orphan.Namespace += "-before"
		is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		is.NoErr(s.Namespaces.Ensure(t.Context(), orphan))
		is.NoErr(untilAvailable(t, func() error { return s.Namespaces.Delete(t.Context(), b.Namespace, b.Owner) }))
		is.NoErr(untilWithin(t, reclaimLimit, func() error { return s.Namespaces.Gone(t.Context(), b.Namespace, b.Owner) }))
		is.True(errors.Is(s.Namespaces.Gone(t.Context(), orphan.Namespace, b.Owner), ports.ErrNamespaceReclaiming))
		is.NoErr(untilAvailable(t, func() error { return s.Namespaces.Delete(t.Context(), orphan.Namespace, b.Owner) }))
		is.NoErr(untilWithin(t, reclaimLimit, func() error { return s.Namespaces.Gone(t.Context(), b.Namespace, b.Owner) }))
		is.NoErr(s.Namespaces.Gone(t.Context(), orphan.Namespace, b.Owner)) // it was waited for, too
	})

	t.Run("Should discard the namespace that was looked at, and no other of its name", func(t *testing.T) {
		is := is.New(t)
		b := blueprint()
		is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		have, err := s.Namespaces.State(t.Context(), b.Namespace)
		is.NoErr(err)
		is.True(errors.Is(s.Namespaces.Discard(t.Context(), b.Namespace, "another"), ports.ErrNamespaceForeign))
		is.NoErr(s.Namespaces.Ensure(t.Context(), b)) // it is still there
		system, err := s.Namespaces.State(t.Context(), org.SystemNamespace)
		is.NoErr(err)
		is.True(errors.Is(s.Namespaces.Discard(t.Context(), org.SystemNamespace, system.ID), ports.ErrNamespaceForeign))
		for range 2 {
			is.NoErr(untilAvailable(t, func() error { return s.Namespaces.Discard(t.Context(), b.Namespace, have.ID) }))
		}
		is.NoErr(untilWithin(t, reclaimLimit, func() error { return s.Namespaces.Gone(t.Context(), b.Namespace, b.Owner) }))
	})

	t.Run("Should take a namespace that never was for one that is gone", func(t *testing.T) {
		is := is.New(t)
		b := blueprint()
		is.NoErr(s.Namespaces.Delete(t.Context(), b.Namespace, b.Owner))
		is.NoErr(s.Namespaces.Gone(t.Context(), b.Namespace, b.Owner))
	})

	t.Run("Should not touch a namespace that is another's", func(t *testing.T) {
		is := is.New(t)
		b := blueprint()
		is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		is.True(errors.Is(s.Namespaces.Delete(t.Context(), b.Namespace, id.New[id.OrgKind]()), ports.ErrNamespaceForeign))
		is.True(errors.Is(s.Namespaces.Delete(t.Context(), org.SystemNamespace, b.Owner), ports.ErrNamespaceForeign))
		is.NoErr(s.Namespaces.Ensure(t.Context(), b)) // it is still there
	})
}

// namespaceAdoption is the contract of Ensure for a namespace that is adopted.
func namespaceAdoption(t *testing.T, s NamespacesSetup, blueprint func() namespace.Blueprint) {
	const long = 60 * 24 * time.Hour

	t.Run("Should make it the owner's, shorten no retention, and do so again", func(t *testing.T) {
		is := is.New(t)
		b := blueprint().Over(false)
		s.Register(t, b.Namespace, map[string]string{"team": "orders"}, long)
		for range 2 {
			is.NoErr(s.Namespaces.Ensure(t.Context(), b))
			have, err := s.Namespaces.State(t.Context(), b.Namespace)
			is.NoErr(err)
			is.Equal(have.Owner, b.Owner.String())
			is.True(have.Tagged)
			is.Equal(have.Retention, long)
			is.Equal(have.Description, b.Description)
		}
		is.NoErr(s.Namespaces.EnsureSearchAttributes(t.Context(), b.Namespace))
		s.probe(t, b.Namespace)
		b.Description = "Another"
		is.NoErr(untilAvailable(t, func() error { return s.Namespaces.Reconcile(t.Context(), b) }))
		have, err := s.Namespaces.State(t.Context(), b.Namespace)
		is.NoErr(err)
		is.Equal(have.Retention, long) // a repair of something else does not shorten it either
		is.Equal(have.Description, "Another")
	})

	t.Run("Should give it the retention that was decided", func(t *testing.T) {
		is := is.New(t)
		b := blueprint().Over(true)
		s.Register(t, b.Namespace, nil, long)
		is.NoErr(s.Namespaces.Ensure(t.Context(), b))
		have, err := s.Namespaces.State(t.Context(), b.Namespace)
		is.NoErr(err)
		is.Equal(have.Retention, b.Retention)
	})

	t.Run("Should touch neither what is another's nor the system's, and make none", func(t *testing.T) {
		is := is.New(t)
		theirs, absent, system := blueprint().Over(true), blueprint().Over(true), blueprint().Over(true)
		s.Register(t, theirs.Namespace, map[string]string{"org_id": id.New[id.OrgKind]().String()}, long)
		system.Namespace = org.SystemNamespace
		for _, b := range []namespace.Blueprint{theirs, system} {
			before, err := s.Namespaces.State(t.Context(), b.Namespace)
			is.NoErr(err)
			is.True(errors.Is(s.Namespaces.Ensure(t.Context(), b), ports.ErrNamespaceForeign))
			after, err := s.Namespaces.State(t.Context(), b.Namespace)
			is.NoErr(err)
			is.Equal(after, before)
		}
		is.True(errors.Is(s.Namespaces.Ensure(t.Context(), absent), ports.ErrNamespaceUnregistered))
		have, err := s.Namespaces.State(t.Context(), absent.Namespace)
		is.NoErr(err)
		is.Equal(have.Status, namespace.Absent)
	})
}
