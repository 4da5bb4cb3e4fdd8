package porttest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// change is a change as use cases make it: with its audit entry and its message.
type change struct {
	user    user.User
	entry   audit.Entry
	message outbox.Message
}

func aChange(t testing.TB, o id.Org) change {
	t.Helper()
	u := aUser(o)
	return change{
		user:    u,
		entry:   audit.Accepted(o, moment, authz.Bootstrap, audit.UserCreated, "user", u.ID().String(), map[string]audit.Change{"role": audit.Created("member")}),
		message: aMessage(t, o, moment),
	}
}

func (c change) apply(ctx context.Context, tx ports.Tx) error {
	return errors.Join(tx.Users.Insert(ctx, c.user), tx.Audit.Append(ctx, c.entry), tx.Outbox.Append(ctx, c.message))
}

// happened tells whether the change is there. All three parts must agree.
func (c change) happened(t testing.TB, b Backend) bool {
	t.Helper()
	_, err := b.Store.Reads(c.entry.OrgID).User(t.Context(), c.user.ID())
	if err != nil {
		isNotFound(t, err)
	}
	changed := err == nil
	audited := false
	for _, e := range b.Trail(t, c.entry.OrgID) {
		audited = audited || e == c.entry.ID
	}
	sent := false
	messages, err := b.Outbox.Claim(t.Context(), moment.Add(time.Hour), 1000, 0)
	must(t, err)
	for _, m := range messages {
		sent = sent || m.ID == c.message.ID
	}
	if changed != audited || changed != sent {
		t.Errorf("half a change: changed %t, audited %t, sent %t", changed, audited, sent)
	}
	return changed
}

// storeTransactions checks what ports.Store.WriteTx promises for the whole.
func storeTransactions(t *testing.T, b Backend) {
	o := orgID(seed(t, b, anOrg()))

	should(t, "commit the change, its audit entry and its message together", func(t *testing.T, is *is.I) {
		c := aChange(t, o)
		is.NoErr(b.Store.WriteTx(t.Context(), o, c.apply))
		is.True(c.happened(t, b))
	})

	should(t, "commit nothing when fn fails, and return its error unchanged", func(t *testing.T, is *is.I) {
		c, no := aChange(t, o), errors.New("no")
		err := b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			is.NoErr(c.apply(ctx, tx))
			return no
		})
		is.True(err == no) //nolint:errorlint // unchanged, not wrapped
		is.Equal(c.happened(t, b), false)
	})

	should(t, "return fn's error unchanged when the caller has gone too", func(t *testing.T, is *is.I) {
		c, no := aChange(t, o), errors.New("no")
		ctx, cancel := context.WithCancel(t.Context())
		err := b.Store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
			is.NoErr(c.apply(ctx, tx))
			cancel()
			return no
		})
		is.True(err == no) //nolint:errorlint // unchanged, not wrapped
		is.Equal(c.happened(t, b), false)
	})

	should(t, "commit nothing when fn panics, and let the panic through", func(t *testing.T, is *is.I) {
		c := aChange(t, o)
		got := func() (recovered any) {
			defer func() { recovered = recover() }()
			_ = b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
				is.NoErr(c.apply(ctx, tx))
				panic("at the disco")
			})
			return nil
		}()
		is.Equal(got, "at the disco")
		is.Equal(c.happened(t, b), false)
	})

	should(t, "commit nothing when the caller goes, whether fn notices or not", func(t *testing.T, is *is.I) {
		for _, noticing := range []bool{true, false} {
			c := aChange(t, o)
			ctx, cancel := context.WithCancel(t.Context())
			err := b.Store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
				is.NoErr(c.apply(ctx, tx))
				cancel()
				if noticing {
					_, err := tx.Users.Lock(ctx, c.user.ID())
					return err
				}
				return nil
			})
			is.True(errors.Is(err, context.Canceled))
			is.Equal(c.happened(t, b), false)
		}
	})

	should(t, "not begin for a caller who has gone", func(t *testing.T, is *is.I) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := b.Store.WriteTx(ctx, o, func(context.Context, ports.Tx) error { t.Error("called"); return nil })
		is.True(errors.Is(err, context.Canceled))
		_, err = b.Store.Reads(o).Org(ctx)
		is.True(errors.Is(err, context.Canceled))
	})

	should(t, "not report success when fn ignored a failed write", func(t *testing.T, is *is.I) {
		c := aChange(t, o)
		err := b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			is.NoErr(c.apply(ctx, tx))
			_ = tx.Users.Insert(ctx, changeUser(aUser(o), func(s *user.Snapshot) { s.Email = c.user.Snapshot().Email }))
			return nil
		})
		is.True(err != nil)
		is.Equal(c.happened(t, b), false)
	})

	should(t, "run fn again when it met another transaction, and apply it once", func(t *testing.T, is *is.I) {
		crossing(t, b)
	})

	should(t, "lose no update of many at once", func(t *testing.T, is *is.I) {
		const writers, each = 8, 5
		op := operation.New(id.New[id.OperationKind](), o, operation.ProvisionOrganization, moment)
		add(t, b, o, op)
		for _, err := range together(writers, func(int) error {
			for range each {
				err := b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
					return tx.Operations.Update(ctx, op.Snapshot().ID, func(o *operation.Operation) error {
						return o.Stumble(o.Snapshot().Attempts+1, fault.ErrUnavailable, moment)
					})
				})
				if err != nil {
					return err
				}
			}
			return nil
		}) {
			is.NoErr(err)
		}
		got, err := b.Store.Reads(o).Operation(t.Context(), op.Snapshot().ID)
		is.NoErr(err)
		is.Equal(got.Snapshot().Attempts, writers*each)
	})

	should(t, "hold what is locked until the transaction ends, and fail with a fault of kind Timeout for who can not wait", func(t *testing.T, is *is.I) {
		u, k, op := aUser(o), aKey(o, id.User{}), anOperation(o)
		add(t, b, o, u, k, op)
		locks := map[string]func(ctx context.Context, tx ports.Tx) error{
			"user": func(ctx context.Context, tx ports.Tx) error { _, err := tx.Users.Lock(ctx, u.ID()); return err },
			"organization": func(ctx context.Context, tx ports.Tx) error {
				return tx.Orgs.Update(ctx, func(*org.Org) error { return nil })
			},
			"operation": func(ctx context.Context, tx ports.Tx) error {
				return tx.Operations.Update(ctx, op.Snapshot().ID, func(*operation.Operation) error { return nil })
			},
		}
		for what, lock := range locks {
			err := b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
				is.NoErr(lock(ctx, tx))
				hurried, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				return b.Store.WriteTx(hurried, o, lock) //nolint:contextcheck // somebody else asks
			})
			if !fault.IsKind(err, fault.Timeout) {
				t.Errorf("%s: want a timeout, got %v", what, err)
			}
			is.NoErr(b.Store.WriteTx(t.Context(), o, lock)) // free again
		}
	})
}

// crossing makes two transactions wait for each other, so that one of them must
// be sacrificed and run again.
func crossing(t *testing.T, b Backend) {
	t.Helper()
	is := is.New(t)
	o := orgID(seed(t, b, anOrg()))
	users := []user.User{aUser(o), aUser(o)}
	add(t, b, o, users[0], users[1])
	op := operation.New(id.New[id.OperationKind](), o, operation.ProvisionOrganization, moment)
	add(t, b, o, op)

	ctx, cancel := context.WithTimeout(t.Context(), storePatience)
	defer cancel()
	holds := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	var runs atomic.Int32
	for _, err := range together(2, func(i int) error {
		first := true
		return b.Store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
			runs.Add(1)
			if _, err := tx.Users.Lock(ctx, users[i].ID()); err != nil {
				return err
			}
			if first { // a second run meets nobody
				first = false
				close(holds[i])
				select {
				case <-holds[1-i]:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if _, err := tx.Users.Lock(ctx, users[1-i].ID()); err != nil {
				return err
			}
			return tx.Operations.Update(ctx, op.Snapshot().ID, func(o *operation.Operation) error {
				return o.Stumble(o.Snapshot().Attempts+1, fault.ErrUnavailable, moment)
			})
		})
	}) {
		is.NoErr(err)
	}
	is.True(runs.Load() > 2) // otherwise nothing was provoked
	got, err := b.Store.Reads(o).Operation(t.Context(), op.Snapshot().ID)
	is.NoErr(err)
	is.Equal(got.Snapshot().Attempts, 2)
}
