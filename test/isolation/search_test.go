package isolation

import (
	"encoding/binary"
	"testing"

	"github.com/matryer/is"
)

// wanted are secrets that are searched for all at once: a text is read once,
// however many they are. There are a thousand of them and every answer is
// searched, so that to look for one after the other was most of the test's time.
type wanted struct {
	all   []secret
	begin map[uint64][]int     // which ones, by their first leastSecret bytes
	maybe [1 << 16 / 64]uint64 // the bits of what begins one, by its hash: most bytes of a text begin none
}

// sight is a secret that a text has in it.
type sight struct {
	secret
	at int // of its first byte
}

// newWanted returns a search for texts of leastSecret bytes and more.
func newWanted(all []secret) *wanted {
	w := &wanted{all: all, begin: map[uint64][]int{}}
	for i, s := range all {
		start := binary.LittleEndian.Uint64([]byte(s.text))
		w.begin[start] = append(w.begin[start], i)
		w.maybe[bit(start)/64] |= 1 << (bit(start) % 64)
	}
	return w
}

// bit hashes the beginning of a text.
func bit(start uint64) uint64 { return start * 0x9E3779B97F4A7C15 >> 48 }

// in returns which secrets a text has in it, each once, where it is first.
func (w *wanted) in(text string) (out []sight) {
	raw := []byte(text)
	var known map[int]bool
	for at := 0; at+leastSecret <= len(raw); at++ {
		start := binary.LittleEndian.Uint64(raw[at:])
		if w.maybe[bit(start)/64]&(1<<(bit(start)%64)) == 0 {
			continue
		}
		for _, i := range w.begin[start] {
			s := w.all[i]
			if known[i] || len(text)-at < len(s.text) || text[at:at+len(s.text)] != s.text {
				continue
			}
			if known == nil {
				known = map[int]bool{}
			}
			known[i] = true
			out = append(out, sight{s, at})
		}
	}
	return out
}

func TestWanted(t *testing.T) {
	t.Parallel()
	w := newWanted([]secret{{"12345678", "short"}, {"12345678-more", "long"}, {"abcdefgh\x00", "raw"}})
	for text, want := range map[string][]sight{
		"":                                 nil,
		"1234567":                          nil,
		"12345678":                         {{w.all[0], 0}},
		"..12345678-mor":                   {{w.all[0], 2}},
		"..12345678-more":                  {{w.all[0], 2}, {w.all[1], 2}},
		"1234567812345678":                 {{w.all[0], 0}},
		"abcdefgh":                         nil,
		"1abcdefgh\x00 12345678-more 1234": {{w.all[2], 1}, {w.all[0], 11}, {w.all[1], 11}},
	} {
		t.Run("Should find what is there in "+text, func(t *testing.T) {
			is.New(t).Equal(w.in(text), want)
		})
	}
}
