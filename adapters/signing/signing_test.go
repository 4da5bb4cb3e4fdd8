package signing_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/signing"
	core "github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/ports/porttest"
)

const audience = "temporal"

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func key(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

func newCrypto(t testing.TB, keys map[int16][]byte) *signing.Crypto {
	t.Helper()
	c, err := signing.New(signing.Config{EncryptionKeys: keys, Audience: audience})
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	return c
}

func claims() core.Claims { return core.TenantClaims("key_1", "org-a-0000", core.Write, now) }

func TestCrypto(t *testing.T) {
	t.Parallel()
	porttest.TokenCrypto(t, newCrypto(t, map[int16][]byte{1: key(1)}), audience)
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]signing.Config{
		"without an audience":        {EncryptionKeys: map[int16][]byte{1: key(1)}},
		"without an encryption key":  {Audience: audience},
		"with a short key":           {Audience: audience, EncryptionKeys: map[int16][]byte{1: key(1)[:16]}},
		"with a version that is not": {Audience: audience, EncryptionKeys: map[int16][]byte{0: key(1)}},
	} {
		t.Run("Should refuse a configuration "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			_, err := signing.New(cfg)
			is.True(err != nil)
		})
	}
}

func TestSealing(t *testing.T) {
	t.Parallel()

	t.Run("Should seal with the newest encryption key and unseal with all", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		old, err := newCrypto(t, map[int16][]byte{1: key(1)}).Generate(core.Active, now)
		is.NoErr(err)
		is.Equal(old.SealedBy, int16(1))

		both := newCrypto(t, map[int16][]byte{1: key(1), 2: key(2)})
		_, err = both.Sign(old, claims())
		is.NoErr(err)
		fresh, err := both.Generate(core.Published, now)
		is.NoErr(err)
		is.Equal(fresh.SealedBy, int16(2))

		after := newCrypto(t, map[int16][]byte{2: key(2)})
		_, err = after.Sign(fresh, claims())
		is.NoErr(err)
		_, err = after.Sign(old, claims())
		is.True(err != nil && strings.Contains(err.Error(), "version 1")) // the way on is to configure it again
	})

	t.Run("Should not unseal with another encryption key of the same version", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k, err := newCrypto(t, map[int16][]byte{1: key(1)}).Generate(core.Active, now)
		is.NoErr(err)
		_, err = newCrypto(t, map[int16][]byte{1: key(2)}).Sign(k, claims())
		is.True(err != nil)
	})

	t.Run("Should not keep the private part in clear", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c := newCrypto(t, map[int16][]byte{1: key(1)})
		a, err := c.Generate(core.Active, now)
		is.NoErr(err)
		// PKCS#8 of P-256 always begins so, and holds the public part as well.
		is.True(!bytes.Contains(a.Sealed, []byte{0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01}))
		is.True(!bytes.Contains(a.Sealed, a.PublicDER[len(a.PublicDER)-64:]))
	})

	t.Run("Should refuse a public part that belongs to another key", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c := newCrypto(t, map[int16][]byte{1: key(1)})
		a, err := c.Generate(core.Active, now)
		is.NoErr(err)
		b, err := c.Generate(core.Active, now)
		is.NoErr(err)
		a.PublicDER = b.PublicDER
		_, err = c.Sign(a, claims())
		is.True(err != nil)
	})
}

func TestSign(t *testing.T) {
	t.Parallel()

	t.Run("Should refuse claims that say nothing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c := newCrypto(t, map[int16][]byte{1: key(1)})
		k, err := c.Generate(core.Active, now)
		is.NoErr(err)
		for _, broken := range []func(*core.Claims){
			func(c *core.Claims) { c.Subject = "" },
			func(c *core.Claims) { c.Permission = "" },
			func(c *core.Claims) { c.ExpiresAt = time.Time{} },
		} {
			cl := claims()
			broken(&cl)
			_, err := c.Sign(k, cl)
			is.True(err != nil)
		}
	})

	t.Run("Should sign concurrently with more keys than it remembers", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c := newCrypto(t, map[int16][]byte{1: key(1)})
		errs := make(chan error)
		const n = 20
		for range n {
			go func() {
				k, err := c.Generate(core.Active, now)
				for range 3 {
					if err == nil {
						_, err = c.Sign(k, claims())
					}
				}
				errs <- err
			}()
		}
		for range n {
			is.NoErr(<-errs)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	c := newCrypto(b, map[int16][]byte{1: key(1)})
	k, err := c.Generate(core.Active, now)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := c.Sign(k, claims()); err != nil {
			b.Fatal(err)
		}
	}
}
