package ports

import (
	"time"

	"github.com/bulkheadhq/bulkhead/core/signing"
)

// Clock tells the time. Use cases ask it once for each call.
type Clock interface {
	// Now returns the time in UTC, in whole microseconds, which is what the
	// database keeps.
	Now() time.Time
}

// TokenCrypto does the cryptography of signing keys. It is no store of them: what
// a key may do is said by the key that is passed in, each time. It may remember
// the unsealed form of one, for as long as the same sealed form is passed in.
type TokenCrypto interface {
	// Generate returns a new key in the given state, its private part sealed.
	Generate(state signing.State, now time.Time) (signing.Key, error)
	// Sign returns the compact JWT of the claims, signed with the key. It fails
	// when the key cannot be unsealed.
	Sign(k signing.Key, c signing.Claims) (string, error)
	// KeySet returns the JWKS document of the keys' public parts.
	KeySet(keys []signing.Key) ([]byte, error)
}

// Vault seals what must not stand anywhere in clear.
type Vault interface {
	// Seal encrypts text, binds it to what it belongs to, and returns the version
	// of the key that it used.
	Seal(text, belongsTo []byte) (sealed []byte, version int16)
	// Open decrypts what Seal has sealed. It fails for another belonging, for a
	// version that is not configured any more, and for what was tampered with.
	Open(sealed []byte, version int16, belongsTo []byte) ([]byte, error)
}
