// Package signing is the cryptography of the keys that sign data-plane tokens:
// ECDSA on P-256, JWT and JWKS as Temporal's frontend reads them, and private
// keys that are sealed before they reach a database.
package signing

import (
	"crypto"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Config is what the deployment decides.
type Config struct {
	// EncryptionKeys seal private keys, by version, 32 bytes each. The highest
	// version seals; every version that is listed unseals. So a new version is
	// added first, and an old one leaves when no key is sealed by it any more.
	EncryptionKeys map[int16][]byte
	// Audience is the "aud" of every token. Temporal must be configured with
	// the same.
	Audience string
}

// Crypto implements ports.TokenCrypto. It is safe for concurrent use.
type Crypto struct {
	audience string
	seals    map[int16]cipher.AEAD
	newest   int16
	signers  signers
}

var _ ports.TokenCrypto = (*Crypto)(nil)

// New returns the cryptography for a configuration. It fails when that has no
// audience, no encryption key, or one that does not have 32 bytes.
func New(cfg Config) (*Crypto, error) {
	if cfg.Audience == "" {
		return nil, errors.New("signing: the audience is empty: tokens would be good for every service that knows the keys")
	}
	if len(cfg.EncryptionKeys) == 0 {
		return nil, errors.New("signing: there is no encryption key")
	}
	c := &Crypto{audience: cfg.Audience, seals: make(map[int16]cipher.AEAD, len(cfg.EncryptionKeys))}
	for version, key := range cfg.EncryptionKeys {
		if version < 1 {
			return nil, fmt.Errorf("signing: encryption key version %d: versions count from 1", version)
		}
		aead, err := newSeal(key)
		if err != nil {
			return nil, fmt.Errorf("signing: encryption key version %d: %w", version, err)
		}
		c.seals[version] = aead
		c.newest = max(c.newest, version)
	}
	return c, nil
}

// Generate returns a new P-256 key, its private part sealed by the newest
// encryption key. Its id is the RFC 7638 thumbprint of its public part: nobody
// has to make it unique.
func (c *Crypto) Generate(state signing.State, now time.Time) (signing.Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signing.Key{}, fmt.Errorf("generate signing key: %w", err)
	}
	public := jose.JSONWebKey{Key: private.Public()}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return signing.Key{}, fmt.Errorf("derive signing key id: %w", err)
	}
	publicDER, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return signing.Key{}, fmt.Errorf("encode public key: %w", err)
	}
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return signing.Key{}, fmt.Errorf("encode private key: %w", err)
	}
	kid := base64.RawURLEncoding.EncodeToString(thumbprint)
	return signing.Key{
		ID: kid, PublicDER: publicDER, Sealed: seal(c.seals[c.newest], privateDER, kid), SealedBy: c.newest,
		State: state, CreatedAt: now, ChangedAt: now,
	}, nil
}

// claims is the form of a token's payload. Temporal ignores a subject that is
// no string and permissions that are no array: they would grant nothing.
type claims struct {
	Audience    string   `json:"aud"`
	ExpiresAt   int64    `json:"exp"`
	IssuedAt    int64    `json:"iat"`
	Permissions []string `json:"permissions"`
	Subject     string   `json:"sub"`
}

// Sign returns the compact JWT of the claims. Unsealed keys are remembered, so
// that a token costs one signature.
func (c *Crypto) Sign(k signing.Key, cl signing.Claims) (string, error) {
	if cl.Subject == "" || cl.Permission == "" || !cl.ExpiresAt.After(cl.IssuedAt) {
		return "", errors.New("sign token: a claim is missing, or it expires before it is issued")
	}
	signer, err := c.signers.get(k, c.unsealed)
	if err != nil {
		return "", fmt.Errorf("sign token with key %s: %w", k.ID, err)
	}
	payload, err := json.Marshal(claims{
		Audience: c.audience, ExpiresAt: cl.ExpiresAt.Unix(), IssuedAt: cl.IssuedAt.Unix(),
		Permissions: []string{cl.Permission}, Subject: cl.Subject,
	})
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign token with key %s: %w", k.ID, err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("encode token: %w", err)
	}
	return token, nil
}

// KeySet returns the JWKS document of the keys' public parts, in their order.
func (c *Crypto) KeySet(keys []signing.Key) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(keys))}
	for _, k := range keys {
		public, err := x509.ParsePKIXPublicKey(k.PublicDER)
		if err != nil {
			return nil, fmt.Errorf("read public key %s: %w", k.ID, err)
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: public, KeyID: k.ID, Algorithm: string(jose.ES256), Use: "sig"})
	}
	document, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("encode key set: %w", err)
	}
	return document, nil
}
