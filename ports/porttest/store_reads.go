package porttest

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// Store checks ports.Store.
func Store(t *testing.T, open Open) {
	b := open(t)
	t.Run("Reads", func(t *testing.T) { storeReads(t, b) })
	t.Run("Isolation", func(t *testing.T) { storeIsolation(t, b) })
	t.Run("Accounting", func(t *testing.T) { storeAccounting(t, b) })
	t.Run("Writers", func(t *testing.T) { storeWriters(t, b) })
	t.Run("Roles", func(t *testing.T) { storeRoles(t, b) })
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
		wantOrg.CreatedAt, wantOrg.UpdatedAt = kept(wantOrg.CreatedAt), kept(wantOrg.UpdatedAt)
		is.Equal(gotOrg.Snapshot(), wantOrg)

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
		wantKey.CreatedAt, wantKey.UpdatedAt = kept(wantKey.CreatedAt), kept(wantKey.UpdatedAt)
		wantKey.ExpiresAt, wantKey.RevokedAt = kept(wantKey.ExpiresAt), kept(wantKey.RevokedAt)
		is.Equal(gotKey.Snapshot(), wantKey)

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
			s.Scopes, s.ExpiresAt, s.RevokedAt = 0, time.Time{}, time.Time{}
		})
		op := operation.New(id.New[id.OperationKind](), o.ID(), operation.ProvisionOrganization, moment)
		seed(t, b, o, k, op)

		gotKey, err := b.Store.Reads(o.ID()).APIKey(t.Context(), keyID(k))
		is.NoErr(err)
		s := gotKey.Snapshot()
		is.True(s.UserID.IsZero())
		is.Equal(s.Scopes.Len(), 0)
		is.True(s.ExpiresAt.IsZero())
		is.True(s.RevokedAt.IsZero())

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
			users, err := r.Users(t.Context(), page.Request{Limit: 10})
			is.NoErr(err)
			is.Equal(len(users.Items), 0)
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
		list, err := r.Users(t.Context(), page.Request{Limit: 10})
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
		list, err := r.APIKeys(t.Context(), page.Request{Limit: 10})
		is.NoErr(err)
		is.Equal(flat([][]apikey.Key{list.Items}, keyID), []id.APIKey{keyID(k)})
	})

	should(t, "list oldest first, in pages without gap or repetition", func(t *testing.T, is *is.I) {
		o, neighbour := anOrg(), seed(t, b, anOrg())
		seed(t, b, o)
		var users []id.User
		var keys []id.APIKey
		for range 7 {
			u := aUser(o.ID())
			k := aKey(o.ID(), u.ID())
			users, keys = append(users, u.ID()), append(keys, keyID(k))
			add(t, b, o.ID(), u, k)
			add(t, b, neighbour.ID(), aUser(neighbour.ID())) // between ours in the order of ids
		}
		r := b.Store.Reads(o.ID())
		for _, limit := range []int{1, 3, 6, 7, 8} {
			userPages := walk(t, limit, func(q page.Request) (page.Page[user.User], error) { return r.Users(t.Context(), q) })
			is.Equal(flat(userPages, userID), users)
			is.Equal(len(userPages), (7+limit-1)/limit) // no empty page at the end
			keyPages := walk(t, limit, func(q page.Request) (page.Page[apikey.Key], error) { return r.APIKeys(t.Context(), q) })
			is.Equal(flat(keyPages, keyID), keys)
		}
	})
}
