package porttest

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/ports"
)

// TokenCrypto is the contract of ports.TokenCrypto. The implementation signs
// for the given audience.
func TokenCrypto(t *testing.T, crypto ports.TokenCrypto, audience string) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)
	claims := signing.Claims{
		Subject: "key_1", Permission: "org-a-0000:write", IssuedAt: now, ExpiresAt: now.Add(signing.TokenLife),
	}
	generate := func(t *testing.T) signing.Key {
		t.Helper()
		k, err := crypto.Generate(signing.Active, now)
		if err != nil {
			t.Fatalf("generate: %v", err)
		}
		return k
	}

	t.Run("Should generate a key in its state", func(t *testing.T) {
		is := is.New(t)
		k, err := crypto.Generate(signing.Published, now)
		is.NoErr(err)
		is.Equal(k.State, signing.Published)
		is.Equal(k.CreatedAt, now)
		is.Equal(k.ChangedAt, now)
		is.True(k.ID != "" && len(k.PublicDER) > 0 && len(k.Sealed) > 0)
		is.True(k.ID != generate(t).ID) // every key is another
	})

	t.Run("Should publish exactly the public parts", func(t *testing.T) {
		is := is.New(t)
		a, b := generate(t), generate(t)
		document, err := crypto.KeySet([]signing.Key{a, b})
		is.NoErr(err)
		var set struct {
			Keys []map[string]string `json:"keys"`
		}
		is.NoErr(json.Unmarshal(document, &set))
		is.Equal(len(set.Keys), 2)
		for i, k := range []signing.Key{a, b} {
			got := set.Keys[i]
			is.Equal(got["kid"], k.ID)
			is.Equal(got["use"], "sig")
			is.Equal(got["alg"], "ES256")
			is.Equal(got["kty"], "EC")
			is.Equal(got["crv"], "P-256")
			is.Equal(len(got), 7) // and x and y: a "d" would be the private part
		}
	})

	t.Run("Should publish an empty set as a list", func(t *testing.T) {
		is := is.New(t)
		document, err := crypto.KeySet(nil)
		is.NoErr(err)
		is.Equal(string(document), `{"keys":[]}`)
	})

	t.Run("Should sign tokens of the exact form that Temporal reads", func(t *testing.T) {
		is := is.New(t)
		k := generate(t)
		token, err := crypto.Sign(k, claims)
		is.NoErr(err)
		parts := strings.Split(token, ".")
		is.Equal(len(parts), 3)
		var header map[string]any
		is.NoErr(json.Unmarshal(decodePart(t, parts[0]), &header))
		is.Equal(header, map[string]any{"alg": "ES256", "kid": k.ID, "typ": "JWT"})
		var payload map[string]any
		is.NoErr(json.Unmarshal(decodePart(t, parts[1]), &payload))
		is.Equal(payload, map[string]any{
			"aud": audience, "sub": "key_1", "permissions": []any{"org-a-0000:write"},
			"iat": float64(now.Unix()), "exp": float64(now.Add(signing.TokenLife).Unix()),
		})
	})

	t.Run("Should sign what the published key verifies, and no other", func(t *testing.T) {
		is := is.New(t)
		mine, other := generate(t), generate(t)
		token, err := crypto.Sign(mine, claims)
		is.NoErr(err)
		signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
		is.NoErr(err)
		_, err = signed.Verify(publicKey(t, crypto, mine))
		is.NoErr(err)
		_, err = signed.Verify(publicKey(t, crypto, other))
		is.True(err != nil)
	})

	t.Run("Should not sign with a key that can not be unsealed", func(t *testing.T) {
		k := generate(t)
		if _, err := crypto.Sign(k, claims); err != nil { // it is no help to have seen the key before
			t.Fatal(err)
		}
		tampered := append([]byte(nil), k.Sealed...)
		tampered[len(tampered)-1] ^= 1
		other := generate(t)
		for name, broken := range map[string]signing.Key{
			"tampered":              {ID: k.ID, PublicDER: k.PublicDER, Sealed: tampered, SealedBy: k.SealedBy},
			"erased":                {ID: k.ID, PublicDER: k.PublicDER, SealedBy: k.SealedBy},
			"under another's id":    {ID: other.ID, PublicDER: k.PublicDER, Sealed: k.Sealed, SealedBy: k.SealedBy},
			"of an unknown version": {ID: k.ID, PublicDER: k.PublicDER, Sealed: k.Sealed, SealedBy: k.SealedBy + 1000},
		} {
			t.Run("Should refuse a key that is "+name, func(t *testing.T) {
				is := is.New(t)
				_, err := crypto.Sign(broken, claims)
				is.True(err != nil)
			})
		}
	})
}

func decodePart(t *testing.T, part string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatalf("decode token: %v", err)
	}
	return b
}

// publicKey reads the key as a verifier does: from the published set.
func publicKey(t *testing.T, crypto ports.TokenCrypto, k signing.Key) *ecdsa.PublicKey {
	t.Helper()
	document, err := crypto.KeySet([]signing.Key{k})
	if err != nil {
		t.Fatalf("key set: %v", err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(document, &set); err != nil {
		t.Fatalf("read key set: %v", err)
	}
	public, ok := set.Key(k.ID)[0].Key.(*ecdsa.PublicKey)
	if !ok {
		t.Fatalf("the key is a %T", set.Key(k.ID)[0].Key)
	}
	return public
}
