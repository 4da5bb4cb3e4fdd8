package porttest

import (
	"context"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/ports"
)

// ScheduleDeletionSetup is an implementation under test, with the world it needs.
type ScheduleDeletionSetup struct {
	Schedules ports.Schedules
	Namespace string        // a tenant's, without schedules, that nobody else uses
	Other     string        // another one; "": the implementation knows one alone
	Absent    string        // nobody's
	Many      int           // more schedules than the implementation lists at once
	Instant   time.Duration // too short to delete so many, on whatever machine; 0: nothing is
}

// ScheduleDeletion is the contract of ports.Schedules.DeleteAll.
func ScheduleDeletion(t *testing.T, setup ScheduleDeletionSetup) {
	s := schedules{SchedulesSetup{Schedules: setup.Schedules, Namespace: setup.Namespace}, aMember()}
	listed := func(t *testing.T, namespace string) (ids []string) {
		t.Helper()
		for next := []byte(nil); ; {
			p, err := s.Schedules.List(t.Context(), namespace, page.TokenRequest{Limit: page.MaxLimit, Token: next})
			if err != nil {
				t.Fatalf("list %s: %v", namespace, err)
			}
			for _, f := range p.Items {
				ids = append(ids, f.ID)
			}
			if next = p.Next; next == nil {
				return ids
			}
		}
	}
	many := func(t *testing.T) []schedule.Schedule {
		t.Helper()
		made := make([]schedule.Schedule, setup.Many)
		for i := range made {
			made[i] = rarely()
		}
		for _, err := range together(setup.Many, func(i int) error {
			return s.Schedules.Create(t.Context(), s.Namespace, s.by, made[i])
		}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		s.until(t, "all are listed", func() bool { return len(listed(t, s.Namespace)) == setup.Many })
		return made
	}
	left := func(t *testing.T, of []schedule.Schedule) (n int) {
		t.Helper()
		for _, one := range of {
			_, err := s.Schedules.Describe(t.Context(), s.Namespace, one.ID)
			switch {
			case err == nil:
				n++
			case !fault.IsKind(err, fault.NotFound):
				t.Fatal(err)
			}
		}
		return n
	}

	should(t, "delete all, be they more than a page, with what is gone meanwhile among them, and none of another's", func(t *testing.T, is *is.I) {
		other := rarely()
		if setup.Other != "" {
			is.NoErr(s.Schedules.Create(t.Context(), setup.Other, s.by, other))
		}
		made := many(t)
		is.NoErr(s.Schedules.Delete(t.Context(), s.Namespace, made[0].ID, 0)) // and may still be listed
		is.NoErr(s.Schedules.DeleteAll(t.Context(), s.Namespace))
		is.Equal(left(t, made), 0)
		is.NoErr(s.Schedules.DeleteAll(t.Context(), s.Namespace)) // again, while they may still be listed
		s.until(t, "none is listed", func() bool { return len(listed(t, s.Namespace)) == 0 })
		if setup.Other != "" {
			_, err := s.Schedules.Describe(t.Context(), setup.Other, other.ID)
			is.NoErr(err)
		}
	})

	should(t, "come to the end by attempts that are each too short for it", func(t *testing.T, is *is.I) {
		made := many(t)
		attempts, there, instant := 0, len(made), setup.Instant
		s.until(t, "an attempt has come to the end", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), instant)
			defer cancel()
			attempts++
			err := s.Schedules.DeleteAll(ctx, s.Namespace)
			is.True(err == nil || fault.Passes(err)) // each can be made again
			still := left(t, made)
			is.True(still <= there) // what is deleted stays so
			if still == there {
				instant *= 2 // the machine does much else
			}
			there = still
			return err == nil
		})
		is.Equal(left(t, made), 0)
		is.True(attempts > 1 || setup.Instant == 0) // else they were not too short
	})

	should(t, "take a namespace that is not there for one without schedules", func(t *testing.T, is *is.I) {
		is.NoErr(s.Schedules.DeleteAll(t.Context(), setup.Absent))
	})
}
