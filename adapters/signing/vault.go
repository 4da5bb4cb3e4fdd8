package signing

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/bulkheadhq/bulkhead/ports"
)

// Vault implements ports.Vault with keys derived from the deployment's
// encryption keys: one use of a key never meets another's. It is safe for
// concurrent use.
type Vault struct {
	seals  map[int16]cipher.AEAD
	newest int16
}

var _ ports.Vault = (*Vault)(nil)

// NewVault returns a vault for one purpose, which no other vault shares. The
// highest version of the encryption keys seals; every version that is listed
// opens.
func NewVault(encryptionKeys map[int16][]byte, purpose string) (*Vault, error) {
	if len(encryptionKeys) == 0 {
		return nil, errors.New("signing: there is no encryption key")
	}
	v := &Vault{seals: make(map[int16]cipher.AEAD, len(encryptionKeys))}
	for version, key := range encryptionKeys {
		derived, err := hkdf.Key(sha256.New, key, nil, purpose, sealKeyLen)
		if err != nil {
			return nil, fmt.Errorf("signing: derive a key from encryption key version %d: %w", version, err)
		}
		if v.seals[version], err = newSeal(derived); err != nil {
			return nil, fmt.Errorf("signing: encryption key version %d: %w", version, err)
		}
		v.newest = max(v.newest, version)
	}
	return v, nil
}

// Seal encrypts a text.
func (v *Vault) Seal(text, belongsTo []byte) (sealed []byte, version int16) {
	return v.seals[v.newest].Seal(nil, nil, text, belongsTo), v.newest //nolint:gosec // G407: no nonce is given, since this AEAD draws its own
}

// Open decrypts what Seal has sealed.
func (v *Vault) Open(sealed []byte, version int16, belongsTo []byte) ([]byte, error) {
	aead, ok := v.seals[version]
	if !ok {
		return nil, fmt.Errorf("it is sealed by encryption key version %d, which is not configured", version)
	}
	text, err := aead.Open(nil, nil, sealed, belongsTo)
	if err != nil {
		return nil, fmt.Errorf("open with encryption key version %d: %w", version, err)
	}
	return text, nil
}
