package id_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/id"
)

// sample is a valid organization id: SystemOrg's.
const sample = "org_0000000000e008000000000001"

func TestParse(t *testing.T) {
	t.Parallel()

	t.Run("Should read back what it wrote, for every kind", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		roundTrip[id.OrgKind](is, "org_")
		roundTrip[id.UserKind](is, "usr_")
		roundTrip[id.RoleKind](is, "role_")
		roundTrip[id.APIKeyKind](is, "key_")
		roundTrip[id.OperationKind](is, "op_")
		roundTrip[id.EventKind](is, "evt_")
		roundTrip[id.MessageKind](is, "msg_")
	})

	t.Run("Should keep all 128 bits", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for bit := range 128 {
			var u uuid.UUID
			u[bit/8] = 1 << (bit % 8)
			i := id.FromUUID[id.OrgKind](u)
			back, err := id.Parse[id.OrgKind](i.String())
			is.NoErr(err)
			is.Equal(back.UUID(), u)
		}
		full := uuid.Max
		back, err := id.Parse[id.OrgKind](id.FromUUID[id.OrgKind](full).String())
		is.NoErr(err)
		is.Equal(back.UUID(), full)
	})

	t.Run("Should accept exactly one text for a value", func(t *testing.T) {
		t.Parallel()
		for name, text := range map[string]string{
			"empty":                 "",
			"prefix alone":          "org_",
			"no prefix":             sample[4:],
			"bare uuid":             id.SystemOrg.UUID().String(),
			"upper case":            strings.ToUpper(sample),
			"upper case prefix":     "ORG_" + sample[4:],
			"upper case character":  sample[:14] + "E" + sample[15:],
			"one too short":         sample[:len(sample)-1],
			"one too long":          sample + "0",
			"first character 8":     "org_8" + sample[5:],
			"first character z":     "org_z" + sample[5:],
			"letter i":              sample[:len(sample)-1] + "i",
			"letter l":              sample[:len(sample)-1] + "l",
			"letter o":              sample[:len(sample)-1] + "o",
			"letter u":              sample[:len(sample)-1] + "u",
			"user's prefix":         "usr_" + sample[4:],
			"other separator":       "org-" + sample[4:],
			"leading space":         " " + sample,
			"trailing newline":      sample + "\n",
			"newline for the last":  sample[:len(sample)-1] + "\n",
			"NUL inside":            sample[:10] + "\x00" + sample[11:],
			"zero value":            "org_" + strings.Repeat("0", 26),
			"two bytes of a letter": sample[:len(sample)-2] + "é",
		} {
			t.Run("Should refuse "+name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				got, err := id.Parse[id.OrgKind](text)
				is.True(err != nil)
				is.True(got.IsZero())
				is.True(len(text) < 10 || !strings.Contains(err.Error(), text)) // the error repeats no input
			})
		}
	})

	t.Run("Should name the system organization the same in every deployment", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(id.SystemOrg.String(), sample)
		is.Equal(id.SystemOrg.UUID().Version(), uuid.Version(7))
		is.Equal(id.SystemOrg.UUID().Variant(), uuid.RFC4122)
	})
}

func roundTrip[K id.Kind](is *is.I, prefix string) {
	is.Helper()
	for range 200 {
		i := id.New[K]()
		is.True(strings.HasPrefix(i.String(), prefix))
		back, err := id.Parse[K](i.String())
		is.NoErr(err)
		is.Equal(back, i)
		appended, err := i.AppendText([]byte("x "))
		is.NoErr(err)
		is.Equal(string(appended), "x "+i.String())
	}
}

func TestNew(t *testing.T) {
	t.Parallel()

	t.Run("Should keep the order of creation in the text", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		texts := make([]string, 5000)
		for i := range texts {
			texts[i] = id.New[id.OrgKind]().String()
		}
		is.True(slices.IsSorted(texts))
		is.Equal(len(slices.Compact(texts)), 5000) // no two are equal
	})
}

func TestZero(t *testing.T) {
	t.Parallel()

	t.Run("Should name nothing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var zero id.Org
		is.True(zero.IsZero())
		is.Equal(zero.String(), "")
		appended, err := zero.AppendText([]byte("x"))
		is.NoErr(err)
		is.Equal(string(appended), "x")
	})
}

func TestTail(t *testing.T) {
	t.Parallel()

	t.Run("Should be the end of the text", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		i := id.New[id.OrgKind]()
		is.True(strings.HasSuffix(i.String(), i.Tail(8)))
		is.Equal(len(i.Tail(8)), 8)
		is.Equal(i.Tail(99), strings.TrimPrefix(i.String(), "org_"))
	})
}

func TestEncodings(t *testing.T) {
	t.Parallel()

	t.Run("Should travel in JSON as the external form", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b, err := json.Marshal(map[id.Org]id.Org{id.SystemOrg: id.SystemOrg})
		is.NoErr(err)
		is.Equal(string(b), `{"`+sample+`":"`+sample+`"}`)
		var back map[id.Org]id.Org
		is.NoErr(json.Unmarshal(b, &back))
		is.Equal(back[id.SystemOrg], id.SystemOrg)
	})

	t.Run("Should keep its value when a text is refused", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		i := id.SystemOrg
		is.True(i.UnmarshalText([]byte("usr_"+sample[4:])) != nil)
		is.Equal(i, id.SystemOrg)
	})
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add(strings.ToUpper(sample))
	f.Add("org_7zzzzzzzzzzzzzzzzzzzzzzzzz")
	f.Add("org_8zzzzzzzzzzzzzzzzzzzzzzzzz")
	f.Add(id.New[id.OrgKind]().String())
	f.Fuzz(func(t *testing.T, s string) {
		i, err := id.Parse[id.OrgKind](s)
		if err == nil && (i.String() != s || i.IsZero()) {
			t.Errorf("Parse(%q) is accepted and written as %q", s, i)
		}
		if _, err := id.Parse[id.UserKind](s); err == nil && strings.HasPrefix(s, "org_") {
			t.Errorf("%q is a user too", s)
		}
	})
}
