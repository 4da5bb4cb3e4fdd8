package usecase_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
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

		l, err := s.assignments.List(t.Context(), operator(), assignments.Question{}, "", 0)
		is.NoErr(err)
		is.Equal(len(l.Items), 2)
		is.Equal(l.Items[0], assignments.Assignment{Org: a, OrgSlug: "a", Namespace: w.namespaceOf(a), State: org.Active})
		is.Equal(l.Items[1].Org, b)

		l, err = s.assignments.List(t.Context(), holder(a, authz.Member), assignments.Question{}, "", 0)
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
			l, err := s.assignments.List(t.Context(), holder(o, authz.Admin), assignments.Question{}, "", 0)
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
			first, err := s.assignments.List(t.Context(), operator(), assignments.Question{}, "", 0)
			is.NoErr(err)
			second, err := s.assignments.List(t.Context(), operator(), assignments.Question{}, "", 0)
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
		go s.assignments.Run(t.Context())
		known, err := s.assignments.List(t.Context(), operator(), assignments.Question{}, "", 0)
		is.NoErr(err)
		waits := w.watch("Platform.ActiveOrgs")
		answered := make(chan assignments.List, 1)
		go func() {
			l, _ := s.assignments.List(t.Context(), operator(), assignments.Question{}, known.Version, time.Minute)
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
			_, err := assignments.New(nil, &activeOrgs{}, alone{}).List(t.Context(), operator(), assignments.Question{}, "other", time.Minute)
			is.NoErr(err)
			is.Equal(time.Since(start), time.Duration(0))
		})
	})

	t.Run("Should wait for a change", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			var active activeOrgs
			s := assignments.New(nil, &active, alone{})
			go s.Run(t.Context())
			known, err := s.List(t.Context(), operator(), assignments.Question{}, "", 0)
			is.NoErr(err)
			start := time.Now()
			answered := make(chan assignments.List, 1)
			go func() {
				l, _ := s.List(t.Context(), operator(), assignments.Question{}, known.Version, time.Minute)
				answered <- l
			}()
			pass(10*time.Second + time.Millisecond)
			synctest.Wait()
			is.Equal(len(answered), 0)
			active.set(some())
			l := <-answered
			is.Equal(len(l.Items), 1)
			is.True(l.Version != known.Version)
			is.True(time.Since(start) <= 11*time.Second)
		})
	})

	t.Run("Should answer the known version when the time is up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			var active activeOrgs
			active.set(some())
			s := assignments.New(nil, &active, alone{})
			known, err := s.List(t.Context(), operator(), assignments.Question{}, "", 0)
			is.NoErr(err)
			start := time.Now()
			l, err := s.List(t.Context(), operator(), assignments.Question{}, known.Version, 20*time.Second)
			is.NoErr(err)
			is.Equal(l, known)
			is.Equal(time.Since(start), 20*time.Second)
		})
	})

	t.Run("Should end with its caller", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			s := assignments.New(nil, &activeOrgs{}, alone{})
			known, err := s.List(t.Context(), operator(), assignments.Question{}, "", 0)
			is.NoErr(err)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			start := time.Now()
			_, err = s.List(ctx, operator(), assignments.Question{}, known.Version, time.Minute)
			is.True(errors.Is(err, context.DeadlineExceeded))
			is.Equal(time.Since(start), 3*time.Second)
		})
	})

	t.Run("Should end with a failure", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		known, err := s.assignments.List(t.Context(), operator(), assignments.Question{}, "", 0)
		is.NoErr(err)
		w.breaks("Platform.ActiveOrgs", fault.ErrUnavailable)
		_, err = s.assignments.List(t.Context(), operator(), assignments.Question{}, known.Version, time.Minute)
		is.True(errors.Is(err, fault.ErrUnavailable))
		w.breaks("Members.All", fault.ErrUnavailable)
		_, err = s.assignments.List(t.Context(), operator(), assignments.Question{}, known.Version, time.Minute)
		is.True(errors.Is(err, fault.ErrUnavailable))
		w.breaks("Reads.Org", fault.ErrUnavailable)
		_, err = s.assignments.List(t.Context(), holder(id.New[id.OrgKind](), authz.Member), assignments.Question{}, known.Version, time.Minute)
		is.True(errors.Is(err, fault.ErrUnavailable))
	})
}

func TestAssignmentsShared(t *testing.T) {
	t.Parallel()
	slugs := func(l assignments.List) []string {
		out := []string{}
		for _, a := range l.Items {
			out = append(out, a.OrgSlug)
		}
		return out
	}

	t.Run("Should name the organizations of the pool that is asked for, and of all without one", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.changeOrg(w.addOrg("a", org.Active), func(s *org.Snapshot) { s.WorkerPool = "gold" })
		w.changeOrg(w.addOrg("b", org.Active), func(s *org.Snapshot) { s.WorkerPool = org.DefaultPool })
		for pool, want := range map[string][]string{"": {"a", "b"}, "gold": {"a"}, "default": {"b"}, "other": {}} {
			l, err := s.assignments.List(t.Context(), operator(), assignments.Question{Pool: pool}, "", 0)
			is.NoErr(err)
			is.Equal(slugs(l), want)
		}
	})

	t.Run("Should share a pool among its members, each organization served by as many as there are replicas", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		for i := range 20 {
			w.addOrg(fmt.Sprint("o", i), org.Active)
		}
		members := []string{"one", "two", "three"}
		ask := func(member string, replicas int) []string {
			l, err := s.assignments.List(t.Context(), operator(), assignments.Question{Member: member, Replicas: replicas}, "", 0)
			is.NoErr(err)
			return slugs(l)
		}
		is.Equal(len(ask("one", 1)), 20) // alone
		for _, m := range members {
			ask(m, 1)
		}
		for replicas, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 3, 4: 3} {
			served := map[string]int{}
			for _, m := range members {
				for _, slug := range ask(m, replicas) {
					served[slug]++
				}
			}
			is.Equal(len(served), 20)
			for _, n := range served {
				is.Equal(n, want)
			}
		}
		l, err := s.assignments.List(t.Context(), operator(), assignments.Question{Member: "one", Leaving: true}, "", 0)
		is.NoErr(err)
		is.Equal(slugs(l), []string{})
		is.Equal(len(ask("two", 1))+len(ask("three", 1)), 20)
	})

	t.Run("Should tell the members within a second who comes and who goes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		for i := range 20 {
			w.addOrg(fmt.Sprint("o", i), org.Active)
		}
		one, two := assignments.Question{Member: "one"}, assignments.Question{Member: "two"}
		known, err := s.assignments.List(t.Context(), operator(), one, "", 0)
		is.NoErr(err)
		go s.assignments.Run(t.Context())
		for _, q := range []assignments.Question{two, {Member: "two", Leaving: true}} {
			answered := make(chan assignments.List, 1)
			go func() {
				l, _ := s.assignments.List(t.Context(), operator(), one, known.Version, time.Minute)
				answered <- l
			}()
			start := time.Now()
			other, err := s.assignments.List(t.Context(), operator(), q, "", 0)
			is.NoErr(err)
			l := <-answered
			is.True(time.Since(start) < 2*time.Second) // and not a minute; the second is for a machine that does much else
			is.True(l.Version != known.Version)
			is.True(l.Version != other.Version) // each its own
			is.Equal(len(l.Items)+len(other.Items), 20)
			known = l
		}
	})

	t.Run("Should read once for all who wait, and hold who waits long", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			counted := &counting{}
			s := assignments.New(nil, counted, counted)
			q := assignments.Question{Member: "one"}
			known, err := s.List(t.Context(), operator(), q, "", 0)
			is.NoErr(err)
			go s.Run(t.Context())
			var waiting sync.WaitGroup
			for range 50 {
				waiting.Go(func() {
					_, err := s.List(t.Context(), operator(), q, known.Version, 14*time.Second+500*time.Millisecond)
					is.NoErr(err)
				})
			}
			waiting.Wait()
			is.True(counted.reads.Load() >= 50+14) // each when it begins to wait, and then one a second for all
			is.True(counted.reads.Load() <= 1+50+15)
			is.Equal(counted.holds.Load(), int64(1+50*3)) // at 0, 5 and 10 seconds
		})
	})

	t.Run("Should refuse a tenant who asks about a pool, and what is no question", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		tenant := holder(w.addOrg("a", org.Active), authz.Admin)
		for _, c := range []struct {
			by   authz.Actor
			q    assignments.Question
			want string
		}{
			{tenant, assignments.Question{Pool: "default"}, "pool platform"},
			{tenant, assignments.Question{Member: "one"}, "member platform"},
			{operator(), assignments.Question{Pool: "Gold"}, "pool format"},
			{operator(), assignments.Question{Member: "a b"}, "member format"},
			{operator(), assignments.Question{Member: "a", Replicas: 17}, "replicas range"},
			{operator(), assignments.Question{Member: "a", Replicas: -1}, "replicas range"},
			{operator(), assignments.Question{Leaving: true}, "member required"},
		} {
			_, err := s.assignments.List(t.Context(), c.by, c.q, "", 0)
			f := fault.From(err).Fields[0]
			is.Equal(f.Pointer+" "+f.Rule, c.want)
		}
		all, err := w.unseen.members.All(t.Context())
		is.NoErr(err)
		is.Equal(len(all), 0)
	})

	t.Run("Should say when membership can not be kept", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.breaks("Hold", fault.ErrUnavailable)
		_, err := s.assignments.List(t.Context(), operator(), assignments.Question{Member: "one"}, "", 0)
		is.True(errors.Is(err, fault.ErrUnavailable))
		w.breaks("Leave", fault.ErrUnavailable)
		_, err = s.assignments.List(t.Context(), operator(), assignments.Question{Member: "one", Leaving: true}, "", 0)
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
