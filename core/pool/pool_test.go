package pool_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/pool"
)

// organizations returns n organizations, the same each time.
func organizations(n int) []id.Org {
	out := make([]id.Org, n)
	for i := range out {
		u := id.SystemOrg.UUID()
		copy(u[:], fmt.Sprintf("%08d", i))
		out[i] = id.FromUUID[id.OrgKind](u)
	}
	return out
}

func members(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("worker-%d", i)
	}
	return out
}

// owners returns who serves each organization.
func owners(orgs []id.Org, members []string, replicas int) map[id.Org][]string {
	out := make(map[id.Org][]string, len(orgs))
	for _, m := range members {
		s := pool.NewShare(m, members, replicas)
		for _, o := range orgs {
			if s.Has(o) {
				out[o] = append(out[o], m)
			}
		}
	}
	return out
}

func TestShare(t *testing.T) {
	t.Parallel()
	orgs := organizations(2000)

	t.Run("Should have each organization served by as many members as there are replicas", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, replicas := range []int{-1, 0, 1, 2, 3, 10} {
			for _, o := range orgs {
				by := owners([]id.Org{o}, members(5), replicas)[o]
				is.Equal(len(by), min(max(replicas, 1), 5))
			}
		}
	})
	t.Run("Should give a member who is alone everything, known as one or not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, known := range [][]string{nil, {"worker-0"}} {
			s := pool.NewShare("worker-0", known, 1)
			for _, o := range orgs {
				is.True(s.Has(o))
			}
		}
	})
	t.Run("Should not depend on the order of the members", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		forth := members(7)
		back := slices.Clone(forth)
		slices.Reverse(back)
		one, other := pool.NewShare("worker-3", forth, 2), pool.NewShare("worker-3", back, 2)
		for _, o := range orgs {
			is.Equal(one.Has(o), other.Has(o))
		}
	})
	t.Run("Should be balanced", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, n := range []int{2, 3, 8, 20} {
			served := map[string]int{}
			for _, by := range owners(orgs, members(n), 1) {
				served[by[0]]++
			}
			even := float64(len(orgs)) / float64(n)
			for _, m := range members(n) {
				is.True(float64(served[m]) > 0.7*even)
				is.True(float64(served[m]) < 1.3*even)
			}
		}
	})
	t.Run("Should move no more than what who comes or goes serves", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, replicas := range []int{1, 2} {
			before, after := owners(orgs, members(8), replicas), owners(orgs, members(9), replicas)
			moved := 0
			for _, o := range orgs {
				if slices.Equal(before[o], after[o]) {
					continue
				}
				moved++
				is.True(slices.Contains(after[o], "worker-8")) // to the new one, and between no others
			}
			expected := float64(replicas*len(orgs)) / 9
			is.True(float64(moved) < 1.3*expected)
			is.True(moved > 0)
		}
	})
	t.Run("Should give the same shares in every version of the program", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := pool.NewShare("worker-1", members(3), 1)
		var has []int
		for i, o := range orgs[:20] {
			if s.Has(o) {
				has = append(has, i)
			}
		}
		is.Equal(has, []int{0, 4, 6, 13, 14, 16, 18})
	})
}

func TestCheckMember(t *testing.T) {
	t.Parallel()
	t.Run("Should take the names of hosts and refuse what no name is", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, name := range []string{"a", "fleet-7d9f-x2x4z", "Host_1.example:42", strings.Repeat("x", 100)} {
			is.NoErr(pool.CheckMember(name))
		}
		for _, name := range []string{"", "-a", "a b", "ä", "a/b", strings.Repeat("x", 101)} {
			is.True(errors.Is(pool.CheckMember(name), fault.ErrInvalid))
		}
	})
}

func BenchmarkShare(b *testing.B) {
	orgs, all := organizations(1000), members(20)
	for b.Loop() {
		s := pool.NewShare("worker-3", all, 1)
		for _, o := range orgs {
			s.Has(o)
		}
	}
}
