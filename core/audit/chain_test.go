package audit_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// aChain is n good entries of one organization.
func aChain(t *testing.T, n int) []audit.Record {
	t.Helper()
	o, at := id.New[id.OrgKind](), audit.Anchor{}
	out := make([]audit.Record, n)
	for i := range out {
		r, err := audit.Accepted(o, time.Unix(int64(i), 0), authz.Bootstrap, audit.UserCreated, "user", fmt.Sprint(i), nil).Record()
		if err != nil {
			t.Fatal(err)
		}
		at = at.Next(r.Body())
		r.Seq, r.Hash = at.Seq, at.Hash
		out[i] = r
	}
	return out
}

func verify(records []audit.Record, head audit.Anchor) *audit.Verifier {
	v := audit.NewVerifier(audit.Anchor{})
	for _, r := range records {
		v.Add(r)
	}
	v.End(head)
	return v
}

func headOf(r []audit.Record) audit.Anchor {
	return audit.Anchor{Seq: r[len(r)-1].Seq, Hash: r[len(r)-1].Hash}
}

func TestVerifier(t *testing.T) {
	t.Parallel()

	t.Run("Should find a chain good from its beginning, and from any entry on", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		chain := aChain(t, 5)
		v := verify(chain, headOf(chain))
		is.Equal(v.FirstBad(), int64(0))
		is.Equal(v.Checked(), int64(5))
		v = audit.NewVerifier(headOf(chain[:2]))
		for _, r := range chain[2:] {
			is.True(v.Add(r))
		}
		is.True(v.End(headOf(chain)))
		is.Equal(v.Checked(), int64(3))
	})

	t.Run("Should name the first entry that is not as it was written", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		chain := aChain(t, 6)
		head := headOf(chain)
		changed := func(change func([]audit.Record) []audit.Record) int64 {
			return verify(change(append([]audit.Record(nil), chain...)), head).FirstBad()
		}
		is.Equal(changed(func(r []audit.Record) []audit.Record { r[2].ResourceID = "x"; return r }), int64(3))
		is.Equal(changed(func(r []audit.Record) []audit.Record { r[2].Hash[0]++; return r }), int64(3))
		is.Equal(changed(func(r []audit.Record) []audit.Record { return append(r[:3], r[4:]...) }), int64(4))
		is.Equal(changed(func(r []audit.Record) []audit.Record { return r[1:] }), int64(1))
		is.Equal(changed(func(r []audit.Record) []audit.Record { return r[:4] }), int64(5)) // the end is cut off
		is.Equal(changed(func(r []audit.Record) []audit.Record { r[3], r[4] = r[4], r[3]; return r }), int64(4))
		is.Equal(changed(func(r []audit.Record) []audit.Record {
			r[3], r[4] = r[4], r[3]
			r[3].Seq, r[4].Seq = 4, 5
			return r
		}), int64(4))
		is.Equal(changed(func(r []audit.Record) []audit.Record {
			more := headOf(r).Next(r[0].Body())
			forged := r[0]
			forged.Seq, forged.Hash = more.Seq, more.Hash
			return append(r, forged)
		}), int64(6)) // beyond the head, and the head does not know it
	})

	t.Run("Should cover every field", func(t *testing.T) {
		t.Parallel()
		r := aChain(t, 1)[0]
		r.Actor = audit.Actor{Kind: "user", Org: r.OrgID, User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Name: "n"}
		r.RequestID, r.SourceIP = "req", netip.MustParseAddr("192.0.2.1")
		var alter func(path string, v reflect.Value)
		alter = func(path string, v reflect.Value) {
			if path == ".Seq" || path == ".Hash" {
				return // the place, which Next covers
			}
			before := string(r.Body())
			old := reflect.New(v.Type()).Elem()
			old.Set(v)
			switch v.Interface().(type) {
			case string:
				v.SetString(v.String() + "x")
			case int64:
				v.SetInt(v.Int() + 1)
			case json.RawMessage:
				v.SetBytes([]byte(`{"a":{}}`))
			case audit.Actor:
				for i := range v.NumField() {
					alter(path+"."+v.Type().Field(i).Name, v.Field(i))
				}
				return
			default:
				v.SetZero()
			}
			if string(r.Body()) == before {
				t.Errorf("%s can be altered unseen", path)
			}
			v.Set(old)
		}
		v := reflect.ValueOf(&r).Elem()
		for i := range v.NumField() {
			alter("."+v.Type().Field(i).Name, v.Field(i))
		}
	})

	t.Run("Should tell fields apart that would be one text together", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := aChain(t, 1)[0]
		a.ResourceType, a.ResourceID = "ab", "c"
		b := a
		b.ResourceType, b.ResourceID = "a", "bc"
		is.True(string(a.Body()) != string(b.Body()))
	})

	t.Run("Should hash what it has always hashed", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		r := audit.Record{Actor: audit.Actor{Kind: "system", Name: "bootstrap"}, At: time.Unix(1, 0), Action: "user.created", Changes: []byte("{}"), Count: 1, Outcome: "succeeded"}
		is.Equal(audit.Anchor{}.Next(r.Body()).Hash.String(), "90df791609e5d38bac1e5269473f672f5e3cb72968986f1e21ef97734b108269")
	})
}

func TestParseHash(t *testing.T) {
	t.Parallel()
	t.Run("Should read its own text and nothing else", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		h := aChain(t, 1)[0].Hash
		got, err := audit.ParseHash(h.String())
		is.NoErr(err)
		is.Equal(got, h)
		for _, bad := range []string{"", "00", strings.ToUpper(h.String()), h.String() + "00", strings.Repeat("g", 64)} {
			_, err := audit.ParseHash(bad)
			is.True(err != nil || bad == h.String())
		}
	})
}

// anyValue is a value of any shape, with keys hidden in it.
func anyValue(r *rand.Rand, secret apikey.Secret, depth int) any {
	words := []any{
		secret, &secret, secret.Reveal(), "x" + secret.Reveal() + "y", []byte("x"), strings.ToUpper(secret.Reveal()), "bhk_", "plain", "\x00\xff",
		nil, true, 1, int64(1) << 60, 1.5, 1e21, json.Number("-0"), json.Number("1.10"),
		struct{ Secret apikey.Secret }{secret},
		json.RawMessage(`"` + secret.Reveal() + `"`),
	}
	switch n := r.IntN(len(words) + 3); {
	case n < len(words):
		return words[n]
	case depth == 0:
		return secret.Reveal()
	case n == len(words):
		return map[string]any{secret.Reveal(): anyValue(r, secret, depth-1), "b": anyValue(r, secret, depth-1), "aa": 1}
	case n == len(words)+1:
		return []any{anyValue(r, secret, depth-1), anyValue(r, secret, depth-1)}
	default:
		return map[string]string{"k": secret.Reveal()}
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()

	t.Run("Should let no text of a key and no secret into an entry", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for seed := range uint64(20_000) {
			r := rand.New(rand.NewPCG(seed, 1))
			secret, err := apikey.NewSecret(noise{r})
			is.NoErr(err)
			by := authz.Bootstrap.From(authz.Origin{RequestID: secret.Reveal()})
			e := audit.Accepted(id.SystemOrg, time.Unix(0, 0), by, audit.UserCreated, "user", "of "+secret.Reveal(),
				map[string]audit.Change{"f": {Before: anyValue(r, secret, 3), After: anyValue(r, secret, 3)}, secret.Reveal(): {}})
			record, err := e.Record()
			is.NoErr(err)
			if strings.Contains(strings.ToLower(fmt.Sprintf("%s %+v", record.Changes, record)), apikey.Prefix) {
				t.Fatalf("seed %d: %s", seed, record.Changes)
			}
			again, err := audit.Canonical(record.Changes)
			is.NoErr(err)
			is.Equal(string(again), string(record.Changes)) // the canonical form is its own
		}
	})

	t.Run("Should refuse what is no single JSON value", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, bad := range []string{"", "{", "{} {}", "1 2"} {
			_, err := audit.Canonical([]byte(bad))
			is.True(err != nil)
		}
	})
}

type noise struct{ *rand.Rand }

func (n noise) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(n.Uint32())
	}
	return len(b), nil
}
