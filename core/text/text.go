// Package text holds the rules that every human-readable input shares.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// Check checks a text that people read: not empty, at most limit
// characters, none that misleads, no white space at its ends. It fails with
// fault.ErrInvalid, naming pointer.
func Check(pointer, s string, limit int) error {
	switch {
	case s == "":
		return fault.InvalidField(pointer, "required", "must not be empty")
	case !utf8.ValidString(s):
		return fault.InvalidField(pointer, "encoding", "must be valid UTF-8")
	case utf8.RuneCountInString(s) > limit:
		return fault.InvalidField(pointer, "max_length", "is too long")
	case strings.TrimSpace(s) != s:
		return fault.InvalidField(pointer, "trim", "must not start or end with white space")
	case strings.ContainsFunc(s, misleads):
		return fault.InvalidField(pointer, "characters", "must not hold control characters or invisible ones")
	}
	return nil
}

// misleads tells whether a character makes a text look like another one, or
// like nothing: controls, line breaks of all kinds, what turns the direction of
// writing around, tags and spaces without width. The joiners stay, as scripts
// and emoji need them.
func misleads(r rune) bool {
	switch {
	case r == utf8.RuneError, r == '\u200b', r == '\ufeff', r >= 0xe0000 && r <= 0xe007f:
		return true
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}
