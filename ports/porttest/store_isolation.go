package porttest

import (
	"context"
	"errors"
	"testing"

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

// storeIsolation looks at the victim's things through the eyes of another
// organization.
func storeIsolation(t *testing.T, b Backend) {
	intruder := seed(t, b, anOrg())
	victim := anOrg()
	u := aUser(victim.ID())
	k, op := aKey(victim.ID(), u.ID()), anOperation(victim.ID())
	seed(t, b, victim, u, k, op)

	should(t, "answer for a foreign id as for an absent one", func(t *testing.T, is *is.I) {
		r := b.Store.Reads(intruder.ID())
		_, foreign := r.User(t.Context(), u.ID())
		_, absent := r.User(t.Context(), id.New[id.UserKind]())
		isNotFound(t, foreign)
		is.Equal(foreign.Error(), absent.Error())
		_, foreign = r.APIKey(t.Context(), keyID(k))
		_, absent = r.APIKey(t.Context(), id.New[id.APIKeyKind]())
		isNotFound(t, foreign)
		is.Equal(foreign.Error(), absent.Error())
		_, foreign = r.Operation(t.Context(), op.Snapshot().ID)
		_, absent = r.Operation(t.Context(), id.New[id.OperationKind]())
		isNotFound(t, foreign)
		is.Equal(foreign.Error(), absent.Error())
	})

	should(t, "list nothing foreign, wherever the page begins", func(t *testing.T, is *is.I) {
		r := b.Store.Reads(intruder.ID())
		for _, after := range []page.Request{{Limit: 10}, {Limit: 10, After: intruder.ID().UUID()}} {
			users, err := r.Users(t.Context(), user.Filter{}, after)
			is.NoErr(err)
			is.Equal(len(users.Items), 0)
			keys, err := r.APIKeys(t.Context(), apikey.Filter{}, after)
			is.NoErr(err)
			is.Equal(len(keys.Items), 0)
		}
	})

	should(t, "neither lock nor change what is foreign", func(t *testing.T, is *is.I) {
		var called bool
		attempts := map[string]func(ctx context.Context, tx ports.Tx) error{
			"user": func(ctx context.Context, tx ports.Tx) error { _, err := tx.Users.Lock(ctx, u.ID()); return err },
			"key": func(ctx context.Context, tx ports.Tx) error {
				return tx.APIKeys.Update(ctx, keyID(k), func(k *apikey.Key) error { called = true; k.Revoke(moment); return nil })
			},
			"operation": func(ctx context.Context, tx ports.Tx) error {
				return tx.Operations.Update(ctx, op.Snapshot().ID, func(*operation.Operation) error { called = true; return nil })
			},
		}
		for _, attempt := range attempts {
			isNotFound(t, b.Store.WriteTx(t.Context(), intruder.ID(), attempt))
		}
		is.Equal(called, false)
		got, err := b.Store.Reads(victim.ID()).APIKey(t.Context(), keyID(k))
		is.NoErr(err)
		is.Equal(got.Snapshot().State, apikey.Active)
	})

	should(t, "change no organization but the transaction's", func(t *testing.T, is *is.I) {
		is.NoErr(b.Store.WriteTx(t.Context(), intruder.ID(), func(ctx context.Context, tx ports.Tx) error {
			return tx.Orgs.Update(ctx, func(o *org.Org) error {
				s := victim.Snapshot() // takes the other's identity as well
				s.Slug, s.Name = unique("mine"), "changed"
				*o = org.Restore(s)
				return nil
			})
		}))
		got, err := b.Store.Reads(victim.ID()).Org(t.Context())
		is.NoErr(err)
		is.Equal(got.Snapshot().Name, victim.Snapshot().Name)
		is.Equal(got.Snapshot().Slug, victim.Snapshot().Slug)
	})

	should(t, "refuse to store what says that it is another organization's", func(t *testing.T, is *is.I) {
		other := anOrg()
		newUser := aUser(victim.ID())
		newKey := aKey(victim.ID(), id.User{})
		newOp := anOperation(victim.ID())
		before := len(b.Trail(t, victim.ID()))
		entry := audit.Accepted(victim.ID(), moment, authz.Bootstrap, audit.UserCreated, "user", "x", nil)
		attempts := map[string]func(ctx context.Context, tx ports.Tx) error{
			"organization": func(ctx context.Context, tx ports.Tx) error { return tx.Orgs.Insert(ctx, other) },
			"user":         func(ctx context.Context, tx ports.Tx) error { return tx.Users.Insert(ctx, newUser) },
			"key":          func(ctx context.Context, tx ports.Tx) error { return tx.APIKeys.Insert(ctx, newKey) },
			"operation":    func(ctx context.Context, tx ports.Tx) error { return tx.Operations.Insert(ctx, newOp) },
			"audit entry":  func(ctx context.Context, tx ports.Tx) error { return tx.Audit.Append(ctx, entry) },
			"message": func(ctx context.Context, tx ports.Tx) error {
				return tx.Outbox.Append(ctx, aMessage(t, victim.ID(), moment))
			},
		}
		for what, attempt := range attempts {
			if err := b.Store.WriteTx(t.Context(), intruder.ID(), attempt); err == nil {
				t.Errorf("%s: stored for another organization", what)
			}
		}
		_, err := b.Platform.Org(t.Context(), other.ID())
		isNotFound(t, err)
		_, err = b.Store.Reads(victim.ID()).User(t.Context(), newUser.ID())
		isNotFound(t, err)
		_, err = b.Store.Reads(victim.ID()).APIKey(t.Context(), keyID(newKey))
		isNotFound(t, err)
		_, err = b.Store.Reads(victim.ID()).Operation(t.Context(), newOp.Snapshot().ID)
		isNotFound(t, err)
		is.Equal(len(b.Trail(t, victim.ID())), before)
	})

	should(t, "refuse a key for a foreign user as for an absent one", func(t *testing.T, is *is.I) {
		isNotFound(t, write(t.Context(), b, intruder.ID(), aKey(intruder.ID(), u.ID())))
		isNotFound(t, write(t.Context(), b, intruder.ID(), aKey(intruder.ID(), id.New[id.UserKind]())))
	})

	should(t, "store nothing for no organization, nor for an absent one", func(t *testing.T, is *is.I) {
		absent := id.New[id.OrgKind]()
		isNotFound(t, write(t.Context(), b, absent, aUser(absent)))
		is.True(write(t.Context(), b, id.Org{}, aUser(id.Org{})) != nil)
		err := b.Store.WriteTx(t.Context(), absent, func(ctx context.Context, tx ports.Tx) error {
			return tx.Orgs.Update(ctx, func(*org.Org) error { return errors.New("called") })
		})
		isNotFound(t, err)
	})
}
