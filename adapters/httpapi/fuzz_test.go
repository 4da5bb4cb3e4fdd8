package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// The seeds run with the tests. `go test -fuzz` looks for more.

func FuzzEntityTags(f *testing.F) {
	for _, seed := range []string{`"a"`, `W/"a"`, `"a","b"`, "*", `"a`, `,,"a",`, `W/`, "\"\x7f\"", `"a"b"`, ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		tags, err := parseEntityTags("If-Match", &header)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%q: %v", header, err)
			}
			return
		}
		if !tags.any && len(tags.strong)+len(tags.weak) == 0 {
			t.Fatalf("%q names nothing", header)
		}
		for _, tag := range append(tags.strong, tags.weak...) {
			if !strings.Contains(header, `"`+tag+`"`) || !tags.match(tag) {
				t.Fatalf("%q does not hold %q", header, tag)
			}
		}
	})
}

func FuzzIfMatch(f *testing.F) {
	h := &handlers{Deps: Deps{ETagKey: []byte("a key of this test")}}
	org := id.New[id.OrgKind]()
	ours := map[string]int64{}
	for _, v := range []int64{1, 2, 1 << 40} {
		tag := h.etag(org, "usr_1", v)
		ours[strings.Trim(tag, `"`)] = v
		f.Add(tag)
		f.Add("W/" + tag)
		f.Add(tag + `, "x"`)
	}
	f.Add("*")
	f.Add(`"1.AAAAAAAAAAAAAAAA"`)
	f.Fuzz(func(t *testing.T, header string) {
		v, err := h.ifMatch(&header, org, "usr_1")
		if err != nil || v == 0 {
			return
		}
		for tag, version := range ours { // nothing but a tag that was given matches
			if version == v && strings.Contains(header, `"`+tag+`"`) {
				return
			}
		}
		t.Fatalf("%q matched version %d", header, v)
	})
}

func FuzzStrictJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":1}`, `[1,2,3]`, `"\ud83d\ude00"`, `"\ud800"`, `{"a":1,"a":2}`, `{"a":1}x`, `1e999999`, `-0`, `01`, "\"\x00\"", "{", "[[[[",
		`{"a":{"b":[true,false,null]}}`, " 1 ", "\xff", `"\u0000"`, `1.0E+2`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := parseStrict(body)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%q is no JSON", body) // never laxer than the standard
		}
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if _, err := parseStrict(again); err != nil {
			t.Fatalf("%q was read, and %q is not: %v", body, again, err)
		}
	})
}

func FuzzIdempotencyKey(f *testing.F) {
	b := setup(f)
	for _, seed := range []string{"k", "a-b_c.d:e", "", " ", "ä", "\x00", strings.Repeat("a", 128), strings.Repeat("a", 129), "a\r\nX: y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		r := request(http.MethodPost, keysURL+"/"+b.key.Snapshot().ID.String()+"/revoke", b.admin, "")
		r.Header["Idempotency-Key"] = []string{key}
		w := httptest.NewRecorder()
		b.server.ServeHTTP(w, r)
		word := key != "" && len(key) <= 128 && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-") == ""
		if (w.Code == http.StatusOK) != word || (!word && w.Code != http.StatusBadRequest) {
			t.Fatalf("%q: %d", key, w.Code)
		}
	})
}
