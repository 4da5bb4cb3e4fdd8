// Package page holds the values of keyset pagination: how much is asked for,
// where to go on, and the opaque cursor that carries the latter to a client.
package page

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// The bounds of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

// ErrCursor is returned for a cursor that was altered, or was issued for another
// list, organization or filter.
var ErrCursor = fault.Define(fault.Invalid, "request.cursor_invalid", "The cursor was not issued for this list.")

// Request asks for at most Limit items whose identifiers come after After. The
// zero After is the beginning.
type Request struct {
	Limit int
	After uuid.UUID
}

// NewRequest checks the limit: zero means DefaultLimit.
func NewRequest(limit int, after uuid.UUID) (Request, error) {
	if limit == 0 {
		limit = DefaultLimit
	}
	if limit < 1 || limit > MaxLimit {
		return Request{}, fault.InvalidField("limit", "range", "must be between 1 and 200")
	}
	return Request{Limit: limit, After: after}, nil
}

// Page is a slice of a list. Next is the zero UUID at the end.
type Page[T any] struct {
	Items []T
	Next  uuid.UUID
}

// Cut makes a page of rows that were fetched with one more than the limit, so
// that the existence of a next page costs no query of its own.
func Cut[T any](rows []T, limit int, key func(T) uuid.UUID) Page[T] {
	if len(rows) <= limit {
		return Page[T]{Items: rows}
	}
	rows = rows[:limit]
	return Page[T]{Items: rows, Next: key(rows[limit-1])}
}

// Sealer makes cursors that only this deployment can make. A cursor is bound to
// what it was issued for, so that one taken to another organization or filter is
// refused and tells nothing.
type Sealer struct{ key []byte }

// NewSealer takes a secret key of at least 32 bytes.
func NewSealer(key []byte) Sealer { return Sealer{key: key} }

const macLen = 16

// Seal returns the cursor that goes on after the given identifier; "" for the
// zero UUID. The binding names the list, its organization and its filter.
func (s Sealer) Seal(binding string, after uuid.UUID) string {
	if after == uuid.Nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(after[:], s.mac(binding, after)...))
}

// Open returns the identifier to go on after. It fails with ErrCursor.
func (s Sealer) Open(binding, cursor string) (uuid.UUID, error) {
	if cursor == "" {
		return uuid.Nil, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	// Both lengths: the decoder skips line breaks.
	if err != nil || len(raw) != len(uuid.UUID{})+macLen || len(cursor) != base64.RawURLEncoding.EncodedLen(len(raw)) {
		return uuid.Nil, ErrCursor
	}
	after := uuid.UUID(raw[:len(uuid.UUID{})])
	if !hmac.Equal(raw[len(uuid.UUID{}):], s.mac(binding, after)) {
		return uuid.Nil, ErrCursor
	}
	return after, nil
}

func (s Sealer) mac(binding string, after uuid.UUID) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write(after[:])
	m.Write([]byte(binding))
	return m.Sum(nil)[:macLen]
}
