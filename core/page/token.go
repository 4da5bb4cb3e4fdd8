package page

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/google/uuid"
)

// TokenRequest asks for at most Limit items of a list that another system pages,
// from where its Token says; nil is the beginning.
type TokenRequest struct {
	Limit int
	Token []byte
}

// NewTokenRequest checks the limit: zero means DefaultLimit.
func NewTokenRequest(limit int, token []byte) (TokenRequest, error) {
	r, err := NewRequest(limit, uuid.Nil)
	return TokenRequest{Limit: r.Limit, Token: token}, err
}

// TokenPage is a slice of such a list. Next is nil at the end.
type TokenPage[T any] struct {
	Items []T
	Next  []byte
}

// SealToken returns the cursor that goes on at another system's token; "" for an
// empty one. What the token says is hidden: it is not ours to show. The binding
// is as in Seal.
func (s Sealer) SealToken(binding string, token []byte) string {
	if len(token) == 0 {
		return ""
	}
	seal := s.tokens()
	// Made of what it seals, so that no two texts share it and none needs chance.
	nonce := s.derive("nonce", binding, string(token))[:seal.NonceSize()]
	return base64.RawURLEncoding.EncodeToString(seal.Seal(nonce, nonce, token, []byte(binding)))
}

// OpenToken returns the token to go on at. It fails with ErrCursor.
func (s Sealer) OpenToken(binding, cursor string) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	seal := s.tokens()
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	// Both lengths: the decoder skips line breaks.
	if err != nil || len(raw) < seal.NonceSize() || len(cursor) != base64.RawURLEncoding.EncodedLen(len(raw)) {
		return nil, ErrCursor
	}
	token, err := seal.Open(nil, raw[:seal.NonceSize()], raw[seal.NonceSize():], []byte(binding))
	if err != nil {
		return nil, ErrCursor
	}
	return token, nil
}

// tokens returns what seals tokens, under a key of its own.
func (s Sealer) tokens() cipher.AEAD {
	block, err := aes.NewCipher(s.derive("key", "", ""))
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size of GCM
	}
	return aead
}

// derive returns 32 bytes for a purpose that nobody without the key can compute.
func (s Sealer) derive(purpose, binding, text string) []byte {
	m := hmac.New(sha256.New, s.key)
	for _, part := range []string{"page token", purpose, binding} {
		sum := sha256.Sum256([]byte(part)) // of one length each: no two lists of parts are one text
		m.Write(sum[:])
	}
	m.Write([]byte(text))
	return m.Sum(nil)
}
