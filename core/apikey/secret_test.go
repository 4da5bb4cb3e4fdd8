package apikey_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func newSecret(t *testing.T) apikey.Secret {
	t.Helper()
	s, err := apikey.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sum is the checksum as the documentation describes it, written differently.
func sum(body string) string {
	n := new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body))))
	out := ""
	for range 6 {
		digit := new(big.Int)
		n.DivMod(n, big.NewInt(62), digit)
		out = string(base62[digit.Int64()]) + out
	}
	return out
}

func TestNewSecret(t *testing.T) {
	t.Parallel()

	t.Run("Should have the documented form and checksum", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		form := regexp.MustCompile(`^bhk_[0-9A-Za-z]{49}$`)
		for range 1000 {
			s := newSecret(t).Reveal()
			is.True(form.MatchString(s))
			is.Equal(s[47:], sum(s[4:47]))
		}
	})

	t.Run("Should never be drawn twice, and use each character as often", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		const draws = 20000
		seen, count := make(map[string]bool, draws), map[byte]int{}
		for range draws {
			s := newSecret(t).Reveal()
			seen[s] = true
			for _, c := range []byte(s[4:47]) {
				count[c]++
			}
		}
		is.Equal(len(seen), draws)
		is.Equal(len(count), 62)
		// A plain remainder would show "0" to "7" a quarter more often. Six standard
		// deviations around the mean are about 5 %.
		mean := draws * 43 / 62
		for _, n := range count {
			is.True(n > mean*95/100 && n < mean*105/100)
		}
	})

	t.Run("Should pass over the bytes that would favour some characters", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		random := append(bytes.Repeat([]byte{255, 248}, 43), bytes.Repeat([]byte{247}, 43)...)
		s, err := apikey.NewSecret(bytes.NewReader(random))
		is.NoErr(err)
		is.Equal(s.Reveal()[4:47], strings.Repeat("z", 43))
	})

	t.Run("Should fail rather than draw from a broken source", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s, err := apikey.NewSecret(iotest.ErrReader(io.ErrUnexpectedEOF))
		is.True(errors.Is(err, io.ErrUnexpectedEOF))
		is.Equal(s.Reveal(), "")
		_, err = apikey.NewSecret(strings.NewReader("too short"))
		is.True(err != nil)
	})
}

func TestParseSecret(t *testing.T) {
	t.Parallel()

	t.Run("Should read back what was drawn", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := newSecret(t)
		back, err := apikey.ParseSecret(s.Reveal())
		is.NoErr(err)
		is.Equal(back.Reveal(), s.Reveal())
	})

	t.Run("Should refuse every typing error in one character", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		good := newSecret(t).Reveal()
		for i := range good {
			for _, c := range []byte(base62 + "_- \x00\xff") {
				if c == good[i] {
					continue
				}
				bad := []byte(good)
				bad[i] = c
				_, err := apikey.ParseSecret(string(bad))
				is.True(err != nil)
			}
		}
	})

	t.Run("Should refuse any other form, without repeating it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		good := newSecret(t).Reveal()
		foreign := strings.Repeat("!", 43)
		for _, s := range []string{
			"", "bhk_", good[4:], good + "0", good[:len(good)-1], " " + good, good + "\n", "BHK_" + good[4:], "sk__" + good[4:],
			"bhk_" + foreign + sum(foreign), // a right checksum of wrong characters
		} {
			_, err := apikey.ParseSecret(s)
			is.True(err != nil)
			is.True(len(s) < 10 || !strings.Contains(err.Error(), s))
		}
	})
}

func FuzzParseSecret(f *testing.F) {
	body := strings.Repeat("a", 43)
	f.Add("bhk_" + body + sum(body))
	f.Add("bhk_" + body + "000000")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		secret, err := apikey.ParseSecret(s)
		if err != nil {
			return
		}
		if secret.Reveal() != s || s[47:] != sum(s[4:47]) || strings.Trim(s[4:], base62) != "" {
			t.Errorf("%q is accepted", s)
		}
	})
}

func TestRedaction(t *testing.T) {
	t.Parallel()
	secret := newSecret(t)
	plain := secret.Reveal()

	type open struct{ Key apikey.Secret }
	type hidden struct {
		name string
		key  apikey.Secret
	}
	type deep struct{ inner *hidden }
	holders := map[string]any{
		"alone":                         secret,
		"behind a pointer":              &secret,
		"in a struct":                   open{secret},
		"in a struct behind a pointer":  &open{secret},
		"in an unexported field":        hidden{"n", secret},
		"in an unexported field, deep":  &deep{&hidden{"n", secret}},
		"in an unexported field, value": struct{ h hidden }{hidden{"n", secret}},
		"in a slice":                    []apikey.Secret{secret},
		"in an unexported slice":        struct{ s []apikey.Secret }{[]apikey.Secret{secret}},
		"in a map":                      map[string]apikey.Secret{"k": secret},
		"as a map's key":                map[apikey.Secret]int{secret: 1},
		"in an interface":               []any{secret, &secret},
	}
	// No run of the body may be seen: eight characters is what the hint shows.
	shown := func(s string) bool {
		return strings.Contains(s, plain[12:20]) || strings.Contains(s, fmt.Sprintf("%x", plain)[24:40]) ||
			strings.Contains(s, fmt.Sprintf("%X", plain)[24:40]) || strings.Contains(s, fmt.Sprintf("%d", []byte(plain))[50:70])
	}

	for name, v := range holders {
		t.Run("Should hide a secret "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%T", "%p", "%t", "%e", "%U", "%c", "%99v", "%-5s", "%.3s"} {
				is.True(!shown(fmt.Sprintf(verb, v)))
			}
			is.True(!shown(fmt.Sprint(v)))
			is.True(!shown(fmt.Errorf("create: %v", v).Error()))

			b, err := json.Marshal(v)
			is.NoErr(err)
			is.True(!shown(string(b)))

			var out bytes.Buffer
			for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				log := slog.New(h).With("bound", v)
				log.Info("message", slog.Any("key", v), slog.Group("g", slog.Any("key", v)))
			}
			is.True(strings.Contains(out.String(), "message"))
			is.True(!shown(out.String()))
		})
	}

	t.Run("Should say that something was hidden", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(secret.String(), "[redacted]")
		is.Equal(secret.GoString(), "[redacted]")
		is.Equal(fmt.Sprintf("%x", secret), "[redacted]")
		b, err := json.Marshal(open{secret})
		is.NoErr(err)
		is.Equal(string(b), `{"Key":"[redacted]"}`)
	})

	t.Run("Should show enough to tell keys apart and no more", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(secret.Hint(), plain[:12])
		is.Equal(secret.LastFour(), plain[49:])
	})
}

func peppers(t *testing.T, versions ...int16) apikey.Peppers {
	t.Helper()
	m := map[int16][]byte{}
	for _, v := range versions {
		m[v] = bytes.Repeat([]byte{byte(v)}, 32)
	}
	p, err := apikey.NewPeppers(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPeppers(t *testing.T) {
	t.Parallel()

	t.Run("Should refuse none, a short one and a version below 1", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		long := bytes.Repeat([]byte{1}, 32)
		for _, m := range []map[int16][]byte{nil, {}, {1: long[:31]}, {1: nil}, {0: long}, {-1: long}, {1: long, 2: long[:31]}} {
			_, err := apikey.NewPeppers(m)
			is.True(err != nil)
		}
	})

	t.Run("Should hash with the highest version", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := newSecret(t)
		got := peppers(t, 1, 7, 3).Hash(s)
		is.Equal(got.Version, int16(7))
		is.Equal(got, peppers(t, 7).Hash(s))
	})

	t.Run("Should look for every version, the current one first", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := newSecret(t)
		got := peppers(t, 1, 2, 3).Candidates(s)
		is.Equal(len(got), 3)
		is.Equal(got[0], peppers(t, 3).Hash(s))
		seen := map[apikey.Versioned]bool{}
		for _, v := range got {
			seen[v] = true
		}
		for _, v := range []int16{1, 2, 3} {
			is.True(seen[peppers(t, v).Hash(s)])
		}
	})

	t.Run("Should differ by secret and by pepper", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a, b := newSecret(t), newSecret(t)
		is.True(peppers(t, 1).Hash(a).Hash != peppers(t, 1).Hash(b).Hash)
		is.True(peppers(t, 1).Hash(a).Hash != peppers(t, 2).Hash(a).Hash)
		is.Equal(peppers(t, 1).Hash(a), peppers(t, 1).Hash(a))
	})

	t.Run("Should not change with the caller's bytes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := bytes.Repeat([]byte{1}, 32)
		p, err := apikey.NewPeppers(map[int16][]byte{1: k})
		is.NoErr(err)
		s := newSecret(t)
		before := p.Hash(s)
		clear(k)
		is.Equal(p.Hash(s), before)
	})
}
