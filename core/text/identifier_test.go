package text_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/text"
)

func TestCheckIdentifier(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ s, rule string }{
		"a word": {"order-42", ""}, "as long as it may be": {"0123456789", ""}, "an inner space": {"a b", ""}, "a slash": {"a/b", ""},
		"nothing": {"", "required"}, "too long": {"0123456789a", "max_length"}, "bytes, not characters": {"ääääää", "max_length"},
		"a control": {"a\x07", "characters"}, "no UTF-8": {"a\xff", "characters"}, "a space at the end": {"a ", "trim"},
		"one of Temporal's": {"__temporal", "reserved"},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			err := text.CheckIdentifier("/id", c.s, 10)
			if c.rule == "" {
				is.NoErr(err)
				return
			}
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer, "/id")
			is.Equal(fault.From(err).Fields[0].Rule, c.rule)
		})
	}
}
