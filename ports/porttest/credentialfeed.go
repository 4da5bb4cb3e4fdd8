package porttest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// CredentialFeed checks ports.CredentialFeed.
func CredentialFeed(t *testing.T, open Open) {
	b := open(t)
	o := seed(t, b, anOrg())

	should(t, "take everything for changed without a cursor, and with one that is of no moment of this database", func(t *testing.T, is *is.I) {
		for _, cursor := range []ports.CredentialCursor{"", "2026-01-02T03:04:05Z 1:1:", "2026-01-02T03:04:05Z 99999999:99999999:"} {
			changes, next, err := b.Feed.Since(t.Context(), cursor)
			is.NoErr(err)
			is.True(changes.Everything)
			is.True(next != "")
		}
	})

	should(t, "tell of nothing when there was nothing, nor of what is new or is not authentication's", func(t *testing.T, is *is.I) {
		f := follow(t, b)
		r := aRole(o.ID())
		u := aUserWith(r)
		k := aKey(o.ID(), u.ID())
		add(t, b, o.ID(), r, u, k)
		seed(t, b, anOrg())
		changeTheKey(t, b, k, func(s *apikey.Snapshot) { s.Name, s.Description, s.WarnAt = "other", "other", moment })
		is.NoErr(b.KeyUses.Record(t.Context(), []apikey.Use{{Org: o.ID(), Key: keyID(k), Generation: k.Snapshot().Generation, At: moment}}))
		f.look()
		is.Equal(f.seen, ports.CredentialChanges{})
	})

	for name, change := range map[string]func(*apikey.Snapshot){
		"its state":              func(s *apikey.Snapshot) { s.State = apikey.Revoked },
		"its scopes":             func(s *apikey.Snapshot) { s.Scopes = authz.SetOf(authz.AuditRead) },
		"its expiry":             func(s *apikey.Snapshot) { s.ExpiresAt = moment.Add(time.Minute) },
		"its addresses":          func(s *apikey.Snapshot) { s.AllowedIPs = nil },
		"its secret":             func(s *apikey.Snapshot) { s.Hash = aHash(2) },
		"its generation":         func(s *apikey.Snapshot) { s.Generation++ },
		"its old secret":         func(s *apikey.Snapshot) { s.Old.Hash = aHash(2) },
		"its old secret's end":   func(s *apikey.Snapshot) { s.Old.ExpiresAt = moment },
		"what ends its old one":  func(s *apikey.Snapshot) { s.Old.UntilSeen = false },
		"its limits":             func(s *apikey.Snapshot) { s.Limits = nil },
		"that it has an old one": func(s *apikey.Snapshot) { s.Old = apikey.Previous{} },
	} {
		should(t, "tell of a key when a change is of "+name, func(t *testing.T, is *is.I) {
			k := aKey(o.ID(), id.User{})
			add(t, b, o.ID(), k)
			f := follow(t, b)
			changeTheKey(t, b, k, change)
			f.look()
			is.Equal(f.seen, ports.CredentialChanges{Keys: []apikey.Ref{{Org: o.ID(), Key: keyID(k)}}})
		})
	}

	should(t, "tell of a key whose secret is hashed anew", func(t *testing.T, is *is.I) {
		k := aKey(o.ID(), id.User{})
		add(t, b, o.ID(), k)
		f := follow(t, b)
		is.NoErr(b.KeyUses.Rehash(t.Context(), o.ID(), keyID(k), k.Snapshot().Hash, aHash(9)))
		f.look()
		is.Equal(len(f.seen.Keys), 1)
	})

	for name, change := range map[string]func(*user.Snapshot){
		"their state": func(s *user.Snapshot) { s.State = user.Suspended },
		"their role":  func(s *user.Snapshot) { s.Role = authz.Viewer },
	} {
		should(t, "tell of all keys of a user when a change is of "+name, func(t *testing.T, is *is.I) {
			u, other := aUser(o.ID()), aUser(o.ID())
			one, two := aKey(o.ID(), u.ID()), aKey(o.ID(), u.ID())
			add(t, b, o.ID(), u, other, one, two, aKey(o.ID(), other.ID()), aKey(o.ID(), id.User{}))
			f := follow(t, b)
			is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
				return tx.Users.UpdateAll(ctx, []user.User{changeUser(u, change)})
			}))
			f.look()
			is.Equal(len(f.seen.Keys), 2)
			is.True(f.told(one) && f.told(two))
			is.Equal(f.seen.Orgs, nil)
		})
	}

	should(t, "tell of an organization whose state, limits, or one of whose roles, have changed", func(t *testing.T, is *is.I) {
		r := aRole(o.ID())
		add(t, b, o.ID(), r)
		other := seed(t, b, anOrg())
		f := follow(t, b)
		is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
			return tx.Roles.Update(ctx, roleID(r), func(r *role.Role) error {
				_, err := r.Change(role.Spec{Name: unique("renamed"), Permissions: authz.SetOf(authz.UsersRead)}, moment)
				return err
			})
		}))
		f.look()
		is.Equal(f.seen, ports.CredentialChanges{Orgs: []id.Org{o.ID()}})
		change := func(change func(*org.Snapshot)) {
			is.NoErr(b.Store.WriteTx(t.Context(), other.ID(), func(ctx context.Context, tx ports.Tx) error {
				return tx.Orgs.Update(ctx, func(row *org.Org) error {
					*row = changeOrg(*row, change)
					return nil
				})
			}))
		}
		change(func(s *org.Snapshot) { s.State = org.Suspended })
		f.look()
		is.Equal(f.seen, ports.CredentialChanges{Orgs: []id.Org{o.ID(), other.ID()}})
		change(func(s *org.Snapshot) { s.Limits, s.LimitsVersion = nil, s.LimitsVersion+1 })
		f.look()
		is.Equal(len(f.seen.Orgs), 3)
	})

	should(t, "tell of a change when it becomes visible, however long ago it was made and whatever was told meanwhile", func(t *testing.T, is *is.I) {
		early, late := aKey(o.ID(), id.User{}), aKey(o.ID(), id.User{})
		add(t, b, o.ID(), early, late)
		f := follow(t, b)
		written, finish := make(chan struct{}), make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
				err := tx.APIKeys.Update(ctx, keyID(early), revoking)
				close(written)
				<-finish
				return err
			})
		}()
		<-written
		f.look()
		is.True(!f.told(early)) // it is not committed
		changeTheKey(t, b, late, func(s *apikey.Snapshot) { s.State = apikey.Revoked })
		f.look()
		is.True(f.told(late)) // of a transaction that began, wrote and committed after the other one wrote
		f.look()
		close(finish)
		is.NoErr(<-ended)
		f.look()
		is.True(f.told(early))
	})

	should(t, "tell of nothing of a transaction that is rolled back", func(t *testing.T, is *is.I) {
		k := aKey(o.ID(), id.User{})
		add(t, b, o.ID(), k)
		f := follow(t, b)
		failed := errors.New("never mind")
		is.True(errors.Is(b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
			return errors.Join(tx.APIKeys.Update(ctx, keyID(k), revoking), failed)
		}), failed))
		f.look()
		is.Equal(f.seen, ports.CredentialChanges{})
	})

	should(t, "lose nothing of what many write at once, in transactions short and long", func(t *testing.T, is *is.I) {
		const writers, each = 6, 25
		keys := make([][]apikey.Key, writers)
		for i := range keys {
			for range each {
				keys[i] = append(keys[i], aKey(o.ID(), id.User{}))
				add(t, b, o.ID(), keys[i][len(keys[i])-1])
			}
		}
		f := follow(t, b)
		var done sync.WaitGroup
		over := make(chan struct{})
		done.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
					f.look()
				}
			}
		})
		for _, err := range together(writers, func(i int) error {
			for len(keys[i]) > 0 {
				n := min(len(keys[i]), 1+rand.IntN(4)) //nolint:gosec // a length, not a secret
				err := b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
					for _, k := range keys[i][:n] {
						if err := errors.Join(tx.APIKeys.Update(ctx, keyID(k), revoking), pause(ctx)); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					return err
				}
				keys[i] = keys[i][n:]
			}
			return nil
		}) {
			is.NoErr(err)
		}
		close(over)
		done.Wait()
		f.look()
		is.Equal(len(f.seen.Keys), writers*each) // each, and none twice
	})

	should(t, "count what this process has written, before who wrote it goes on", func(t *testing.T, is *is.I) {
		r := aRole(o.ID())
		u, k := aUserWith(r), aKey(o.ID(), id.User{})
		add(t, b, o.ID(), r, u, k)
		for _, change := range []func(ctx context.Context, tx ports.Tx) error{
			func(ctx context.Context, tx ports.Tx) error { return tx.APIKeys.Update(ctx, keyID(k), revoking) },
			func(ctx context.Context, tx ports.Tx) error { return tx.Users.UpdateAll(ctx, []user.User{u}) },
			func(ctx context.Context, tx ports.Tx) error {
				return tx.Orgs.Update(ctx, func(*org.Org) error { return nil })
			},
			func(ctx context.Context, tx ports.Tx) error {
				return tx.Roles.Update(ctx, roleID(r), func(*role.Role) error { return nil })
			},
		} {
			before := b.Feed.Written(o.ID())
			is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), change))
			is.True(b.Feed.Written(o.ID()) > before)
		}
		before, until := b.Feed.Written(o.ID()), b.Feed.WrittenUntil()
		add(t, b, o.ID(), aKey(o.ID(), id.User{}))
		is.Equal(b.Feed.Written(o.ID()), before)
		is.Equal(until(o.ID()), before)
		is.NoErr(b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error { return tx.APIKeys.Update(ctx, keyID(k), revoking) }))
		is.Equal(until(o.ID()), before) // as it was then
		is.True(b.Feed.WrittenUntil()(o.ID()) > before)
	})

	should(t, "wake who waits when something has changed, and return after the limit when nothing has", func(t *testing.T, is *is.I) {
		k := aKey(o.ID(), id.User{})
		add(t, b, o.ID(), k)
		for range 3 { // the connection, and what came before
			is.NoErr(b.Feed.Wait(t.Context(), 50*time.Millisecond))
		}
		woken := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), storePatience)
		defer cancel()
		go func() { woken <- b.Feed.Wait(ctx, 2*storePatience) }()
		changeTheKey(t, b, k, func(s *apikey.Snapshot) { s.State = apikey.Revoked })
		is.NoErr(<-woken)
		is.NoErr(b.Feed.Wait(t.Context(), 10*time.Millisecond))
		gone, leave := context.WithCancel(t.Context())
		leave()
		is.True(errors.Is(b.Feed.Wait(gone, storePatience), context.Canceled))
	})
}

// follower looks at a feed from a moment on.
type follower struct {
	t      testing.TB
	feed   ports.CredentialFeed
	cursor ports.CredentialCursor
	seen   ports.CredentialChanges
}

func follow(t testing.TB, b Backend) *follower {
	t.Helper()
	_, cursor, err := b.Feed.Since(t.Context(), "")
	must(t, err)
	return &follower{t: t, feed: b.Feed, cursor: cursor}
}

// look notes what has changed since the last look.
func (f *follower) look() {
	changes, next, err := f.feed.Since(f.t.Context(), f.cursor)
	if err != nil {
		f.t.Errorf("look for changes: %v", err)
		return
	}
	f.cursor = next
	f.seen.Everything = f.seen.Everything || changes.Everything
	f.seen.Orgs = append(f.seen.Orgs, changes.Orgs...)
	f.seen.Keys = append(f.seen.Keys, changes.Keys...)
}

func (f *follower) told(k apikey.Key) bool {
	return slices.Contains(f.seen.Keys, apikey.Ref{Org: k.Snapshot().OrgID, Key: keyID(k)})
}

func changeTheKey(t testing.TB, b Backend, k apikey.Key, change func(*apikey.Snapshot)) {
	t.Helper()
	must(t, b.Store.WriteTx(t.Context(), k.Snapshot().OrgID, func(ctx context.Context, tx ports.Tx) error {
		return tx.APIKeys.Update(ctx, keyID(k), func(row *apikey.Key) error {
			*row = changeKey(*row, change)
			return nil
		})
	}))
}

func revoking(k *apikey.Key) error {
	*k = changeKey(*k, func(s *apikey.Snapshot) { s.State = apikey.Revoked })
	return nil
}

// pause lets other transactions go first, for a while.
func pause(ctx context.Context) error {
	timer := time.NewTimer(rand.N(4 * time.Millisecond)) //nolint:gosec // a time, not a secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
