package usecase_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
	"github.com/bulkheadhq/bulkhead/core/usecase/operations"
	"github.com/bulkheadhq/bulkhead/ports"
)

func TestAssignments(t *testing.T) {
	t.Parallel()
	some := func() []org.Org {
		return []org.Org{org.Restore(org.Snapshot{ID: id.New[id.OrgKind](), Slug: "a", Namespace: "org-a", State: org.Active})}
	}

	t.Run("Should name every active organization for the platform and one's own for a tenant", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.addSystem()
		a, b := w.addOrg("a", org.Active), w.addOrg("b", org.Active)
		w.addOrg("c", org.Suspended)

		l, err := s.assignments.List(t.Context(), operator(), "", 0)
		is.NoErr(err)
		is.Equal(len(l.Items), 2)
		is.Equal(l.Items[0], assignments.Assignment{Org: a, OrgSlug: "a", Namespace: w.namespaceOf(a), State: org.Active})
		is.Equal(l.Items[1].Org, b)

		l, err = s.assignments.List(t.Context(), holder(a, authz.Member), "", 0)
		is.NoErr(err)
		is.Equal(len(l.Items), 1)
		is.Equal(l.Items[0].Org, a)
	})

	t.Run("Should name nothing for an organization that is not active, nor for the system's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.addSystem()
		for _, o := range []id.Org{w.addOrg("a", org.Suspended), w.addOrg("b", org.Deleting), id.SystemOrg} {
			l, err := s.assignments.List(t.Context(), holder(o, authz.Admin), "", 0)
			is.NoErr(err)
			is.Equal(len(l.Items), 0)
			is.True(l.Version != "") // an empty list has a version as well
		}
	})

	t.Run("Should have equal versions for equal lists and others for others", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		seen := map[string]bool{}
		see := func() {
			first, err := s.assignments.List(t.Context(), operator(), "", 0)
			is.NoErr(err)
			second, err := s.assignments.List(t.Context(), operator(), "", 0)
			is.NoErr(err)
			is.Equal(first, second)
			is.True(!seen[first.Version])
			seen[first.Version] = true
		}
		see()
		a := w.addOrg("a", org.Active)
		see()
		b := w.addOrg("b", org.Active)
		see()
		w.setState(a, org.Suspended)
		see()
		w.changeOrg(b, func(s *org.Snapshot) { s.Slug = "new" })
		see()
	})

	t.Run("Should see a change on the database while it waits", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		known, err := s.assignments.List(t.Context(), operator(), "", 0)
		is.NoErr(err)
		waits := w.watch("Platform.ActiveOrgs")
		answered := make(chan assignments.List, 1)
		go func() {
			l, _ := s.assignments.List(t.Context(), operator(), known.Version, time.Minute)
			answered <- l
		}()
		<-waits
		a := w.addOrg("a", org.Active)
		l := <-answered
		is.Equal(len(l.Items), 1)
		is.Equal(l.Items[0].Org, a)
		is.True(l.Version != known.Version)
	})

	t.Run("Should answer at once when the caller knows another version", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			start := time.Now()
			_, err := assignments.New(nil, &activeOrgs{}).List(t.Context(), operator(), "other", time.Minute)
			is.NoErr(err)
			is.Equal(time.Since(start), time.Duration(0))
		})
	})

	t.Run("Should wait for a change", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			var active activeOrgs
			s := assignments.New(nil, &active)
			known, err := s.List(t.Context(), operator(), "", 0)
			is.NoErr(err)
			start := time.Now()
			answered := make(chan assignments.List, 1)
			go func() {
				l, _ := s.List(t.Context(), operator(), known.Version, time.Minute)
				answered <- l
			}()
			pass(10*time.Second + time.Millisecond)
			synctest.Wait()
			is.Equal(len(answered), 0)
			active.set(some())
			l := <-answered
			is.Equal(len(l.Items), 1)
			is.True(l.Version != known.Version)
			is.True(time.Since(start) <= 10*time.Second+250*time.Millisecond)
		})
	})

	t.Run("Should answer the known version when the time is up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			var active activeOrgs
			active.set(some())
			s := assignments.New(nil, &active)
			known, err := s.List(t.Context(), operator(), "", 0)
			is.NoErr(err)
			start := time.Now()
			l, err := s.List(t.Context(), operator(), known.Version, 20*time.Second)
			is.NoErr(err)
			is.Equal(l, known)
			is.Equal(time.Since(start), 20*time.Second)
		})
	})

	t.Run("Should end with its caller", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			s := assignments.New(nil, &activeOrgs{})
			known, err := s.List(t.Context(), operator(), "", 0)
			is.NoErr(err)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			start := time.Now()
			_, err = s.List(ctx, operator(), known.Version, time.Minute)
			is.True(errors.Is(err, context.DeadlineExceeded))
			is.Equal(time.Since(start), 3*time.Second)
		})
	})

	t.Run("Should end with a failure", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		known, err := s.assignments.List(t.Context(), operator(), "", 0)
		is.NoErr(err)
		w.breaks("Platform.ActiveOrgs", fault.ErrUnavailable)
		_, err = s.assignments.List(t.Context(), operator(), known.Version, time.Minute)
		is.True(errors.Is(err, fault.ErrUnavailable))
		w.breaks("Reads.Org", fault.ErrUnavailable)
		_, err = s.assignments.List(t.Context(), holder(id.New[id.OrgKind](), authz.Member), known.Version, time.Minute)
		is.True(errors.Is(err, fault.ErrUnavailable))
	})
}

func TestOperationsGet(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (*world, services, id.Org, id.Operation) {
		t.Helper()
		w := newWorld(t)
		p := w.addProvisioning("own")
		return w, newServices(w), p.Organization, p.Operation
	}
	// bubble is setup for where time costs nothing: there is the operation alone.
	bubble := func() (*oneOperation, *operations.Service, id.Org, id.Operation) {
		o, op := id.New[id.OrgKind](), id.New[id.OperationKind]()
		var one oneOperation
		one.set(operation.New(op, o, operation.ProvisionOrganization, time.Now()))
		return &one, operations.New(onlyReads{reads: &one}, nil, nil), o, op
	}

	t.Run("Should show one's own, and everybody's to the platform", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, op := setup(t)
		for _, by := range []authz.Actor{holder(o, authz.Viewer), operator(), authz.Provisioner} {
			got, err := s.operations.Get(t.Context(), by, op, 0)
			is.NoErr(err)
			is.Equal(got, w.operationOf(o, op))
		}
		is.Equal(w.count("Platform.Operation"), 2)
	})

	t.Run("Should answer the same for a foreign and an absent one", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, _, op := setup(t)
		for _, by := range []authz.Actor{holder(w.addOrg("other", org.Active), authz.Admin), holder(id.SystemOrg, authz.Admin)} {
			for _, which := range []id.Operation{op, id.New[id.OperationKind](), {}} {
				_, err := s.operations.Get(t.Context(), by, which, time.Minute)
				is.Equal(err, error(fault.ErrNotFound))
			}
		}
		is.Equal(w.count("Platform.Operation"), 0)
	})

	t.Run("Should see the end on the database while it waits", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, op := setup(t)
		waits := w.watch("Reads.Operation")
		answered := make(chan operation.Operation, 1)
		go func() {
			got, _ := s.operations.Get(t.Context(), holder(o, authz.Viewer), op, time.Minute)
			answered <- got
		}()
		<-waits
		w.write(o, func(ctx context.Context, tx ports.Tx) error {
			return tx.Operations.Update(ctx, op, func(row *operation.Operation) error {
				return row.Succeed(operation.OrganizationActivated, w.clock.Now())
			})
		})
		is.Equal(<-answered, w.operationOf(o, op))
	})

	for _, takes := range []time.Duration{time.Millisecond, 70 * time.Millisecond, 2 * time.Second, 50 * time.Second} {
		t.Run("Should wait for the end, after "+takes.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				one, s, o, op := bubble()
				start := time.Now()
				go func() {
					pass(takes)
					ended := one.get()
					_ = ended.Succeed(operation.OrganizationActivated, time.Now())
					one.set(ended)
				}()
				got, err := s.Get(t.Context(), holder(o, authz.Viewer), op, time.Minute)
				is.NoErr(err)
				is.Equal(got.Snapshot().State, operation.Succeeded)
				seen := time.Since(start)
				is.True(seen >= takes && seen <= takes+max(takes/7, 5*time.Millisecond)) // late by an eighth, besides rounding
				is.True(one.asked <= 250)

				_, err = s.Get(t.Context(), holder(o, authz.Viewer), op, time.Minute)
				is.NoErr(err)
				is.Equal(time.Since(start), seen) // what has ended is not waited for
			})
		})
	}

	t.Run("Should answer what it is when the time is up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			one, s, o, op := bubble()
			start := time.Now()
			got, err := s.Get(t.Context(), holder(o, authz.Viewer), op, 5*time.Second)
			is.NoErr(err)
			is.Equal(got.Snapshot().State, operation.Pending)
			is.Equal(time.Since(start), 5*time.Second)

			asked := one.asked
			_, err = s.Get(t.Context(), holder(o, authz.Viewer), op, -time.Second)
			is.NoErr(err)
			is.Equal(one.asked, asked+1)
		})
	})

	t.Run("Should end with its caller", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			_, s, o, op := bubble()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			_, err := s.Get(ctx, holder(o, authz.Viewer), op, time.Minute)
			is.True(errors.Is(err, context.DeadlineExceeded))
			is.Equal(time.Since(start), time.Second)
		})
	})

	t.Run("Should end with a failure", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, _, op := setup(t)
		w.breaks("Reads.Operation", fault.ErrUnavailable)
		_, err := s.operations.Get(t.Context(), operator(), op, time.Minute)
		is.True(errors.Is(err, fault.ErrUnavailable)) // and not asked of the platform
		is.Equal(w.count("Platform.Operation"), 0)
	})
}
