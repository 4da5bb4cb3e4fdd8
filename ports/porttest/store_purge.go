package porttest

import (
	"context"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// storePurge checks OrgWriter.Purge.
func storePurge(t *testing.T, b Backend) {
	doomed := func(t *testing.T) (org.Org, id.Operation) {
		t.Helper()
		o := changeOrg(anOrg(), func(s *org.Snapshot) { s.State, s.DeleteAfter = org.Deleting, time.Time{} })
		deletion := operation.New(id.New[id.OperationKind](), o.ID(), operation.DeleteOrganization, moment)
		seed(t, b, o, deletion)
		for range 5 {
			u := aUser(o.ID())
			add(t, b, o.ID(), u, aKey(o.ID(), u.ID()), aKey(o.ID(), id.User{}), anOperation(o.ID()), aMessage(t, o.ID(), moment), aSchedule(o.ID()))
		}
		must(t, b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
			return tx.Audit.Append(ctx, audit.Accepted(o.ID(), moment, authz.Remover, audit.OrganizationCreated, "organization", o.ID().String(), nil))
		}))
		return o, operationID(deletion)
	}
	purge := func(t *testing.T, o id.Org, many int) (removed int64, err error) {
		t.Helper()
		err = b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) (err error) {
			removed, err = tx.Orgs.Purge(ctx, many)
			return err
		})
		return removed, err
	}
	left := func(t *testing.T, o id.Org) (org.Counts, []id.Operation) {
		t.Helper()
		r := b.Store.Reads(o)
		counts, err := r.OrgCounts(t.Context())
		must(t, err)
		return counts, flat(walk(t, 100, func(q page.Request) (page.Page[operation.Operation], error) {
			return r.Operations(t.Context(), q)
		}), operationID)
	}

	should(t, "remove everything but the tombstone, its trail and the deletion, and nothing of another's", func(t *testing.T, is *is.I) {
		neighbour, theirs := doomed(t) // doomed, too, so that nothing but the scope protects it
		o, deletion := doomed(t)
		trail := b.Trail(t, o.ID())
		var calls int
		for removed := int64(1); removed > 0; calls++ {
			var err error
			removed, err = purge(t, o.ID(), 2)
			is.NoErr(err)
		}
		is.True(calls > 4) // in parts
		counts, operations := left(t, o.ID())
		is.Equal(counts, org.Counts{})
		is.Equal(operations, []id.Operation{deletion})
		is.Equal(b.Trail(t, o.ID()), trail)
		row, err := b.Store.Reads(o.ID()).Org(t.Context())
		is.NoErr(err)
		is.Equal(row.State(), org.Deleting)

		counts, operations = left(t, neighbour.ID())
		is.Equal(counts, org.Counts{Members: 5, APIKeys: 10, Schedules: 5})
		is.Equal(len(operations), 6)
		is.Equal(operations[0], theirs)
	})

	should(t, "refuse an organization that is not past the point of no return", func(t *testing.T, is *is.I) {
		for _, change := range []func(*org.Snapshot){
			func(s *org.Snapshot) { s.State, s.DeleteAfter = org.Active, time.Time{} },
			func(s *org.Snapshot) { s.State, s.DeleteAfter = org.Suspended, time.Time{} },
			func(s *org.Snapshot) { s.State = org.Deleting }, // in its grace, be it over by the clock
			func(s *org.Snapshot) { s.State, s.DeleteAfter = org.Deleted, time.Time{} },
		} {
			o := changeOrg(anOrg(), change)
			u := aUser(o.ID())
			k := changeKey(aKey(o.ID(), u.ID()), func(s *apikey.Snapshot) { s.State = apikey.Active })
			seed(t, b, o, changeUser(u, func(s *user.Snapshot) { s.State = user.Active }), k)
			_, err := purge(t, o.ID(), 100)
			is.True(err != nil)
			counts, _ := left(t, o.ID())
			is.Equal(counts, org.Counts{Members: 1, APIKeys: 1})
		}
		_, err := purge(t, id.New[id.OrgKind](), 100)
		is.True(err != nil)
	})
}
