package temporal

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/signing"
)

// signer signs whatever the claims.
type signer func() (string, error)

func (s signer) Token(context.Context, signing.Claims) (string, error) { return s() }

type fixedClock struct{}

func (fixedClock) Now() time.Time { return time.Unix(1_800_000_000, 0).UTC() }

// handClock is moved by hand.
type handClock struct{ now atomic.Int64 }

func (c *handClock) Now() time.Time          { return time.Unix(0, c.now.Load()).UTC() }
func (c *handClock) advance(d time.Duration) { c.now.Add(int64(d)) }

// counting returns a signer whose tokens are numbered, and fails while *down.
func counting(signed *atomic.Int32, down *atomic.Bool) signer {
	return func() (string, error) {
		if down != nil && down.Load() {
			return "", errors.New("the signer is away")
		}
		return strconv.Itoa(int(signed.Add(1))), nil
	}
}

func TestTokenCache(t *testing.T) {
	t.Parallel()

	t.Run("Should keep a token for half of its life", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var signed atomic.Int32
		clock := &handClock{}
		c := newTokenCache(counting(&signed, nil), clock)
		for _, step := range []struct {
			advance time.Duration
			want    string
		}{
			{0, "1"}, {signing.TokenLife/2 - time.Second, "1"}, {time.Second, "2"}, {time.Second, "2"},
		} {
			clock.advance(step.advance)
			got, err := c.tenant(t.Context(), "org-a")
			is.NoErr(err)
			is.Equal(got, step.want)
		}
	})

	t.Run("Should use the old token while the signer is away and it is valid", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var signed atomic.Int32
		var down atomic.Bool
		clock := &handClock{}
		c := newTokenCache(counting(&signed, &down), clock)
		_, err := c.tenant(t.Context(), "org-a")
		is.NoErr(err)
		down.Store(true)
		clock.advance(signing.TokenLife - clockSkew - time.Second)
		got, err := c.tenant(t.Context(), "org-a")
		is.NoErr(err)
		is.Equal(got, "1")
		clock.advance(time.Second)
		_, err = c.tenant(t.Context(), "org-a")
		is.True(err != nil) // a token that a fast clock calls expired is no token
	})

	t.Run("Should sign once for all that wait", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var signed atomic.Int32
		c := newTokenCache(counting(&signed, nil), fixedClock{})
		got := make(chan string)
		const n = 50
		for range n {
			go func() {
				token, _ := c.tenant(context.Background(), "org-a")
				got <- token
			}()
		}
		for range n {
			is.Equal(<-got, "1")
		}
	})

	t.Run("Should keep namespaces and the cluster apart", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c := newTokenCache(plain{}, fixedClock{})
		a, err := c.tenant(t.Context(), "org-a")
		is.NoErr(err)
		is.Equal(a, "org-a:write")
		b, err := c.tenant(t.Context(), "org-b")
		is.NoErr(err)
		is.Equal(b, "org-b:write")
		all, err := c.controlPlane(t.Context())
		is.NoErr(err)
		is.Equal(all, "temporal-system:admin")
		for _, namespace := range []string{"", clusterScope, "org-a:admin"} {
			_, err := c.tenant(t.Context(), namespace)
			is.True(errors.Is(err, errNoTenant))
		}
	})

	t.Run("Should not grow without bound", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c := newTokenCache(plain{}, fixedClock{})
		for i := range maxTokens + 100 {
			_, err := c.tenant(t.Context(), "org-"+strconv.Itoa(i))
			is.NoErr(err)
		}
		is.Equal(len(c.byKey), maxTokens)
		is.Equal(c.order.Len(), maxTokens)
		_, ok := c.byKey["org-0:write"]
		is.True(!ok) // the one that was not used for the longest time went
	})
}

// plain signs nothing: the token is the permission, to be read.
type plain struct{}

func (plain) Token(_ context.Context, c signing.Claims) (string, error) { return c.Permission, nil }
