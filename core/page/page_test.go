package page_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
)

func sealer(fill byte) page.Sealer { return page.NewSealer(bytes.Repeat([]byte{fill}, 32)) }

func TestCursor(t *testing.T) {
	t.Parallel()
	after := uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")

	t.Run("Should go on where it was issued", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := sealer(1)
		got, err := s.Open("users|org_a", s.Seal("users|org_a", after))
		is.NoErr(err)
		is.Equal(got, after)
	})

	t.Run("Should be empty at the end, and the beginning for an empty one", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(sealer(1).Seal("users", uuid.Nil), "")
		got, err := sealer(1).Open("users", "")
		is.NoErr(err)
		is.Equal(got, uuid.Nil)
	})

	t.Run("Should be refused for another list, organization, filter or deployment", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		cursor := sealer(1).Seal("users|org_a", after)
		for _, binding := range []string{"", "users|org_b", "keys|org_a", "users|org_a|x", "users|org_"} {
			_, err := sealer(1).Open(binding, cursor)
			is.True(errors.Is(err, page.ErrCursor))
		}
		_, err := sealer(2).Open("users|org_a", cursor)
		is.True(errors.Is(err, page.ErrCursor))
	})

	t.Run("Should be refused when any bit was changed", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		raw, err := base64.RawURLEncoding.DecodeString(sealer(1).Seal("users", after))
		is.NoErr(err)
		is.Equal(len(raw), 32)
		for bit := range len(raw) * 8 {
			bad := slices.Clone(raw)
			bad[bit/8] ^= 1 << (bit % 8)
			_, err := sealer(1).Open("users", base64.RawURLEncoding.EncodeToString(bad))
			is.True(errors.Is(err, page.ErrCursor))
		}
	})

	t.Run("Should be refused in any other form", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		good := sealer(1).Seal("users", after)
		for _, c := range []string{"x", "!", good + "=", good + "A", good[:len(good)-1], " " + good, good + "\n", after.String()} {
			_, err := sealer(1).Open("users", c)
			is.True(errors.Is(err, page.ErrCursor))
		}
	})

	t.Run("Should not be changed by what is sealed afterwards", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := sealer(1)
		is.Equal(s.Seal("users", after), s.Seal("users", after))
		is.Equal(after.String(), "01890a5d-ac96-774b-bcce-b302099a8057")
	})
}

func FuzzOpen(f *testing.F) {
	s := sealer(1)
	f.Add("users", "")
	f.Add("users", s.Seal("users", uuid.Max))
	f.Add("keys", s.Seal("users", uuid.Max))
	f.Fuzz(func(t *testing.T, binding, cursor string) {
		after, err := s.Open(binding, cursor)
		if err != nil {
			if !errors.Is(err, page.ErrCursor) || after != uuid.Nil {
				t.Errorf("Open(%q, %q) = %v, %v", binding, cursor, after, err)
			}
			return
		}
		if s.Seal(binding, after) != cursor {
			t.Errorf("%q opens to %v, whose cursor it is not", cursor, after)
		}
	})
}

func TestNewRequest(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		limit, want int
		ok          bool
	}{{0, page.DefaultLimit, true}, {1, 1, true}, {page.MaxLimit, page.MaxLimit, true}, {page.MaxLimit + 1, 0, false}, {-1, 0, false}} {
		t.Run("Should bound the limit", func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			r, err := page.NewRequest(c.limit, uuid.Max)
			is.Equal(err == nil, c.ok)
			is.Equal(r.Limit, c.want)
			is.True(c.ok || errors.Is(err, fault.ErrInvalid))
			is.True(!c.ok || r.After == uuid.Max)
		})
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	rows := []uuid.UUID{{15: 1}, {15: 2}, {15: 3}}
	self := func(u uuid.UUID) uuid.UUID { return u }

	t.Run("Should go on after the last row it shows", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		p := page.Cut(rows, 2, self)
		is.Equal(p.Items, rows[:2])
		is.Equal(p.Next, rows[1])
	})

	t.Run("Should end when nothing is left", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(page.Cut(rows, 3, self), page.Page[uuid.UUID]{Items: rows})
		is.Equal(page.Cut(nil, 3, self).Next, uuid.Nil)
	})
}
