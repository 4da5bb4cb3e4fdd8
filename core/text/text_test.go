package text_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/text"
)

func TestCheck(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct{ s, rule string }{
		"a word":                      {"Acme", ""},
		"an inner space":              {"Acme Corporation", ""},
		"other scripts":               {"Ünïcode 株式会社 🚀", ""},
		"as many letters as allowed":  {strings.Repeat("é", 20), ""},
		"nothing":                     {"", "required"},
		"one letter too many":         {strings.Repeat("é", 21), "max_length"},
		"a space in front":            {" Acme", "trim"},
		"a line break at the end":     {"Acme\n", "trim"},
		"white space alone":           {"\u00a0", "trim"},
		"a NUL":                       {"Ac\x00me", "characters"},
		"a line break":                {"Ac\nme", "characters"},
		"an escape":                   {"\x1b[31m", "characters"},
		"a C1 control":                {"Ac\u009bme", "characters"},
		"a delete":                    {"Ac\x7fme", "characters"},
		"what turns writing around":   {"a\u202egnp.exe", "characters"},
		"an isolate":                  {"a\u2066b", "characters"},
		"a space without width":       {"a\u200bb", "characters"},
		"a byte order mark":           {"a\ufeffb", "characters"},
		"a line separator":            {"a\u2028b", "characters"},
		"a tag":                       {"a\U000e0041b", "characters"},
		"a joiner, which emoji need":  {"👩\u200d💻", ""},
		"a replacement character":     {"Ac\ufffdme", "characters"},
		"a broken UTF-8 sequence":     {"Ac\xffme", "encoding"},
		"half of a surrogate pair":    {"Ac\xed\xa0\x80me", "encoding"},
		"a cut multi-byte character":  {"Acm\xc3", "encoding"},
		"an overlong form of a slash": {"Ac\xc0\xafme", "encoding"},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			err := text.Check("/name", c.s, 20)
			if c.rule == "" {
				is.NoErr(err)
				return
			}
			is.True(fault.IsKind(err, fault.Invalid))
			is.Equal(fault.From(err).Fields[0].Rule, c.rule)
			is.Equal(fault.From(err).Fields[0].Pointer, "/name")
		})
	}
}
