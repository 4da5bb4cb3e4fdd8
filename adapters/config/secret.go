package config

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// reasoned is an error that may be shown: it says which rule was broken without
// repeating the value.
type reasoned string

func (r reasoned) Error() string  { return string(r) }
func (r reasoned) Reason() string { return string(r) }

// SecretURL is a URL of Postgres. Shown in any way it lacks its password.
type SecretURL struct{ u *url.URL }

// UnmarshalText reads a URL.
func (s *SecretURL) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	u, err := url.Parse(string(b))
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || u.Host == "" {
		return reasoned("must be a URL such as postgres://user:password@host:5432/bulkhead")
	}
	s.u = u
	return nil
}

// RedisURL is a SecretURL of Redis.
type RedisURL struct{ SecretURL }

// UnmarshalText reads a URL.
func (r *RedisURL) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	u, err := url.Parse(string(b))
	if err == nil && ((u.Scheme == "redis" || u.Scheme == "rediss") && u.Host != "" || u.Scheme == "unix" && u.Path != "") {
		r.u = u
		return nil
	}
	return reasoned("must be a URL such as redis://user:password@host:6379/0, rediss://host:6379 or unix:///run/redis.sock")
}

// IsZero tells whether no URL was given.
func (s SecretURL) IsZero() bool { return s.u == nil }

// Reveal returns the whole URL.
func (s SecretURL) Reveal() string {
	if s.u == nil {
		return ""
	}
	return s.u.String()
}

// String returns the URL without its password and its parameters.
func (s SecretURL) String() string {
	if s.u == nil {
		return ""
	}
	shown := url.URL{Scheme: s.u.Scheme, Host: s.u.Host, Path: s.u.Path}
	if s.u.User != nil {
		shown.User = url.User(s.u.User.Username())
	}
	return shown.String()
}

// GoString hides the password from %#v.
func (s SecretURL) GoString() string { return s.String() }

// MarshalText hides the password from JSON and its like.
func (s SecretURL) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the password from slog.
func (s SecretURL) LogValue() slog.Value { return slog.StringValue(s.String()) }

// KeyRing is a set of secret keys by version.
type KeyRing map[int16][]byte

// keyLen is the length of every key, in bytes.
const keyLen = 32

// UnmarshalText reads "1:<base64>,2:<base64>". Each key has 32 bytes.
func (k *KeyRing) UnmarshalText(b []byte) error {
	ring := KeyRing{}
	for part := range strings.SplitSeq(string(b), ",") {
		version, encoded, ok := strings.Cut(strings.TrimSpace(part), ":")
		n, err := strconv.ParseInt(version, 10, 16)
		if !ok || err != nil || n < 1 {
			return reasoned("must have the form 1:<base64>,2:<base64>")
		}
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(key) != keyLen {
			return reasoned(fmt.Sprintf("version %d: must be the base64 of %d bytes, such as `openssl rand -base64 %d` prints", n, keyLen, keyLen))
		}
		if _, dup := ring[int16(n)]; dup {
			return reasoned(fmt.Sprintf("version %d stands there twice", n))
		}
		ring[int16(n)] = key
	}
	*k = ring
	return nil
}

// Current returns the key of the highest version, or nil.
func (k KeyRing) Current() []byte {
	if len(k) == 0 {
		return nil
	}
	return k[slices.Max(slices.Collect(maps.Keys(k)))]
}

func (k KeyRing) versions() []string {
	var out []string
	for _, v := range slices.Sorted(maps.Keys(k)) {
		out = append(out, strconv.Itoa(int(v)))
	}
	return out
}

// String shows the versions only.
func (k KeyRing) String() string { return "versions " + strings.Join(k.versions(), ",") }

// GoString hides the keys from %#v.
func (k KeyRing) GoString() string { return k.String() }

// MarshalText hides the keys from JSON and its like.
func (k KeyRing) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue hides the keys from slog.
func (k KeyRing) LogValue() slog.Value { return slog.StringValue(k.String()) }
