package namespace_test

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	owner := id.New[id.OrgKind]()
	want := namespace.Standard{}.For("org-acme-01234567", owner, 0)
	as := func(change func(*namespace.State)) namespace.State {
		s := namespace.State{
			Status: namespace.Registered, Owner: owner.String(), Tagged: true, Description: want.Description, Retention: want.Retention,
			Attributes: map[string]string{namespace.AttributeActor: namespace.Keyword, "Customer": "Text"}, Archival: true,
		}
		change(&s)
		return s
	}

	t.Run("Should find nothing in a namespace that is as it must be, whatever else it has", func(t *testing.T) {
		t.Parallel()
		is.New(t).Equal(len(namespace.Diff(want, as(func(*namespace.State) {}))), 0)
	})

	for name, c := range map[string]struct {
		change func(*namespace.State)
		want   namespace.Difference
	}{
		"retention": {
			func(s *namespace.State) { s.Retention = time.Hour },
			namespace.Difference{Field: "retention", Want: "3 days", Have: "1h0m0s", Repairable: true},
		},
		"description": {
			func(s *namespace.State) { s.Description = "mine" },
			namespace.Difference{Field: "description", Want: want.Description, Have: "mine", Repairable: true},
		},
		"tag": {
			func(s *namespace.State) { s.Tagged = false },
			namespace.Difference{Field: "managed_by", Want: "true", Have: "false", Repairable: true},
		},
		"missing attribute": {
			func(s *namespace.State) { s.Attributes = nil },
			namespace.Difference{Field: "search_attributes.BulkheadActor", Want: "Keyword", Repairable: true},
		},
	} {
		t.Run("Should find what can be repaired: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			got := namespace.Diff(want, as(c.change))
			is.Equal(got, []namespace.Difference{c.want})
			is.True(namespace.Repairable(got))
		})
	}

	for name, c := range map[string]struct {
		change      func(*namespace.State)
		field, have string
	}{
		"absent":     {func(s *namespace.State) { *s = namespace.State{Status: namespace.Absent} }, "status", "absent"},
		"deprecated": {func(s *namespace.State) { s.Status = namespace.Deprecated }, "status", "deprecated"},
		"deleted":    {func(s *namespace.State) { s.Status = namespace.Deleted }, "status", "deleted"},
		"foreign": {
			func(s *namespace.State) {
				s.Owner, s.Retention, s.Description = id.New[id.OrgKind]().String(), time.Hour, "secret"
			}, "status", "foreign",
		},
		"nobody's": {func(s *namespace.State) { s.Owner, s.Retention = "", time.Hour }, "status", "foreign"},
		"type": {
			func(s *namespace.State) { s.Attributes = map[string]string{namespace.AttributeActor: "Text"} }, "search_attributes.BulkheadActor", "Text",
		},
	} {
		t.Run("Should say how a person mends what can not be repaired, and no more: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			got := namespace.Diff(want, as(c.change))
			is.Equal(len(got), 1)
			is.Equal([]string{got[0].Field, got[0].Have}, []string{c.field, c.have})
			is.True(!got[0].Repairable)
			is.True(got[0].Repair != "")
			is.True(!namespace.Repairable(got))
		})
	}

	t.Run("Should name all differences in one order", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var fields []string
		for _, d := range namespace.Diff(want, namespace.State{Status: namespace.Registered, Owner: owner.String()}) {
			fields = append(fields, d.Field)
		}
		is.Equal(fields, []string{"managed_by", "retention", "description", "search_attributes.BulkheadActor"})
	})
}

func TestSeen(t *testing.T) {
	t.Parallel()
	t.Run("Should show nothing of what is another's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := namespace.State{Status: namespace.Registered, Owner: id.New[id.OrgKind]().String(), Description: "secret", Retention: time.Hour}
		is.Equal(s.Seen(id.New[id.OrgKind]()), namespace.State{Status: namespace.Foreign})
	})
}

func TestStandard(t *testing.T) {
	t.Parallel()
	t.Run("Should keep what is closed as long as the organization, the deployment or nobody has decided", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		retention := func(s namespace.Standard, own time.Duration) time.Duration {
			return s.For("org-acme-01234567", id.New[id.OrgKind](), own).Retention
		}
		is.Equal(retention(namespace.Standard{Retention: time.Hour}, 2*time.Hour), 2*time.Hour)
		is.Equal(retention(namespace.Standard{Retention: time.Hour}, 0), time.Hour)
		is.Equal(retention(namespace.Standard{}, 0), namespace.DefaultRetention)
	})
}
