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
)

func TestAssignments(t *testing.T) {
	t.Parallel()

	t.Run("Should name every active organization for the platform and one's own for a tenant", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.orgs[id.SystemOrg] = org.NewSystem(w.now)
		a, b := w.addOrg("a", org.Active), w.addOrg("b", org.Active)
		w.addOrg("c", org.Suspended)
		row := w.orgs[a]

		l, err := s.assignments.List(t.Context(), operator(), "", 0)
		is.NoErr(err)
		is.Equal(len(l.Items), 2)
		is.Equal(l.Items[0], assignments.Assignment{Org: a, OrgSlug: "a", Namespace: row.Namespace(), State: org.Active})
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
		w.orgs[id.SystemOrg] = org.NewSystem(w.now)
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
		w.set(a, org.Suspended)
		see()
		row := w.orgs[b]
		renamed := row.Snapshot()
		renamed.Slug = "new"
		w.orgs[b] = org.Restore(renamed)
		see()
	})

	t.Run("Should answer at once when the caller knows another version", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			start := time.Now()
			_, err := newServices(w).assignments.List(t.Context(), operator(), "other", time.Minute)
			is.NoErr(err)
			is.Equal(time.Since(start), time.Duration(0))
		})
	})

	t.Run("Should wait for a change", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w)
			known, err := s.assignments.List(t.Context(), operator(), "", 0)
			is.NoErr(err)
			start := time.Now()
			answered := make(chan assignments.List, 1)
			go func() {
				l, _ := s.assignments.List(t.Context(), operator(), known.Version, time.Minute)
				answered <- l
			}()
			pass(10*time.Second + time.Millisecond)
			synctest.Wait()
			is.Equal(len(answered), 0)
			w.addOrg("a", org.Active)
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
			w := newWorld(t)
			s := newServices(w)
			known, err := s.assignments.List(t.Context(), operator(), "", 0)
			is.NoErr(err)
			start := time.Now()
			l, err := s.assignments.List(t.Context(), operator(), known.Version, 20*time.Second)
			is.NoErr(err)
			is.Equal(l, known)
			is.Equal(time.Since(start), 20*time.Second)
		})
	})

	t.Run("Should end with its caller, and with a failure", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w)
			known, err := s.assignments.List(t.Context(), operator(), "", 0)
			is.NoErr(err)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, err = s.assignments.List(ctx, operator(), known.Version, time.Minute)
			is.True(errors.Is(err, context.DeadlineExceeded))
			w.fail["Platform.ActiveOrgs"] = fault.ErrUnavailable
			_, err = s.assignments.List(t.Context(), operator(), known.Version, time.Minute)
			is.True(errors.Is(err, fault.ErrUnavailable))
			w.fail["Reads.Org"] = fault.ErrUnavailable
			_, err = s.assignments.List(t.Context(), holder(id.New[id.OrgKind](), authz.Member), known.Version, time.Minute)
			is.True(errors.Is(err, fault.ErrUnavailable))
		})
	})
}

func TestOperationsGet(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (*world, services, id.Org, id.Operation) {
		t.Helper()
		w := newWorld(t)
		o := w.addOrg("own", org.Provisioning)
		op := operation.New(id.New[id.OperationKind](), o, operation.ProvisionOrganization, w.now)
		w.ops[op.Snapshot().ID] = op
		return w, newServices(w), o, op.Snapshot().ID
	}

	t.Run("Should show one's own, and everybody's to the platform", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, op := setup(t)
		for _, by := range []authz.Actor{holder(o, authz.Viewer), operator(), authz.Provisioner} {
			got, err := s.operations.Get(t.Context(), by, op, 0)
			is.NoErr(err)
			is.Equal(got.Snapshot().ID, op)
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

	t.Run("Should wait for the end", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			w, s, o, op := setup(t)
			start := time.Now()
			go func() {
				pass(2*time.Second + time.Millisecond)
				w.mu.Lock()
				defer w.mu.Unlock()
				row := w.ops[op]
				_ = row.Succeed(operation.OrganizationActivated, w.now)
				w.ops[op] = row
			}()
			got, err := s.operations.Get(t.Context(), holder(o, authz.Viewer), op, time.Minute)
			is.NoErr(err)
			is.Equal(got.Snapshot().State, operation.Succeeded)
			is.Equal(time.Since(start), 2*time.Second+50*time.Millisecond)

			_, err = s.operations.Get(t.Context(), holder(o, authz.Viewer), op, time.Minute)
			is.NoErr(err)
			is.Equal(time.Since(start), 2*time.Second+50*time.Millisecond) // what has ended is not waited for
		})
	})

	t.Run("Should answer what it is when the time is up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			w, s, o, op := setup(t)
			start := time.Now()
			got, err := s.operations.Get(t.Context(), holder(o, authz.Viewer), op, 5*time.Second)
			is.NoErr(err)
			is.Equal(got.Snapshot().State, operation.Pending)
			is.Equal(time.Since(start), 5*time.Second)

			calls := len(w.calls)
			_, err = s.operations.Get(t.Context(), holder(o, authz.Viewer), op, -time.Second)
			is.NoErr(err)
			is.Equal(len(w.calls), calls+1)
		})
	})

	t.Run("Should end with its caller, and with a failure", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			w, s, o, op := setup(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := s.operations.Get(ctx, holder(o, authz.Viewer), op, time.Minute)
			is.True(errors.Is(err, context.DeadlineExceeded))
			w.fail["Reads.Operation"] = fault.ErrUnavailable
			_, err = s.operations.Get(t.Context(), operator(), op, time.Minute)
			is.True(errors.Is(err, fault.ErrUnavailable)) // and not asked of the platform
			is.Equal(w.count("Platform.Operation"), 0)
		})
	})
}
