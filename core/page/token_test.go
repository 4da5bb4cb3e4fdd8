package page_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
)

func TestTokenCursor(t *testing.T) {
	t.Parallel()
	token := []byte(`{"CloseTime":"2030-01-01","RunID":"of-somebody"}`)

	t.Run("Should go on where it was issued, and be empty at the end", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		got, err := sealer(1).OpenToken("flows|org_a", sealer(1).SealToken("flows|org_a", token))
		is.NoErr(err)
		is.Equal(got, token)
		is.Equal(sealer(1).SealToken("flows|org_a", nil), "")
		got, err = sealer(1).OpenToken("flows|org_a", "")
		is.NoErr(err)
		is.Equal(got, nil)
	})

	t.Run("Should be the same for the same place, and hide it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		cursor := sealer(1).SealToken("flows|org_a", token)
		is.Equal(cursor, sealer(1).SealToken("flows|org_a", token))
		is.True(cursor[:16] != sealer(1).SealToken("flows|org_b", token)[:16]) // a nonce of its own
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		is.NoErr(err)
		is.True(!bytes.Contains(raw, []byte("of-somebody")))
	})

	t.Run("Should be refused for another list, organization, filter or deployment", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		cursor := sealer(1).SealToken("flows|org_a", token)
		for _, binding := range []string{"", "flows|org_b", "keys|org_a", "flows|org_a|x", "flows|org_"} {
			_, err := sealer(1).OpenToken(binding, cursor)
			is.True(errors.Is(err, page.ErrCursor))
		}
		_, err := sealer(2).OpenToken("flows|org_a", cursor)
		is.True(errors.Is(err, page.ErrCursor))
	})

	t.Run("Should be refused when any bit was changed, or when it is none", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		raw, err := base64.RawURLEncoding.DecodeString(sealer(1).SealToken("flows", token))
		is.NoErr(err)
		for bit := range len(raw) * 8 {
			bad := slices.Clone(raw)
			bad[bit/8] ^= 1 << (bit % 8)
			_, err := sealer(1).OpenToken("flows", base64.RawURLEncoding.EncodeToString(bad))
			is.True(errors.Is(err, page.ErrCursor))
		}
		good := sealer(1).SealToken("flows", token)
		for _, cursor := range []string{"x", "AAAA", good[:12], good + "\n", good + "=", "??"} {
			_, err := sealer(1).OpenToken("flows", cursor)
			is.True(errors.Is(err, page.ErrCursor))
		}
	})
}

func TestTokenRequest(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r, err := page.NewTokenRequest(0, []byte("x"))
	is.NoErr(err)
	is.Equal(r, page.TokenRequest{Limit: page.DefaultLimit, Token: []byte("x")})
	_, err = page.NewTokenRequest(201, nil)
	is.True(errors.Is(err, fault.ErrInvalid))
}
