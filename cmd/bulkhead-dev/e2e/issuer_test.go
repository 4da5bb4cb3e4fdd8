package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// issuer signs tokens as the product does, and publishes its keys in a file.
type issuer struct {
	path    string
	current jose.JSONWebKey
	public  jose.JSONWebKeySet
}

func newIssuer(t *testing.T, path string) *issuer {
	t.Helper()
	i := &issuer{path: path}
	i.rotate(t)
	return i
}

// rotate publishes a new key beside the old ones and signs with it from now on.
func (i *issuer) rotate(t *testing.T) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.current = jose.JSONWebKey{Key: private, KeyID: rand.Text(), Algorithm: string(jose.ES256), Use: "sig"}
	i.public.Keys = append(i.public.Keys, i.current.Public())
	content, err := json.Marshal(i.public)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(i.path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (i *issuer) token(t *testing.T, audience string, permissions ...string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: i.current}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	token, err := jwt.Signed(signer).
		Claims(jwt.Claims{Subject: "test", Audience: jwt.Audience{audience}, IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute))}).
		Claims(map[string]any{"permissions": permissions}).
		Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
