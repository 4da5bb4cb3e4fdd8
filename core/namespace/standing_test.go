package namespace_test

import (
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
)

func TestStanding(t *testing.T) {
	t.Parallel()
	o := id.New[id.OrgKind]()
	own, other := o.String(), id.New[id.OrgKind]().String()
	for _, c := range []struct {
		status namespace.Status
		owner  string
		tagged bool
		want   namespace.Standing
	}{
		{namespace.Absent, "", false, namespace.Vacant},
		{namespace.Registered, own, true, namespace.Own},
		{namespace.Registered, own, false, namespace.Own}, // what is missing can be repaired
		{namespace.Deprecated, own, true, namespace.Own},
		{namespace.Deleted, own, true, namespace.Leaving},
		{namespace.Registered, "", false, namespace.Nobodys},
		{namespace.Deprecated, "", false, namespace.Nobodys},
		{namespace.Deleted, "", false, namespace.Nobodys},
		{namespace.Registered, "", true, namespace.Anothers}, // another Bulkhead's, or the system's
		{namespace.Registered, other, true, namespace.Anothers},
		{namespace.Registered, other, false, namespace.Anothers},
		{namespace.Deprecated, other, true, namespace.Anothers},
		{namespace.Deleted, other, true, namespace.Anothers},
	} {
		t.Run("Should take what is "+c.status.String()+" with the tag "+c.owner+" for "+c.want.String(), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			s := namespace.State{Status: c.status, Owner: c.owner, Tagged: c.tagged}
			is.Equal(s.Standing(o), c.want)
			is.True(!s.Standing(id.Org{}).IsOwn()) // no organization has anything
			is.Equal(s.AdoptableBy(o), c.want == namespace.Own || c.want == namespace.Leaving || c.want == namespace.Nobodys)
			is.Equal(s.Seen(o).Status == namespace.Foreign, c.want == namespace.Nobodys || c.want == namespace.Anothers)
		})
	}
}

func TestRemoval(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		standing      namespace.Standing
		never, worked namespace.Removal // for an organization that was never active, and for one that was
	}{
		{namespace.Vacant, namespace.Delete, namespace.Delete},
		{namespace.Own, namespace.Delete, namespace.Delete},
		{namespace.Leaving, namespace.Delete, namespace.Delete},
		{namespace.Nobodys, namespace.Keep, namespace.Refuse},
		{namespace.Anothers, namespace.Keep, namespace.Refuse},
		{namespace.Standing{}, namespace.Keep, namespace.Refuse}, // nothing is deleted that nobody has looked at
	} {
		t.Run("Should say what is done about what is "+c.standing.String(), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			is.Equal(c.standing.Removal(false), c.never)
			is.Equal(c.standing.Removal(true), c.worked)
		})
	}
}
