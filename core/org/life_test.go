package org_test

import (
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
)

func deleting(after time.Time, change func(*org.Snapshot)) org.Org {
	s := org.Snapshot{
		ID: id.New[id.OrgKind](), Slug: "acme", Name: "Acme", State: org.Deleting, Namespace: "org-acme-01234567",
		Metadata: org.Metadata{"a": "b"}, ActivatedAt: t0, DeleteAfter: after, Version: 7, CreatedAt: t0, UpdatedAt: t0,
	}
	if change != nil {
		change(&s)
	}
	return org.Restore(s)
}

func TestSuspend(t *testing.T) {
	t.Parallel()

	t.Run("Should want a reason that people can read", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, reason := range []string{"", " x", "a\x00"} {
			o := org.Restore(org.Snapshot{State: org.Active})
			err := o.Suspend(reason, t1)
			is.Equal(fault.From(err).Fields[0].Pointer, "/reason")
			is.Equal(o.State(), org.Active)
		}
	})
}

func TestDeletion(t *testing.T) {
	t.Parallel()

	t.Run("Should be refused as long as the organization is protected", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := org.Restore(org.Snapshot{State: org.Active, DeletionProtected: true})
		is.True(errors.Is(o.Delete(grace, t1), org.ErrProtected))
		is.Equal(o.State(), org.Active)
	})

	t.Run("Should not pass the point of no return before the grace is over", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := deleting(t1, nil)
		left, err := o.EndGrace(t0)
		is.NoErr(err)
		is.Equal(left, t1.Sub(t0))
		is.Equal(o.Snapshot().Version, int64(7)) // nothing changed
		_, err = o.Bury(t0)
		is.True(errors.Is(err, org.ErrState))

		left, err = o.EndGrace(t1)
		is.NoErr(err)
		is.Equal(left, time.Duration(0))
		is.True(o.Snapshot().DeleteAfter.IsZero())
		left, err = o.EndGrace(t1) // again
		is.NoErr(err)
		is.Equal(left, time.Duration(0))
		is.Equal(o.Snapshot().Version, int64(8))
	})

	t.Run("Should be taken back inside the grace, and at no moment after it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, c := range []struct {
			o    org.Org
			at   time.Time
			want error
		}{
			{deleting(t1, nil), t1.Add(-1), nil},
			{deleting(t1, nil), t1, org.ErrGraceOver},
			{deleting(time.Time{}, nil), t0, org.ErrGraceOver}, // past the point of no return, whatever the clock says
			{org.Restore(org.Snapshot{State: org.Deleted}), t0, org.ErrState},
			{org.Restore(org.Snapshot{State: org.Suspended}), t0, org.ErrState},
		} {
			before := c.o.Snapshot()
			err := c.o.Undelete(c.at)
			if c.want != nil {
				is.True(errors.Is(err, c.want))
				is.Equal(c.o.Snapshot(), before)
				continue
			}
			is.NoErr(err)
			is.Equal(c.o.State(), org.Suspended)
			is.True(c.o.Snapshot().DeleteAfter.IsZero())
			is.True(c.o.Snapshot().StateReason != "")
		}
	})

	t.Run("Should lead back to a failed provisioning when the namespace was never usable", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := deleting(t1, func(s *org.Snapshot) { s.ActivatedAt = time.Time{} })
		is.NoErr(o.Undelete(t0))
		is.Equal(o.State(), org.Failed)
		is.NoErr(o.Retry(t1))
	})

	t.Run("Should be hastened inside the grace alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := deleting(t1, nil)
		is.NoErr(o.Hasten(t0))
		is.Equal(o.Snapshot().DeleteAfter, t0)
		is.NoErr(o.Hasten(t1)) // later: it is over already
		is.Equal(o.Snapshot().DeleteAfter, t0)
		_, err := o.EndGrace(t1)
		is.NoErr(err)
		is.True(errors.Is(o.Hasten(t1), org.ErrState))
	})

	t.Run("Should be tried again only after it failed", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := deleting(time.Time{}, nil)
		is.True(errors.Is(o.RetryDeletion(t1), org.ErrState))
		is.NoErr(o.FailDeletion("why", t1))
		is.NoErr(o.RetryDeletion(t1))
		is.True(errors.Is(o.RetryDeletion(t1), org.ErrState))
	})

	t.Run("Should leave a tombstone with nothing of what its keepers wrote", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := deleting(time.Time{}, nil)
		changed, err := o.Bury(t1)
		is.NoErr(err)
		is.True(changed)
		s := o.Snapshot()
		is.Equal(s.Name, "acme")
		is.Equal(s.Metadata, org.Metadata(nil))
		is.Equal(s.Slug, "acme")
		is.Equal(s.Namespace, "org-acme-01234567")
		changed, err = o.Bury(t1)
		is.NoErr(err)
		is.True(!changed)
	})
}
