// Package text holds the rules that every human-readable input shares.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// Check checks a text that people read: not empty, at most limit
// characters, no control characters, no white space at its ends. It fails with
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
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }):
		return fault.InvalidField(pointer, "characters", "must not hold control characters")
	}
	return nil
}
