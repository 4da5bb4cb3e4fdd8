package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

func TestParseStrict(t *testing.T) {
	t.Parallel()

	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct {
		name, in, pointer, rule string
	}{
		{"an empty body", "", "", "required"},
		{"white space alone", " \n\t\r", "", "required"},
		{"two values", `{} {}`, "", "trailing"},
		{"text after the value", `{}x`, "", "trailing"},
		{"a byte-order mark", "\ufeff{}", "", "syntax"},
		{"bytes that are not UTF-8", "{\"a\":\"\xff\"}", "", "encoding"},
		{"an overlong NUL", "\"\xc0\x80\"", "", "encoding"},
		{"a raw NUL", "{\"a\":\"x\x00\"}", "/a", "characters"},
		{"an escaped NUL", `{"a":["",{"b":"\u0000"}]}`, "/a/1/b", "characters"},
		{"an escaped NUL in a name", `{"a":{"\u0000":1}}`, "/a", "characters"},
		{"a raw NUL outside of strings", "{\x00}", "", "syntax"},
		{"a raw control character", "\"a\nb\"", "", "characters"},
		{"a raw control character after an escape", "\"\\t\nb\"", "", "characters"},
		{"a lone high surrogate", `{"a":"\ud800"}`, "/a", "encoding"},
		{"a lone high surrogate before text", `{"a":"\ud800x"}`, "/a", "encoding"},
		{"a high surrogate before a letter", `"\ud800\u0041"`, "", "encoding"},
		{"a lone low surrogate", `{"a":"\udc00"}`, "/a", "encoding"},
		{"a lone surrogate in a name", `{"\udfff":1}`, "", "encoding"},
		{"a name twice", `{"a":1,"b":2,"a":3}`, "/a", "duplicate"},
		{"a name twice, spelt differently", `{"a":{"b":1,"\u0062":2}}`, "/a/b", "duplicate"},
		{"a name twice, to be escaped in a pointer", `{"~/":1,"~/":2}`, "/~0~1", "duplicate"},
		{"too deep an array", deep(maxDepth + 1), strings.Repeat("/0", maxDepth), "depth"},
		{"too deep an object", strings.Repeat(`{"a":`, maxDepth+1), strings.Repeat("/a", maxDepth), "depth"},
		{"a bomb", strings.Repeat("[", 1<<20), strings.Repeat("/0", maxDepth), "depth"},
		{"a number beyond a float64", `{"n":1e999999}`, "/n", "range"},
		{"a negative number beyond a float64", `[1,-1e309]`, "/1", "range"},
		{"a leading zero", `[01]`, "", "syntax"},
		{"a leading plus", `+1`, "", "syntax"},
		{"a lone minus", `-`, "", "syntax"},
		{"a number without digits after its point", `1.`, "", "syntax"},
		{"a number without digits before its point", `.5`, "", "syntax"},
		{"an exponent without digits", `1e`, "", "syntax"},
		{"an infinity", `Infinity`, "", "syntax"},
		{"half a literal", `tru`, "", "syntax"},
		{"a literal in capitals", `True`, "", "syntax"},
		{"an unknown escape", `"\x41"`, "", "syntax"},
		{"a short escape", `"\u00"`, "", "syntax"},
		{"an escape with a sign", `"\u+041"`, "", "syntax"},
		{"an escape at the end", `"\`, "", "syntax"},
		{"an open string", `"a`, "", "syntax"},
		{"an open string with an escape", `"\n`, "", "syntax"},
		{"single quotes", `{'a':1}`, "", "syntax"},
		{"a name that is no string", `{1:1}`, "", "syntax"},
		{"a name without a value", `{"a"}`, "/a", "syntax"},
		{"a name and a colon", `{"a":`, "/a", "syntax"},
		{"a comma before the brace", `{"a":1,}`, "", "syntax"},
		{"a comma before the bracket", `[1,]`, "/1", "syntax"},
		{"no comma", `[1 2]`, "", "syntax"},
		{"an open object", `{`, "", "syntax"},
		{"a comment", `{} // all`, "", "trailing"},
	} {
		t.Run("Should refuse "+c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)

			_, err := parseStrict([]byte(c.in))
			is.True(errors.Is(err, fault.ErrInvalid))
			got := fault.From(err).Fields
			is.Equal(len(got), 1)
			is.Equal(got[0].Pointer, c.pointer)
			is.Equal(got[0].Rule, c.rule)
			is.True(got[0].Detail != "")
		})
	}

	for _, in := range []string{
		`null`, `true`, ` false `, `"é\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"`, `"` + "\u007f\ufffd\u2028" + `"`, `-0`, `0.5e+10`, `1E-2`, `9007199254740993`,
		`{}`, `[]`, `{"":{"a":[1,{"b":null}]}}`, deep(maxDepth),
	} {
		t.Run("Should read what encoding/json reads: "+in, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)

			got, err := parseStrict([]byte(in))
			is.NoErr(err)
			is.Equal(got, lenient(t, []byte(in)))
		})
	}
}

// lenient reads a value by encoding/json.
func lenient(t *testing.T, in []byte) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", in, err)
	}
	return v
}

// FuzzParseStrict holds the parser to encoding/json: what it accepts they read
// alike, what it calls no JSON is none to either, and it never panics.
func FuzzParseStrict(f *testing.F) {
	for _, seed := range []string{
		`{"slug":"acme","admin":{"email":"ada@acme.example"}}`, `[1,2.5e-3,-0,"a\u00e9\ud83d\ude00"]`, `{"a":{"a":[]},"b":null}`,
		`{"a":1,"a":2}`, `"\ud800"`, `"\u0000"`, `1e999`, `[[[[[[]]]]]]`, "\"\xff\"", `{} {}`, ``, `tru`, `{"a":1,}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := parseStrict(in)
		if err == nil {
			if want := lenient(t, in); !reflect.DeepEqual(got, want) {
				t.Fatalf("read %#v, encoding/json reads %#v", got, want)
			}
			return
		}
		broken := fault.From(err).Fields
		if len(broken) != 1 {
			t.Fatalf("%d fields", len(broken))
		}
		if broken[0].Rule == "syntax" && json.Valid(in) {
			t.Fatalf("refuses JSON: %q", in)
		}
	})
}
