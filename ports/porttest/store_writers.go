package porttest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// storeWriters checks what each writer promises by itself.
func storeWriters(t *testing.T, b Backend) {
	should(t, "fail with org.ErrSlugTaken for a slug in use", func(t *testing.T, is *is.I) {
		first := seed(t, b, anOrg())
		s := anOrg()
		second := s.Snapshot()
		second.Slug = first.Snapshot().Slug
		err := b.Store.WriteTx(t.Context(), s.ID(), func(ctx context.Context, tx ports.Tx) error {
			return tx.Orgs.Insert(ctx, org.Restore(second))
		})
		is.True(errors.Is(err, org.ErrSlugTaken))
	})

	should(t, "fail with org.ErrSlugTaken for a change to a slug in use", func(t *testing.T, is *is.I) {
		first, second := seed(t, b, anOrg()), seed(t, b, anOrg())
		slug, err := org.ParseSlug(first.Snapshot().Slug)
		is.NoErr(err)
		err = b.Store.WriteTx(t.Context(), second.ID(), func(ctx context.Context, tx ports.Tx) error {
			return tx.Orgs.Update(ctx, func(o *org.Org) error { _, err := o.Apply(org.Change{Slug: &slug}, moment); return err })
		})
		is.True(errors.Is(err, org.ErrSlugTaken))
	})

	should(t, "fail with org.ErrIDTaken for an identifier, or a namespace, in use", func(t *testing.T, is *is.I) {
		first := seed(t, b, anOrg())
		sameID := changeOrg(anOrg(), func(s *org.Snapshot) { s.ID = first.ID() })
		sameNamespace := changeOrg(anOrg(), func(s *org.Snapshot) { s.Namespace = first.Namespace() })
		for _, o := range []org.Org{sameID, sameNamespace} {
			err := b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error { return tx.Orgs.Insert(ctx, o) })
			is.True(errors.Is(err, org.ErrIDTaken))
		}
	})

	should(t, "fail with org.ErrIDTaken for a second system organization", func(t *testing.T, is *is.I) {
		system := org.NewSystem(moment)
		insertSystem := func(ctx context.Context, tx ports.Tx) error { return tx.Orgs.Insert(ctx, system) }
		is.NoErr(b.Store.WriteTx(t.Context(), id.SystemOrg, insertSystem))
		err := b.Store.WriteTx(t.Context(), id.SystemOrg, insertSystem)
		is.True(errors.Is(err, org.ErrIDTaken))
	})

	should(t, "fail with user.ErrEmailTaken inside an organization, and only there", func(t *testing.T, is *is.I) {
		o, other := seed(t, b, anOrg()), seed(t, b, anOrg())
		u := aUser(o.ID())
		add(t, b, o.ID(), u)
		same := func(o id.Org) user.User {
			return changeUser(aUser(o), func(s *user.Snapshot) { s.Email = u.Snapshot().Email })
		}
		is.True(errors.Is(write(t.Context(), b, o.ID(), same(o.ID())), user.ErrEmailTaken))
		is.NoErr(write(t.Context(), b, other.ID(), same(other.ID())))
	})

	should(t, "free an e-mail address when its user was removed", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		removed := changeUser(aUser(o.ID()), func(s *user.Snapshot) { s.State = user.Removed })
		again := changeUser(aUser(o.ID()), func(s *user.Snapshot) { s.Email = removed.Snapshot().Email })
		is.NoErr(write(t.Context(), b, o.ID(), removed, again))
		suspended := changeUser(aUser(o.ID()), func(s *user.Snapshot) { s.Email, s.State = again.Snapshot().Email, user.Suspended })
		is.True(errors.Is(write(t.Context(), b, o.ID(), suspended), user.ErrEmailTaken))
	})

	should(t, "store what fn made of an organization, but never another namespace", func(t *testing.T, is *is.I) {
		o := seed(t, b, orgIn(org.Provisioning))
		later := moment.Add(100 * time.Hour)
		is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
			return tx.Orgs.Update(ctx, func(o *org.Org) error { return o.Fail("no room", later) })
		}))
		got, err := b.Store.Reads(o.ID()).Org(t.Context())
		is.NoErr(err)
		want := keptOrg(o)
		want.State, want.StateReason, want.Version, want.UpdatedAt = org.Failed, "no room", want.Version+1, kept(later)
		is.Equal(got.Snapshot(), want)
	})

	should(t, "store what fn made of a key", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		k := changeKey(aKey(o.ID(), id.User{}), func(s *apikey.Snapshot) { s.RevokedAt = time.Time{} })
		add(t, b, o.ID(), k)
		later := moment.Add(100 * time.Hour)
		is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
			return tx.APIKeys.Update(ctx, keyID(k), func(k *apikey.Key) error { k.Revoke(later); return nil })
		}))
		got, err := b.Store.Reads(o.ID()).APIKey(t.Context(), keyID(k))
		is.NoErr(err)
		want := k.Snapshot()
		want.State, want.Version, want.WarnAt = apikey.Revoked, want.Version+1, time.Time{}
		want.RevokedAt, want.UpdatedAt = later, later
		is.Equal(got.Snapshot(), keptAPIKey(want))
	})

	should(t, "store every field of a key that fn changed", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		k, other := aKey(o.ID(), id.User{}), aKey(o.ID(), id.User{})
		add(t, b, o.ID(), k)
		is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
			return tx.APIKeys.Update(ctx, keyID(k), func(k *apikey.Key) error {
				*k = changeKey(other, func(s *apikey.Snapshot) {
					s.ID, s.Name, s.Description, s.Scopes = keyID(*k), "other", "other", 0
					s.AllowedIPs, s.Metadata, s.State, s.Version = nil, nil, apikey.Disabled, 8
				})
				return nil
			})
		}))
		got, err := b.Store.Reads(o.ID()).APIKey(t.Context(), keyID(k))
		is.NoErr(err)
		s := got.Snapshot()
		is.Equal([]any{s.Name, s.Description, s.Scopes, s.AllowedIPs, s.Metadata, s.State, s.Version},
			[]any{"other", "other", authz.Set(0), apikey.IPList(nil), apikey.Metadata(nil), apikey.Disabled, int64(8)})
		is.Equal([]any{s.Hash, s.Old.Hash}, []any{other.Snapshot().Hash, other.Snapshot().Old.Hash})
	})

	should(t, "note the uses of a rotated key's secrets apart", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		k := aKey(o.ID(), id.User{})
		add(t, b, o.ID(), k)
		is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
			return tx.APIKeys.Update(ctx, keyID(k), func(k *apikey.Key) error {
				*k = changeKey(*k, func(s *apikey.Snapshot) {
					s.Old.Hint, s.Old.Hash, s.Hint, s.Hash = s.Hint, s.Hash, "bhk_new", aHash(2)
					s.Generation++
				})
				return nil
			})
		}))
		got, err := b.Store.Reads(o.ID()).APIKey(t.Context(), keyID(k))
		is.NoErr(err)
		is.True(got.Snapshot().LastUsedAt.IsZero())                                             // the new one
		is.Equal(got.Snapshot().Old.LastUsedAt, kept(k.Snapshot().LastUsedAt))                  // the one before
		use := apikey.Use{Org: o.ID(), Key: keyID(k), Generation: 3, At: moment.Add(time.Hour)} // of the old one, late
		is.NoErr(b.KeyUses.Record(t.Context(), []apikey.Use{use}))
		got, err = b.Store.Reads(o.ID()).APIKey(t.Context(), keyID(k))
		is.NoErr(err)
		is.True(got.Snapshot().LastUsedAt.IsZero())
		is.Equal(got.Snapshot().Old.LastUsedAt, kept(use.At))
	})

	should(t, "remove a key and what is known of it, unless fn fails", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		k, no := aKey(o.ID(), id.User{}), errors.New("no")
		add(t, b, o.ID(), k)
		remove := func(i id.APIKey, fn func(*apikey.Key) error) error {
			return b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error { return tx.APIKeys.Delete(ctx, i, fn) })
		}
		is.Equal(remove(keyID(k), func(*apikey.Key) error { return no }), no)
		_, err := b.Store.Reads(o.ID()).APIKey(t.Context(), keyID(k))
		is.NoErr(err)
		is.NoErr(remove(keyID(k), func(got *apikey.Key) error { is.Equal(keyID(*got), keyID(k)); return nil }))
		_, err = b.Store.Reads(o.ID()).APIKey(t.Context(), keyID(k))
		isNotFound(t, err)
		isNotFound(t, remove(keyID(k), func(*apikey.Key) error { return nil }))
		_, err = b.Credentials.Find(t.Context(), []apikey.Versioned{k.Snapshot().Hash, k.Snapshot().Old.Hash})
		isNotFound(t, err)
	})

	should(t, "store what fn made of an operation", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		later := moment.Add(100 * time.Hour)
		for _, end := range []func(*operation.Operation) error{
			func(o *operation.Operation) error { return o.Succeed(operation.OrganizationActivated, later) },
			func(o *operation.Operation) error { return o.Fail(ports.ErrNamespaceForeign, later) },
		} {
			op := operation.New(id.New[id.OperationKind](), o.ID(), operation.ProvisionOrganization, moment)
			add(t, b, o.ID(), op)
			var want operation.Snapshot
			is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
				return tx.Operations.Update(ctx, op.Snapshot().ID, func(o *operation.Operation) error {
					o.Annotate("what is left")
					err := errors.Join(o.Stumble(4, fault.ErrUnavailable, later), end(o))
					want = o.Snapshot()
					return err
				})
			}))
			got, err := b.Store.Reads(o.ID()).Operation(t.Context(), op.Snapshot().ID)
			is.NoErr(err)
			want.UpdatedAt, want.FinishedAt = kept(later), kept(later)
			is.Equal(got.Snapshot(), want)
		}
	})

	should(t, "store what fn made of the operation that is open, of the kind alone", func(t *testing.T, is *is.I) {
		o, neighbour := seed(t, b, anOrg()), seed(t, b, anOrg())
		open := func(owner id.Org, k operation.Kind) operation.Operation {
			op := operation.New(id.New[id.OperationKind](), owner, k, moment)
			add(t, b, owner, op)
			return op
		}
		wanted, other := open(o.ID(), operation.DeleteOrganization), open(o.ID(), operation.ProvisionOrganization)
		foreign := open(neighbour.ID(), operation.DeleteOrganization)
		add(t, b, o.ID(), operation.Restore(operation.Snapshot{
			ID: id.New[id.OperationKind](), OrgID: o.ID(), Kind: operation.DeleteOrganization, State: operation.Canceled, CreatedAt: moment, UpdatedAt: moment,
		}))
		cancel := func(ctx context.Context, tx ports.Tx) error {
			return tx.Operations.UpdateOpen(ctx, operation.DeleteOrganization, func(op *operation.Operation) error {
				is.Equal(op.Snapshot().ID, operationID(wanted))
				return op.Cancel("no", moment)
			})
		}
		is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), cancel))
		for op, want := range map[*operation.Operation]operation.State{&wanted: operation.Canceled, &other: operation.Pending, &foreign: operation.Pending} {
			got, err := b.Store.Reads(op.Snapshot().OrgID).Operation(t.Context(), op.Snapshot().ID)
			is.NoErr(err)
			is.Equal(got.Snapshot().State, want)
		}
		isNotFound(t, b.Store.WriteTx(t.Context(), o.ID(), cancel)) // none is open any more
	})

	should(t, "return the operation of some kinds that is open, and the latest", func(t *testing.T, is *is.I) {
		o, neighbour := seed(t, b, anOrg()), seed(t, b, anOrg())
		r := b.Store.Reads(o.ID())
		latest := func() (operation.Operation, error) {
			var op operation.Operation
			err := b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) (err error) {
				op, err = tx.Operations.Latest(ctx, operation.OfSchedules())
				return err
			})
			return op, err
		}
		put := func(owner id.Org, k operation.Kind, s operation.State, at time.Time) operation.Snapshot {
			op := operation.Restore(operation.Snapshot{ID: id.New[id.OperationKind](), OrgID: owner, Kind: k, State: s, CreatedAt: at, UpdatedAt: at})
			add(t, b, owner, op)
			return op.Snapshot()
		}
		put(o.ID(), operation.ProvisionOrganization, operation.Running, moment.Add(time.Hour))
		put(neighbour.ID(), operation.PauseSchedules, operation.Running, moment.Add(time.Hour))
		_, err := r.OpenOperation(t.Context(), operation.OfSchedules())
		isNotFound(t, err)
		_, err = latest()
		isNotFound(t, err)
		open := put(o.ID(), operation.ResumeSchedules, operation.Running, moment)
		ended := put(o.ID(), operation.PauseSchedules, operation.Failed, moment.Add(time.Minute))
		put(o.ID(), operation.PauseSchedules, operation.Canceled, moment.Add(-time.Minute))
		got, err := r.OpenOperation(t.Context(), operation.OfSchedules())
		is.NoErr(err)
		is.Equal(got.Snapshot().ID, open.ID)
		_, err = r.OpenOperation(t.Context(), []operation.Kind{operation.PauseSchedules})
		isNotFound(t, err)
		last, err := latest()
		is.NoErr(err)
		is.Equal(last.Snapshot().ID, ended.ID)
	})

	should(t, "fail with fn's error and store nothing", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		k, op := aKey(o.ID(), id.User{}), anOperation(o.ID())
		add(t, b, o.ID(), k, op)
		no := errors.New("no")
		for _, attempt := range []func(ctx context.Context, tx ports.Tx) error{
			func(ctx context.Context, tx ports.Tx) error {
				return tx.Orgs.Update(ctx, func(o *org.Org) error { return errors.Join(o.Suspend("x", moment), no) })
			},
			func(ctx context.Context, tx ports.Tx) error {
				return tx.APIKeys.Update(ctx, keyID(k), func(k *apikey.Key) error { k.Revoke(moment); return no })
			},
			func(ctx context.Context, tx ports.Tx) error {
				return tx.Operations.Update(ctx, op.Snapshot().ID, func(o *operation.Operation) error { return no })
			},
		} {
			err := b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
				is.True(errors.Is(attempt(ctx, tx), no))
				return nil // the transaction itself may well commit
			})
			is.NoErr(err)
		}
		gotOrg, err := b.Store.Reads(o.ID()).Org(t.Context())
		is.NoErr(err)
		is.Equal(gotOrg.State(), org.Active)
		gotKey, err := b.Store.Reads(o.ID()).APIKey(t.Context(), keyID(k))
		is.NoErr(err)
		is.Equal(gotKey.Snapshot().State, apikey.Active)
	})

	should(t, "fail with fault.ErrNotFound for what is absent", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
			_, err := tx.Users.Lock(ctx, id.New[id.UserKind]())
			isNotFound(t, err)
			isNotFound(t, tx.APIKeys.Update(ctx, id.New[id.APIKeyKind](), func(*apikey.Key) error { return nil }))
			isNotFound(t, tx.Operations.Update(ctx, id.New[id.OperationKind](), func(*operation.Operation) error { return nil }))
			return nil
		}))
	})

	should(t, "fail with a fault of kind Invalid for text that can not be stored", func(t *testing.T, is *is.I) {
		o := seed(t, b, anOrg())
		for _, name := range []string{"nul\x00", "not utf-8 \xff"} {
			err := write(t.Context(), b, o.ID(), changeUser(aUser(o.ID()), func(s *user.Snapshot) { s.Name = name }))
			is.True(fault.IsKind(err, fault.Invalid))
		}
	})
}
