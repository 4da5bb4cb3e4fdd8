package porttest

import (
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
)

// Platform checks ports.Platform.
func Platform(t *testing.T, open Open) {
	b := open(t)
	should(t, "answer for an empty database", func(t *testing.T, is *is.I) {
		list, err := b.Platform.Orgs(t.Context(), page.Request{Limit: 10})
		is.NoErr(err)
		is.Equal(len(list.Items), 0)
		active, err := b.Platform.ActiveOrgs(t.Context())
		is.NoErr(err)
		is.Equal(len(active), 0)
	})

	system := seed(t, b, org.NewSystem(moment))
	var all []id.Org
	all = append(all, system.ID())
	byState := map[org.State]org.Org{}
	for _, state := range []org.State{org.Active, org.Provisioning, org.Failed, org.Suspended, org.Deleting, org.Deleted} {
		o := orgIn(state)
		op := anOperation(o.ID())
		seed(t, b, o, op)
		byState[state] = o
		all = append(all, o.ID())

		should(t, "read any organization and operation, "+state.String(), func(t *testing.T, is *is.I) {
			want := o.Snapshot()
			want.CreatedAt, want.UpdatedAt = kept(want.CreatedAt), kept(want.UpdatedAt)
			got, err := b.Platform.Org(t.Context(), o.ID())
			is.NoErr(err)
			is.Equal(got.Snapshot(), want)
			got, err = b.Platform.OrgBySlug(t.Context(), want.Slug)
			is.NoErr(err)
			is.Equal(got.Snapshot(), want)
			gotOp, err := b.Platform.Operation(t.Context(), op.Snapshot().ID)
			is.NoErr(err)
			is.Equal(gotOp.Snapshot().OrgID, o.ID())
			is.Equal(gotOp.Snapshot().Failure, op.Snapshot().Failure)
		})
	}
	second := seed(t, b, anOrg())
	all = append(all, second.ID())

	should(t, "fail with fault.ErrNotFound for what is absent", func(t *testing.T, is *is.I) {
		_, err := b.Platform.Org(t.Context(), id.New[id.OrgKind]())
		isNotFound(t, err)
		_, err = b.Platform.OrgBySlug(t.Context(), "nobody")
		isNotFound(t, err)
		_, err = b.Platform.Operation(t.Context(), id.New[id.OperationKind]())
		isNotFound(t, err)
	})

	should(t, "list all organizations oldest first, in pages without gap or repetition", func(t *testing.T, is *is.I) {
		for _, limit := range []int{1, 3, len(all), len(all) + 1} {
			pages := walk(t, limit, func(q page.Request) (page.Page[org.Org], error) { return b.Platform.Orgs(t.Context(), q) })
			is.Equal(flat(pages, orgID), all)
			is.Equal(len(pages), (len(all)+limit-1)/limit)
		}
	})

	should(t, "return the active organizations oldest first, without the system's", func(t *testing.T, is *is.I) {
		active, err := b.Platform.ActiveOrgs(t.Context())
		is.NoErr(err)
		first := byState[org.Active]
		is.Equal(flat([][]org.Org{active}, orgID), []id.Org{first.ID(), second.ID()})
	})
}
