package porttest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/signing"
)

// aSigningKey is a key with every field set.
func aSigningKey(state signing.State) signing.Key {
	return signing.Key{
		ID: id.New[id.EventKind]().String(), PublicDER: []byte{1, 2, 0, 255}, Sealed: []byte{3, 4, 0, 255}, SealedBy: 3,
		State: state, CreatedAt: moment, ChangedAt: moment.Add(time.Hour),
	}
}

func keptKey(k signing.Key) signing.Key {
	k.CreatedAt, k.ChangedAt = kept(k.CreatedAt), kept(k.ChangedAt)
	return k
}

// SigningKeys checks ports.SigningKeys.
func SigningKeys(t *testing.T, open Open) {
	with := func(name string, fn func(t *testing.T, is *is.I, b Backend)) {
		should(t, name, func(t *testing.T, is *is.I) { fn(t, is, open(t)) })
	}
	put := func(ctx context.Context, b Backend, keys ...signing.Key) error {
		return b.SigningKeys.Change(ctx, func([]signing.Key) ([]signing.Key, error) { return keys, nil })
	}

	with("list nothing at first", func(t *testing.T, is *is.I, b Backend) {
		keys, err := b.SigningKeys.List(t.Context())
		is.NoErr(err)
		is.Equal(len(keys), 0)
	})

	with("store a key whole, and leave alone what is not returned", func(t *testing.T, is *is.I, b Backend) {
		first, second := aSigningKey(signing.Active), aSigningKey(signing.Published)
		whole(t, first)
		second.CreatedAt = second.CreatedAt.Add(time.Second)
		is.NoErr(put(t.Context(), b, first))
		is.NoErr(put(t.Context(), b, second))
		is.NoErr(put(t.Context(), b))
		keys, err := b.SigningKeys.List(t.Context())
		is.NoErr(err)
		is.Equal(keys, []signing.Key{keptKey(first), keptKey(second)})
	})

	with("hand the task of signing over, in whatever order the keys are returned", func(t *testing.T, is *is.I, b Backend) {
		for _, newFirst := range []bool{true, false} {
			old, next := aSigningKey(signing.Active), aSigningKey(signing.Published)
			is.NoErr(put(t.Context(), b, old, next))
			is.NoErr(b.SigningKeys.Change(t.Context(), func(keys []signing.Key) ([]signing.Key, error) {
				old.State, next.State = signing.Retiring, signing.Active
				old.ChangedAt, next.ChangedAt = moment.Add(2*time.Hour), moment.Add(2*time.Hour)
				if newFirst {
					return []signing.Key{next, old}, nil
				}
				return []signing.Key{old, next}, nil
			}))
			keys, err := b.SigningKeys.List(t.Context())
			is.NoErr(err)
			is.Equal(keys, []signing.Key{keptKey(old), keptKey(next)})
			old.State, next.State = signing.Retired, signing.Retired
			old.Sealed, next.Sealed = nil, nil
			is.NoErr(put(t.Context(), b, old, next))
		}
	})

	with("forget retired keys, in the list and for Change", func(t *testing.T, is *is.I, b Backend) {
		k, stays := aSigningKey(signing.Retiring), aSigningKey(signing.Active)
		is.NoErr(put(t.Context(), b, k, stays))
		k.State, k.Sealed = signing.Retired, nil
		is.NoErr(put(t.Context(), b, k))
		keys, err := b.SigningKeys.List(t.Context())
		is.NoErr(err)
		is.Equal(keys, []signing.Key{keptKey(stays)})
		is.NoErr(b.SigningKeys.Change(t.Context(), func(keys []signing.Key) ([]signing.Key, error) {
			is.Equal(keys, []signing.Key{keptKey(stays)})
			return nil, nil
		}))
	})

	with("store nothing when fn fails, and return its error", func(t *testing.T, is *is.I, b Backend) {
		no := errors.New("no")
		err := b.SigningKeys.Change(t.Context(), func([]signing.Key) ([]signing.Key, error) {
			return []signing.Key{aSigningKey(signing.Active)}, no
		})
		is.True(errors.Is(err, no))
		keys, err := b.SigningKeys.List(t.Context())
		is.NoErr(err)
		is.Equal(len(keys), 0)
	})

	with("store all keys or none", func(t *testing.T, is *is.I, b Backend) {
		is.True(put(t.Context(), b, aSigningKey(signing.Published), aSigningKey(signing.Active), aSigningKey(signing.Active)) != nil) // two would sign
		keys, err := b.SigningKeys.List(t.Context())
		is.NoErr(err)
		is.Equal(len(keys), 0)
	})

	with("run one change at a time", func(t *testing.T, is *is.I, b Backend) {
		const changes = 16
		for _, err := range together(changes, func(int) error {
			return b.SigningKeys.Change(t.Context(), func(keys []signing.Key) ([]signing.Key, error) {
				k := aSigningKey(signing.Published)
				k.ID = fmt.Sprintf("key %d", len(keys)) // two changes at once would choose the same
				return []signing.Key{k}, nil
			})
		}) {
			is.NoErr(err)
		}
		keys, err := b.SigningKeys.List(t.Context())
		is.NoErr(err)
		is.Equal(len(keys), changes)
	})
}
