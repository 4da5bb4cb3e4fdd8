package usecase_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
)

func TestPools(t *testing.T) {
	t.Parallel()
	operator := holder(id.SystemOrg, authz.Operator)
	setup := func(t *testing.T) (*world, services) {
		t.Helper()
		is := is.New(t)
		w := newWorld(t)
		w.addSystem()
		s := newServices(w)
		for _, slug := range []string{"a", "b", "c", "d", "e"} {
			o := w.addOrg("org-"+slug, org.Active)
			pool := "gold"
			if slug > "c" {
				pool = org.DefaultPool
			}
			_, err := s.orgs.Update(t.Context(), operator, o, orgs.UpdateInput{WorkerPool: &pool})
			is.NoErr(err)
		}
		w.addOrg("paused", org.Suspended) // nobody serves it
		for _, q := range []assignments.Question{{Pool: "gold", Member: "one"}, {Pool: "gold", Member: "two"}, {Member: "everywhere"}, {Pool: "empty", Member: "idle"}} {
			_, err := s.assignments.List(t.Context(), operator, q, "", 0)
			is.NoErr(err)
		}
		return w, s
	}

	t.Run("Should show each pool with its active organizations and its members' shares", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s := setup(t)
		told, err := s.assignments.List(t.Context(), operator, assignments.Question{Pool: "gold", Member: "one"}, "", 0)
		is.NoErr(err)
		is.NoErr(w.unseen.members.Hold(t.Context(), "gold", "two", 0)) // it has not asked since
		got, err := s.assignments.Pools(t.Context(), operator, "", 0)
		is.NoErr(err)
		var names []string
		for _, p := range got {
			names = append(names, p.Name)
		}
		is.Equal(names, []string{"", "default", "empty", "gold"})
		all, normal, empty, gold := got[0], got[1], got[2], got[3]
		is.Equal([]int{all.Orgs, all.Members[0].Orgs}, []int{5, 5})
		is.Equal([]int{normal.Orgs, len(normal.Members)}, []int{2, 0})
		is.Equal([]int{empty.Orgs, empty.Members[0].Orgs}, []int{0, 0})
		is.Equal(gold.Orgs, 3)
		is.Equal([]any{gold.Members[0].Name, gold.Members[0].HasLapsed, gold.Members[1].Name, gold.Members[1].HasLapsed}, []any{"one", false, "two", true})
		is.True(gold.Members[0].LeaseEndsAt.After(gold.Members[1].LeaseEndsAt))
		is.Equal(gold.Members[0].Orgs, len(told.Items)) // it is told what is shown here
		is.Equal(gold.Members[0].Orgs+gold.Members[1].Orgs, 3)
	})

	t.Run("Should show one pool alone, and shares by as many replicas as are asked for", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, s := setup(t)
		got, err := s.assignments.Pools(t.Context(), operator, "gold", 2)
		is.NoErr(err)
		is.Equal(len(got), 1)
		is.Equal([]int{got[0].Members[0].Orgs, got[0].Members[1].Orgs}, []int{3, 3})
		got, err = s.assignments.Pools(t.Context(), operator, "nobodys", 0)
		is.NoErr(err)
		is.Equal(len(got), 0)
	})

	t.Run("Should look at nothing for a tenant, or by what is no question", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s := setup(t)
		w.forget()
		_, err := s.assignments.Pools(t.Context(), holder(id.New[id.OrgKind](), authz.Admin), "", 0)
		is.True(errors.Is(err, fault.ErrForbidden))
		for _, replicas := range []int{-1, 17} {
			_, err = s.assignments.Pools(t.Context(), operator, "", replicas)
			is.True(errors.Is(err, fault.ErrInvalid))
		}
		_, err = s.assignments.Pools(t.Context(), operator, "No Pool", 0)
		is.True(errors.Is(err, fault.ErrInvalid))
		is.Equal(len(w.called()), 0)
	})
}
