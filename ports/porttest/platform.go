package porttest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
)

// Platform checks ports.Platform.
func Platform(t *testing.T, open Open) {
	b := open(t)
	should(t, "answer for an empty database", func(t *testing.T, is *is.I) {
		list, err := b.Platform.Orgs(t.Context(), org.Filter{}, page.Request{Limit: 10})
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
		o := changeOrg(orgIn(state), func(s *org.Snapshot) { s.CreatedAt = moment.Add(time.Duration(len(all)) * time.Second) })
		op := anOperation(o.ID())
		seed(t, b, o, op)
		byState[state] = o
		if state != org.Deleted { // a tombstone is listed to who asks for it
			all = append(all, o.ID())
		}

		should(t, "read any organization and operation, "+state.String(), func(t *testing.T, is *is.I) {
			want := keptOrg(o)
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
	second := seed(t, b, changeOrg(anOrg(), func(s *org.Snapshot) { s.CreatedAt = moment.Add(time.Hour) }))
	all = append(all, second.ID())

	should(t, "fail with fault.ErrNotFound for what is absent", func(t *testing.T, is *is.I) {
		_, err := b.Platform.Org(t.Context(), id.New[id.OrgKind]())
		isNotFound(t, err)
		_, err = b.Platform.OrgBySlug(t.Context(), "nobody")
		isNotFound(t, err)
		_, err = b.Platform.Operation(t.Context(), id.New[id.OperationKind]())
		isNotFound(t, err)
	})

	should(t, "list all organizations but the tombstones, oldest first, in pages without gap or repetition", func(t *testing.T, is *is.I) {
		for _, limit := range []int{1, 3, len(all), len(all) + 1} {
			pages := walk(t, limit, func(q page.Request) (page.Page[org.Org], error) { return b.Platform.Orgs(t.Context(), org.Filter{}, q) })
			is.Equal(flat(pages, orgID), all)
			is.Equal(len(pages), (len(all)+limit-1)/limit)
		}
	})

	should(t, "list in each order, forth and back", func(t *testing.T, is *is.I) {
		list := func(sort string, limit int) []id.Org {
			order, err := org.ParseOrder(sort)
			is.NoErr(err)
			return flat(walk(t, limit, func(q page.Request) (page.Page[org.Org], error) {
				return b.Platform.Orgs(t.Context(), org.Filter{Order: order}, q)
			}), orgID)
		}
		reversed := slices.Clone(all)
		slices.Reverse(reversed)
		bySlug := slices.SortedFunc(slices.Values(all), func(x, y id.Org) int {
			ox, _ := b.Platform.Org(t.Context(), x)
			oy, _ := b.Platform.Org(t.Context(), y)
			return strings.Compare(ox.Snapshot().Slug, oy.Snapshot().Slug)
		})
		slugReversed := slices.Clone(bySlug)
		slices.Reverse(slugReversed)
		for sort, want := range map[string][]id.Org{"created_at": all, "-created_at": reversed, "slug": bySlug, "-slug": slugReversed} {
			for _, limit := range []int{1, 3, 100} {
				is.Equal(list(sort, limit), want)
			}
		}
	})

	should(t, "list what the filter chooses", func(t *testing.T, is *is.I) {
		gold := seed(t, b, changeOrg(anOrg(), func(s *org.Snapshot) {
			s.CreatedAt = moment.Add(2 * time.Hour)
			s.State, s.Metadata, s.Slug = org.Suspended, org.Metadata{"plan": "%", "b": "2"}, unique("gold")
		}))
		all = append(all, gold.ID())
		for _, c := range []struct {
			f    org.Filter
			want []id.Org
		}{
			{org.Filter{State: org.Deleted}, []id.Org{orgID(byState[org.Deleted])}},
			{org.Filter{State: org.Suspended}, []id.Org{orgID(byState[org.Suspended]), gold.ID()}},
			{org.Filter{SlugPrefix: "gold-"}, []id.Org{gold.ID()}},
			{org.Filter{SlugPrefix: "old"}, nil},
			{org.Filter{SlugPrefix: "%"}, nil}, // no pattern
			{org.Filter{MetadataKey: "plan", MetadataValue: "%"}, []id.Org{gold.ID()}},
			{org.Filter{MetadataKey: "plan", MetadataValue: "2"}, nil},
			{org.Filter{MetadataKey: "b", MetadataValue: "2", State: org.Active}, nil},
		} {
			pages := walk(t, 1, func(q page.Request) (page.Page[org.Org], error) { return b.Platform.Orgs(t.Context(), c.f, q) })
			is.Equal(flat(pages, orgID), c.want)
		}
	})

	should(t, "return the active organizations oldest first, without the system's", func(t *testing.T, is *is.I) {
		active, err := b.Platform.ActiveOrgs(t.Context())
		is.NoErr(err)
		first := byState[org.Active]
		is.Equal(flat([][]org.Org{active}, orgID), []id.Org{first.ID(), second.ID()})
	})
}
