package signing_test

import (
	"bytes"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/signing"
)

func TestVault(t *testing.T) {
	t.Parallel()
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	vault := func(t *testing.T, keys map[int16][]byte, purpose string) *signing.Vault {
		t.Helper()
		v, err := signing.NewVault(keys, purpose)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	text, mine := []byte("the secret"), []byte("mine")

	t.Run("Should open what it sealed, also after a newer key came", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		sealed, version := vault(t, map[int16][]byte{1: first}, "p").Seal(text, mine)
		is.Equal(version, int16(1))
		is.True(!bytes.Contains(sealed, text))
		both := vault(t, map[int16][]byte{1: first, 2: second}, "p")
		got, err := both.Open(sealed, version, mine)
		is.NoErr(err)
		is.Equal(got, text)
		_, version = both.Seal(text, mine)
		is.Equal(version, int16(2))
	})

	t.Run("Should not open what is another's, another purpose's, changed, or of a key that is gone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		v := vault(t, map[int16][]byte{1: first}, "p")
		sealed, version := v.Seal(text, mine)
		_, err := v.Open(sealed, version, []byte("yours"))
		is.True(err != nil)
		_, err = vault(t, map[int16][]byte{1: first}, "q").Open(sealed, version, mine)
		is.True(err != nil)
		_, err = vault(t, map[int16][]byte{2: second}, "p").Open(sealed, version, mine)
		is.True(err != nil)
		sealed[len(sealed)-1] ^= 1
		_, err = v.Open(sealed, version, mine)
		is.True(err != nil)
	})

	t.Run("Should refuse to be made without a key", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, err := signing.NewVault(nil, "p")
		is.True(err != nil)
	})
}
