// Package id defines the typed identifiers of Bulkhead's entities.
//
// An identifier is a UUIDv7 inside (time-ordered, so that primary keys grow at
// one end of their index) and a prefixed word outside: "org_" followed by the
// 26 characters of its lower-case Crockford base32 form. There is exactly one
// text for each value, so that two spellings can never name one object.
package id

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// alphabet is Crockford's base32 in lower case: no i, l, o or u, so that a
// text read aloud or copied by hand is not mistaken.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// encodedLen is the length of 128 bits in base32.
const encodedLen = 26

// maxTextLen is the length of the longest external form, that of a role.
const maxTextLen = len("role_") + encodedLen

// Kind tells the kinds of identifier apart at compile time. Its method is not
// exported, so the kinds listed in this package are all there are.
type Kind interface{ prefix() string }

// The kinds of identifier.
type (
	OrgKind       struct{}
	UserKind      struct{}
	RoleKind      struct{}
	APIKeyKind    struct{}
	OperationKind struct{}
	EventKind     struct{}
	MessageKind   struct{}
)

func (OrgKind) prefix() string       { return "org" }
func (UserKind) prefix() string      { return "usr" }
func (RoleKind) prefix() string      { return "role" }
func (APIKeyKind) prefix() string    { return "key" }
func (OperationKind) prefix() string { return "op" }
func (EventKind) prefix() string     { return "evt" }
func (MessageKind) prefix() string   { return "msg" }

// The identifiers of Bulkhead's entities.
type (
	Org       = ID[OrgKind]
	User      = ID[UserKind]
	Role      = ID[RoleKind]
	APIKey    = ID[APIKeyKind]
	Operation = ID[OperationKind]
	Event     = ID[EventKind]
	Message   = ID[MessageKind]
)

// SystemOrg is the identifier of the one reserved organization whose users
// operate the platform. It is the same in every deployment, so that no lookup
// stands between a credential and the question whether it is an operator's.
var SystemOrg = Org{u: uuid.UUID{6: 0x70, 8: 0x80, 15: 0x01}}

// ID is an identifier of one kind. The zero value names nothing.
type ID[K Kind] struct{ u uuid.UUID }

// New returns a fresh identifier. It panics only when the operating system's
// random source fails, as no safe way on exists then.
func New[K Kind]() ID[K] { return ID[K]{u: uuid.Must(uuid.NewV7())} }

// FromUUID wraps a stored value.
func FromUUID[K Kind](u uuid.UUID) ID[K] { return ID[K]{u: u} }

// UUID returns the stored value.
func (i ID[K]) UUID() uuid.UUID { return i.u }

// IsZero tells whether the identifier names nothing.
func (i ID[K]) IsZero() bool { return i.u == uuid.Nil }

// String returns the external form, such as "org_01k9…", or "" for the zero value.
func (i ID[K]) String() string {
	if i.IsZero() {
		return ""
	}
	var room [maxTextLen]byte
	return string(i.appendTo(room[:0]))
}

// AppendText appends the external form.
func (i ID[K]) AppendText(b []byte) ([]byte, error) {
	if i.IsZero() {
		return b, nil
	}
	return i.appendTo(b), nil
}

// appendTo appends the external form of an identifier that is not zero.
func (i ID[K]) appendTo(b []byte) []byte {
	var k K
	b = append(b, k.prefix()...)
	b = append(b, '_')
	encoded := encode(i.u)
	return append(b, encoded[:]...)
}

// Tail returns the last n characters of the external form. These come from the
// random part of the value.
func (i ID[K]) Tail(n int) string {
	s := encode(i.u)
	return string(s[len(s)-min(n, len(s)):])
}

// MarshalText writes the external form.
func (i ID[K]) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads the external form.
func (i *ID[K]) UnmarshalText(b []byte) error {
	v, err := Parse[K](string(b))
	if err != nil {
		return err
	}
	*i = v
	return nil
}

// Parse reads the external form strictly: the kind's prefix, the exact length,
// lower case, and a value that fits 128 bits.
func Parse[K Kind](s string) (ID[K], error) {
	var k K
	body, ok := strings.CutPrefix(s, k.prefix()+"_")
	if !ok || len(body) != encodedLen {
		return ID[K]{}, malformed(k)
	}
	u, ok := decode(body)
	if !ok || u == uuid.Nil {
		return ID[K]{}, malformed(k)
	}
	return ID[K]{u: u}, nil
}

func malformed(k Kind) error {
	return fmt.Errorf("not an identifier of the form %s_ and %d base32 characters", k.prefix(), encodedLen)
}

// encode writes 128 bits as 26 characters, the first of which holds 3 bits.
func encode(u uuid.UUID) (out [encodedLen]byte) {
	var acc uint32
	bits, pos := 2, 0 // two leading zero bits fill 130 bits
	for _, b := range u {
		acc = acc<<8 | uint32(b)
		bits += 8
		for bits >= 5 {
			bits -= 5
			out[pos] = alphabet[acc>>bits&31]
			pos++
		}
	}
	return out
}

func decode(s string) (uuid.UUID, bool) {
	var u uuid.UUID
	var acc uint32
	bits, pos := 0, 0
	for i := range len(s) {
		v := strings.IndexByte(alphabet, s[i])
		if v < 0 || (i == 0 && v > 7) {
			return uuid.Nil, false
		}
		acc = acc<<5 | uint32(v) //nolint:gosec // v is 0 to 31
		bits += 5
		if i == 0 {
			bits -= 2 // the two bits of fill
		}
		if bits >= 8 {
			bits -= 8
			u[pos] = byte(acc >> bits) //nolint:gosec // the low eight bits are meant
			pos++
		}
	}
	return u, true
}
