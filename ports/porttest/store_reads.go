package porttest

import (
	"context"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Store checks ports.Store.
func Store(t *testing.T, open Open) {
	b := open(t)
	t.Run("Reads", func(t *testing.T) { storeReads(t, b) })
	t.Run("Isolation", func(t *testing.T) { storeIsolation(t, b) })
	t.Run("Accounting", func(t *testing.T) { storeAccounting(t, b) })
	t.Run("Writers", func(t *testing.T) { storeWriters(t, b) })
	t.Run("Roles", func(t *testing.T) { storeRoles(t, b) })
	t.Run("Purge", func(t *testing.T) { storePurge(t, b) })
	t.Run("Schedules", func(t *testing.T) { storeSchedules(t, b) })
	t.Run("WriteTx", func(t *testing.T) { storeTransactions(t, b) })
}

func storeReads(t *testing.T, b Backend) {
	should(t, "return every field of what was stored, its times in UTC and whole microseconds", func(t *testing.T, is *is.I) {
		o := anOrg()
		u := aUser(o.ID())
		k, op := aKey(o.ID(), u.ID()), anOperation(o.ID())
		seed(t, b, o, u, k, op)
		r := b.Store.Reads(o.ID())

		gotOrg, err := r.Org(t.Context())
		is.NoErr(err)
		wantOrg := o.Snapshot()
		whole(t, wantOrg)
		is.Equal(gotOrg.Snapshot(), keptOrg(o))

		gotUser, err := r.User(t.Context(), u.ID())
		is.NoErr(err)
		wantUser := u.Snapshot()
		whole(t, wantUser)
		wantUser.CreatedAt, wantUser.UpdatedAt = kept(wantUser.CreatedAt), kept(wantUser.UpdatedAt)
		is.Equal(gotUser.Snapshot(), wantUser)

		gotKey, err := r.APIKey(t.Context(), keyID(k))
		is.NoErr(err)
		wantKey := k.Snapshot()
		whole(t, wantKey)
		whole(t, wantKey.Old)
		is.Equal(gotKey.Snapshot(), keptAPIKey(wantKey))

		gotOp, err := r.Operation(t.Context(), op.Snapshot().ID)
		is.NoErr(err)
		wantOp := op.Snapshot()
		whole(t, wantOp)
		wantOp.CreatedAt, wantOp.UpdatedAt, wantOp.FinishedAt = kept(wantOp.CreatedAt), kept(wantOp.UpdatedAt), kept(wantOp.FinishedAt)
		is.Equal(gotOp.Snapshot(), wantOp)
	})

	should(t, "return absent values as zero", func(t *testing.T, is *is.I) {
		o := anOrg()
		k := changeKey(aKey(o.ID(), id.User{}), func(s *apikey.Snapshot) {
			s.Scopes, s.ExpiresAt, s.RevokedAt, s.WarnAt, s.LastUsedAt = 0, time.Time{}, time.Time{}, time.Time{}, time.Time{}
			s.Description, s.AllowedIPs, s.Metadata, s.Old = "", nil, nil, apikey.Previous{}
		})
		op := operation.New(id.New[id.OperationKind](), o.ID(), operation.ProvisionOrganization, moment)
		o = changeOrg(o, func(s *org.Snapshot) {
			s.Metadata, s.Settings, s.ActivatedAt, s.DeleteAfter = nil, org.Settings{}, time.Time{}, time.Time{}
		})
		seed(t, b, o, k, op)

		gotOrg, err := b.Store.Reads(o.ID()).Org(t.Context())
		is.NoErr(err)
		is.Equal(gotOrg.Snapshot().Metadata, org.Metadata(nil))
		is.Equal(gotOrg.Snapshot().Settings, org.Settings{})
		is.True(gotOrg.Snapshot().ActivatedAt.IsZero())
		is.True(gotOrg.Snapshot().DeleteAfter.IsZero())

		gotKey, err := b.Store.Reads(o.ID()).APIKey(t.Context(), keyID(k))
		is.NoErr(err)
		s := gotKey.Snapshot()
		is.True(s.UserID.IsZero())
		is.Equal(s.Scopes.Len(), 0)
		want := k.Snapshot()
		is.Equal(s, keptAPIKey(want))

		gotOp, err := b.Store.Reads(o.ID()).Operation(t.Context(), op.Snapshot().ID)
		is.NoErr(err)
		is.True(gotOp.Snapshot().FinishedAt.IsZero())
		is.Equal(gotOp.Snapshot().Step, operation.Step{})
	})

	should(t, "fail with fault.ErrNotFound for what never existed", func(t *testing.T, is *is.I) {
		for name, o := range map[string]id.Org{
			"an organization": orgID(seed(t, b, anOrg())), "an absent one": id.New[id.OrgKind](), "none": {},
		} {
			r := b.Store.Reads(o)
			if name != "an organization" {
				_, err := r.Org(t.Context())
				isNotFound(t, err)
			}
			_, err := r.User(t.Context(), id.New[id.UserKind]())
			isNotFound(t, err)
			_, err = r.APIKey(t.Context(), id.New[id.APIKeyKind]())
			isNotFound(t, err)
			_, err = r.Operation(t.Context(), id.New[id.OperationKind]())
			isNotFound(t, err)
			users, err := r.Users(t.Context(), user.Filter{}, page.Request{Limit: 10})
			is.NoErr(err)
			is.Equal(len(users.Items), 0)
			operations, err := r.Operations(t.Context(), page.Request{Limit: 10})
			is.NoErr(err)
			is.Equal(len(operations.Items), 0)
			counts, err := r.OrgCounts(t.Context())
			is.NoErr(err)
			is.Equal(counts, org.Counts{})
		}
	})

	should(t, "find removed users and not list them", func(t *testing.T, is *is.I) {
		o := anOrg()
		present := aUser(o.ID())
		removed := changeUser(aUser(o.ID()), func(s *user.Snapshot) { s.State = user.Removed })
		suspended := changeUser(aUser(o.ID()), func(s *user.Snapshot) { s.State = user.Suspended })
		seed(t, b, o, present, removed, suspended)
		r := b.Store.Reads(o.ID())
		got, err := r.User(t.Context(), removed.ID())
		is.NoErr(err)
		is.Equal(got.Snapshot().State, user.Removed)
		list, err := r.Users(t.Context(), user.Filter{}, page.Request{Limit: 10})
		is.NoErr(err)
		is.Equal(flat([][]user.User{list.Items}, userID), []id.User{present.ID(), suspended.ID()})
	})

	should(t, "find and list revoked keys", func(t *testing.T, is *is.I) {
		o := anOrg()
		k := changeKey(aKey(o.ID(), id.User{}), func(s *apikey.Snapshot) { s.State = apikey.Revoked })
		seed(t, b, o, k)
		r := b.Store.Reads(o.ID())
		got, err := r.APIKey(t.Context(), keyID(k))
		is.NoErr(err)
		is.Equal(got.Snapshot().State, apikey.Revoked)
		list, err := r.APIKeys(t.Context(), apikey.Filter{}, page.Request{Limit: 10})
		is.NoErr(err)
		is.Equal(flat([][]apikey.Key{list.Items}, keyID), []id.APIKey{keyID(k)})
	})

	should(t, "count the users who were not removed, the keys that were not revoked, and the schedules that are known", func(t *testing.T, is *is.I) {
		o, neighbour := anOrg(), anOrg()
		seed(t, b, neighbour, aUser(neighbour.ID()), aKey(neighbour.ID(), id.User{}), aSchedule(neighbour.ID()))
		removed := changeUser(aUser(o.ID()), func(s *user.Snapshot) { s.State = user.Removed })
		revoked := changeKey(aKey(o.ID(), id.User{}), func(s *apikey.Snapshot) { s.State = apikey.Revoked })
		disabled := changeKey(aKey(o.ID(), id.User{}), func(s *apikey.Snapshot) { s.State = apikey.Disabled })
		seed(t, b, o, aUser(o.ID()), aUser(o.ID()), removed, aKey(o.ID(), removed.ID()), revoked, disabled, aSchedule(o.ID()))
		counts, err := b.Store.Reads(o.ID()).OrgCounts(t.Context())
		is.NoErr(err)
		is.Equal(counts, org.Counts{Members: 2, APIKeys: 2, Schedules: 1})
		is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
			is.NoErr(tx.Users.Insert(ctx, aUser(o.ID())))
			counts, err = tx.Orgs.Counts(ctx)
			return err
		}))
		is.Equal(counts, org.Counts{Members: 3, APIKeys: 2, Schedules: 1})
	})

	should(t, "list oldest first, in pages without gap or repetition", func(t *testing.T, is *is.I) {
		o, neighbour := anOrg(), seed(t, b, anOrg())
		seed(t, b, o)
		var users []id.User
		var keys []id.APIKey
		var operations []id.Operation
		for range 7 {
			u := aUser(o.ID())
			k := aKey(o.ID(), u.ID())
			op := anOperation(o.ID())
			users, keys, operations = append(users, u.ID()), append(keys, keyID(k)), append(operations, operationID(op))
			add(t, b, o.ID(), u, k, op)
			add(t, b, neighbour.ID(), aUser(neighbour.ID()), anOperation(neighbour.ID())) // between ours in the order of ids
		}
		r := b.Store.Reads(o.ID())
		for _, limit := range []int{1, 3, 6, 7, 8} {
			userPages := walk(t, limit, func(q page.Request) (page.Page[user.User], error) { return r.Users(t.Context(), user.Filter{}, q) })
			is.Equal(flat(userPages, userID), users)
			is.Equal(len(userPages), (7+limit-1)/limit) // no empty page at the end
			keyPages := walk(t, limit, func(q page.Request) (page.Page[apikey.Key], error) { return r.APIKeys(t.Context(), apikey.Filter{}, q) })
			is.Equal(flat(keyPages, keyID), keys)
			operationPages := walk(t, limit, func(q page.Request) (page.Page[operation.Operation], error) { return r.Operations(t.Context(), q) })
			is.Equal(flat(operationPages, operationID), operations)
		}
	})
}
