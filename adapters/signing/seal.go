package signing

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/bulkheadhq/bulkhead/core/signing"
)

// sealKeyLen selects AES-256.
const sealKeyLen = 32

func newSeal(key []byte) (cipher.AEAD, error) {
	if len(key) != sealKeyLen {
		return nil, fmt.Errorf("has %d bytes, want %d", len(key), sealKeyLen)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal encrypts a private key. Its id is bound to it, so that a row of the
// database cannot be given the private part of another.
func seal(aead cipher.AEAD, privateDER []byte, kid string) []byte {
	return aead.Seal(nil, nil, privateDER, []byte(kid)) //nolint:gosec // G407: no nonce is given, since this AEAD draws its own
}

// unsealed returns a signer for the key. It fails for a key whose encryption
// key we do not have, that was tampered with, or that was retired.
func (c *Crypto) unsealed(k signing.Key) (jose.Signer, error) {
	if len(k.Sealed) == 0 {
		return nil, errors.New("its private part is erased")
	}
	aead, ok := c.seals[k.SealedBy]
	if !ok {
		return nil, fmt.Errorf("it is sealed by encryption key version %d, which is not configured", k.SealedBy)
	}
	der, err := aead.Open(nil, nil, k.Sealed, []byte(k.ID))
	if err != nil {
		return nil, fmt.Errorf("unseal with encryption key version %d: %w", k.SealedBy, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T, want ECDSA", parsed)
	}
	if err := matches(private, k.PublicDER); err != nil {
		return nil, err
	}
	return newSigner(private, k.ID)
}

// matches fails unless the public part that we publish verifies what the
// private one signs: nobody could use the tokens otherwise.
func matches(private *ecdsa.PrivateKey, publicDER []byte) error {
	public, err := x509.ParsePKIXPublicKey(publicDER)
	if err != nil {
		return fmt.Errorf("read public key: %w", err)
	}
	if !private.PublicKey.Equal(public) {
		return errors.New("its public part belongs to another key")
	}
	return nil
}

func newSigner(private *ecdsa.PrivateKey, kid string) (jose.Signer, error) {
	key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: kid}}
	return jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
}
