package porttest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Credentials checks ports.Credentials.
func Credentials(t *testing.T, open Open) {
	b := open(t)
	o := seed(t, b, anOrg())
	u := aUser(o.ID())
	k := aKey(o.ID(), u.ID())
	add(t, b, o.ID(), u, k)
	s := k.Snapshot()

	should(t, "return all that authentication reads of a user's key", func(t *testing.T, is *is.I) {
		got, err := b.Credentials.Find(t.Context(), []apikey.Versioned{s.Hash})
		is.NoErr(err)
		want := apikey.Credential{
			Key: s.ID, Org: o.ID(), OrgSlug: o.Snapshot().Slug, OrgActive: true, User: u.ID(), UserRole: u.Role(), UserOK: true,
			Scopes: s.Scopes, Hash: s.Hash, State: apikey.Active, ExpiresAt: kept(s.ExpiresAt), AllowedIPs: s.AllowedIPs,
			Generation: s.Generation, Rotated: true, OldExpiresAt: kept(s.Old.ExpiresAt), OldUntilSeen: true,
			OrgLimits: o.Snapshot().Limits, KeyLimits: s.Limits,
		}
		is.Equal(got, want)

		old, err := b.Credentials.Find(t.Context(), []apikey.Versioned{s.Old.Hash})
		is.NoErr(err)
		want.Old, want.Hash, want.Generation = true, s.Old.Hash, s.Generation-1
		whole(t, want)
		is.Equal(old, want)
	})

	should(t, "tell that a key has but one secret", func(t *testing.T, is *is.I) {
		single := changeKey(aKey(o.ID(), u.ID()), func(s *apikey.Snapshot) { s.Old = apikey.Previous{} })
		add(t, b, o.ID(), single)
		got, err := b.Credentials.Find(t.Context(), []apikey.Versioned{single.Snapshot().Hash})
		is.NoErr(err)
		is.Equal([]any{got.Old, got.Rotated, got.OldExpiresAt.IsZero(), got.OldUntilSeen}, []any{false, false, true, false})
	})

	should(t, "return the custom role of a key's user, as it is now", func(t *testing.T, is *is.I) {
		r := aRole(o.ID())
		holder := aUserWith(r)
		k := aKey(o.ID(), holder.ID())
		add(t, b, o.ID(), r, holder, k)
		find := func() authz.Role {
			got, err := b.Credentials.Find(t.Context(), []apikey.Versioned{k.Snapshot().Hash})
			is.NoErr(err)
			return got.UserRole
		}
		is.Equal(find(), r.Authz())
		wider := authz.SetOf(authz.UsersRead)
		is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
			return tx.Roles.Update(ctx, roleID(r), func(r *role.Role) error {
				_, err := r.Change(role.Spec{Name: "renamed", Permissions: wider}, moment)
				return err
			})
		}))
		is.Equal(find(), authz.NewCustomRole(roleID(r), "renamed", wider))
	})

	should(t, "return a key of the organization itself without user and role", func(t *testing.T, is *is.I) {
		own := changeKey(aKey(o.ID(), id.User{}), func(s *apikey.Snapshot) { s.ExpiresAt = time.Time{} })
		add(t, b, o.ID(), own)
		got, err := b.Credentials.Find(t.Context(), []apikey.Versioned{own.Snapshot().Hash})
		is.NoErr(err)
		is.True(got.User.IsZero())
		is.Equal(got.UserRole, authz.Role{})
		is.True(got.UserOK)
		is.True(got.ExpiresAt.IsZero())
	})

	should(t, "find a key among the candidates, whichever pepper it is under", func(t *testing.T, is *is.I) {
		for _, candidates := range [][]apikey.Versioned{
			{aHash(3), s.Hash, aHash(1)}, {aHash(3), aHash(1), s.Hash}, {s.Hash, s.Hash},
		} {
			got, err := b.Credentials.Find(t.Context(), candidates)
			is.NoErr(err)
			is.Equal(got.Key, s.ID)
		}
	})

	should(t, "give each of many at once their own, though others leave", func(t *testing.T, is *is.I) {
		keys := make([]apikey.Key, 20)
		for i := range keys {
			keys[i] = aKey(o.ID(), u.ID())
			add(t, b, o.ID(), keys[i])
		}
		for _, err := range together(300, func(i int) error {
			k := keys[i%len(keys)].Snapshot()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%3 == 0 {
				go cancel()
			}
			got, err := b.Credentials.Find(ctx, []apikey.Versioned{aHash(3), k.Hash})
			switch {
			case i%3 == 0 && errors.Is(err, context.Canceled):
				return nil
			case err != nil:
				return err
			case got.Key != k.ID:
				return errors.New("another key was found")
			}
			if _, err = b.Credentials.Find(t.Context(), []apikey.Versioned{aHash(2)}); !errors.Is(err, fault.ErrNotFound) {
				return fmt.Errorf("what is not stored: %w", err)
			}
			return nil
		}) {
			is.NoErr(err)
		}
	})

	should(t, "read what was written before the call, whoever else is asking", func(t *testing.T, is *is.I) {
		k := aKey(o.ID(), u.ID())
		add(t, b, o.ID(), k)
		ctx, stop := context.WithCancel(t.Context())
		var others sync.WaitGroup
		for range 8 {
			others.Go(func() {
				for ctx.Err() == nil {
					_, _ = b.Credentials.Find(ctx, []apikey.Versioned{k.Snapshot().Hash})
				}
			})
		}
		for n := range 30 {
			now := apikey.Active
			if n%2 == 0 {
				now = apikey.Disabled
			}
			changeTheKey(t, b, k, func(s *apikey.Snapshot) { s.State = now })
			got, err := b.Credentials.Find(t.Context(), []apikey.Versioned{k.Snapshot().Hash})
			is.NoErr(err)
			is.Equal(got.State, now)
		}
		stop()
		others.Wait()
	})

	should(t, "fail with fault.ErrNotFound for hashes that are not stored", func(t *testing.T, is *is.I) {
		otherPepper := s.Hash
		otherPepper.Version++
		almost := s.Hash
		almost.Hash[len(almost.Hash)-1] ^= 1
		crossed := []apikey.Versioned{{Version: s.Hash.Version, Hash: aHash(1).Hash}, {Version: s.Hash.Version + 1, Hash: s.Hash.Hash}}
		for _, candidates := range [][]apikey.Versioned{nil, {aHash(2)}, {otherPepper}, {almost}, {{}}, crossed} {
			_, err := b.Credentials.Find(t.Context(), candidates)
			isNotFound(t, err)
		}
	})

	should(t, "return a credential whatever its state, and say what it is", func(t *testing.T, is *is.I) {
		for _, state := range []apikey.State{apikey.Active, apikey.Disabled, apikey.Revoked} {
			k := changeKey(aKey(o.ID(), u.ID()), func(s *apikey.Snapshot) { s.State = state })
			add(t, b, o.ID(), k)
			got, err := b.Credentials.Find(t.Context(), []apikey.Versioned{k.Snapshot().Hash})
			is.NoErr(err)
			is.Equal(got.State, state)
		}
		for state, ok := range map[user.State]bool{user.Active: true, user.Suspended: false, user.Removed: false} {
			u := changeUser(aUser(o.ID()), func(s *user.Snapshot) { s.State = state })
			k := aKey(o.ID(), u.ID())
			add(t, b, o.ID(), u, k)
			got, err := b.Credentials.Find(t.Context(), []apikey.Versioned{k.Snapshot().Hash})
			is.NoErr(err)
			is.Equal(got.UserOK, ok)
		}
		for state, ok := range map[org.State]bool{
			org.Provisioning: true, org.Active: true, org.Failed: true, org.Suspended: false, org.Deleting: false, org.Deleted: false,
		} {
			o := orgIn(state)
			k := aKey(o.ID(), id.User{})
			seed(t, b, o, k)
			got, err := b.Credentials.Find(t.Context(), []apikey.Versioned{k.Snapshot().Hash})
			is.NoErr(err)
			is.Equal(got.OrgActive, ok)
		}
	})
}
