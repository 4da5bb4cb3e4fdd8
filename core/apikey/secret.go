package apikey

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strings"
	"sync"
)

// The shape of a secret: "bhk_", 43 characters of base62 that hold 256 random
// bits, and 6 characters of base62 that hold their CRC-32. The prefix and the
// checksum let a scanner tell a leaked key from noise, and let a typing error
// be refused without asking the database.
const (
	Prefix      = "bhk_"
	bodyLen     = 43
	checksumLen = 6
	secretLen   = len(Prefix) + bodyLen + checksumLen

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

	// hintLen is how much of the body is kept in clear to tell keys apart. Eight
	// characters leave more than 200 bits unknown.
	hintLen = 8
	lastLen = 4
)

const redacted = "[redacted]"

// Secret is an API key in clear. It shows itself to nobody but Reveal's caller:
// formatted, logged or marshalled it is "[redacted]". The text stands behind a
// pointer, as package fmt prints unexported fields of other structs without
// asking their methods.
type Secret struct{ s *string }

// errMalformed never leaves authentication: all refusals look alike there.
var errMalformed = errors.New("not the form of an API key")

// NewSecret draws a secret from a cryptographic random source.
func NewSecret(random io.Reader) (Secret, error) {
	body := make([]byte, 0, bodyLen)
	buf := make([]byte, bodyLen)
	for len(body) < bodyLen {
		if _, err := io.ReadFull(random, buf); err != nil {
			return Secret{}, fmt.Errorf("draw API key: %w", err)
		}
		for _, b := range buf {
			// 248 is the largest multiple of 62 in a byte: without it, some
			// characters would be more frequent than others.
			if b < 248 && len(body) < bodyLen {
				body = append(body, base62[b%62])
			}
		}
	}
	s := Prefix + string(body) + checksum(string(body))
	return Secret{&s}, nil
}

// ParseSecret checks the form and the checksum of a presented key.
func ParseSecret(s string) (Secret, error) {
	if len(s) != secretLen || !strings.HasPrefix(s, Prefix) {
		return Secret{}, errMalformed
	}
	body := s[len(Prefix) : len(Prefix)+bodyLen]
	if checksum(body) != s[len(Prefix)+bodyLen:] {
		return Secret{}, errMalformed
	}
	for i := range len(body) {
		if strings.IndexByte(base62, body[i]) < 0 {
			return Secret{}, errMalformed
		}
	}
	return Secret{&s}, nil
}

// Reveal returns the key in clear, for the one answer that shows it; "" for the
// zero value.
func (s Secret) Reveal() string {
	if s.s == nil {
		return ""
	}
	return *s.s
}

// Hint returns the first characters, which are safe to keep and to show.
func (s Secret) Hint() string { return s.Reveal()[:len(Prefix)+hintLen] }

// LastFour returns the last characters, which are safe to keep and to show.
func (s Secret) LastFour() string { return s.Reveal()[secretLen-lastLen:] }

// String hides the secret.
func (Secret) String() string { return redacted }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return redacted }

// Format hides the secret from every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText hides the secret from JSON, from slog and their like.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func checksum(body string) string {
	n := uint64(crc32.ChecksumIEEE([]byte(body)))
	var out [checksumLen]byte
	for i := checksumLen - 1; i >= 0; i-- {
		out[i] = base62[n%62]
		n /= 62
	}
	return string(out[:])
}

// Hash is what is stored of a secret.
type Hash [sha256.Size]byte

// Peppers are the keys of the HMAC by version. They come from the deployment's
// configuration and never from the database: a stolen dump can then neither
// confirm a leaked key nor be used to make one.
type Peppers struct {
	current int16
	byVer   map[int16]*sync.Pool // of *hasher
}

// hasher is an HMAC under one pepper, ready for use: to set one up costs twice as
// much as to use it.
type hasher struct {
	mac hash.Hash
	in  [secretLen]byte
	out Hash
}

func newHashers(pepper []byte) *sync.Pool {
	return &sync.Pool{New: func() any { return &hasher{mac: hmac.New(sha256.New, pepper)} }}
}

// MinPepperLen is the least length of a pepper, in bytes.
const MinPepperLen = 32

// NewPeppers takes the peppers by version. The highest version is the current one.
func NewPeppers(byVersion map[int16][]byte) (Peppers, error) {
	if len(byVersion) == 0 {
		return Peppers{}, errors.New("at least one API-key pepper is needed")
	}
	p := Peppers{byVer: make(map[int16]*sync.Pool, len(byVersion))}
	for v, k := range byVersion {
		if v < 1 {
			return Peppers{}, fmt.Errorf("pepper version %d: must be 1 or more", v)
		}
		if len(k) < MinPepperLen {
			return Peppers{}, fmt.Errorf("pepper version %d: must have at least %d bytes", v, MinPepperLen)
		}
		p.byVer[v] = newHashers(bytes.Clone(k))
		p.current = max(p.current, v)
	}
	return p, nil
}

// Versioned is a hash with the version of the pepper that made it.
type Versioned struct {
	Version int16
	Hash    Hash
}

// Hash hashes a secret with the current pepper.
func (p Peppers) Hash(s Secret) Versioned { return p.hash(p.current, s) }

// Current returns the version that new hashes are made with.
func (p Peppers) Current() int16 { return p.current }

// Candidates hashes a secret with every pepper in use, to look up keys that
// were stored before the pepper changed.
func (p Peppers) Candidates(s Secret) []Versioned {
	out := make([]Versioned, 0, len(p.byVer))
	out = append(out, p.hash(p.current, s))
	for v := range p.byVer {
		if v != p.current {
			out = append(out, p.hash(v, s))
		}
	}
	return out
}

func (p Peppers) hash(version int16, s Secret) Versioned {
	pool := p.byVer[version]
	h := pool.Get().(*hasher) //nolint:forcetypeassert // the pool holds nothing else
	h.mac.Reset()
	h.mac.Write(h.in[:copy(h.in[:], s.Reveal())])
	h.mac.Sum(h.out[:0])
	v := Versioned{Version: version, Hash: h.out}
	pool.Put(h)
	return v
}
