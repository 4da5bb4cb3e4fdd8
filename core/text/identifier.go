package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// reservedPrefixes belong to Temporal's own workflows and queues.
var reservedPrefixes = []string{"temporal-sys", "__temporal", "/_sys/", "/__temporal"}

// CheckIdentifier checks a name that Temporal knows a thing by: a workflow's id or
// type, a task queue, a schedule's id. It is not empty, has at most limit bytes, all
// of them printable, and is none of Temporal's own. It fails with fault.ErrInvalid,
// naming pointer.
func CheckIdentifier(pointer, s string, limit int) error {
	switch {
	case s == "":
		return fault.InvalidField(pointer, "required", "must not be empty")
	case len(s) > limit:
		return fault.InvalidField(pointer, "max_length", "is too long")
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fault.InvalidField(pointer, "characters", "must hold printable characters only")
	case strings.TrimSpace(s) != s:
		return fault.InvalidField(pointer, "trim", "must not start or end with white space")
	}
	for _, p := range reservedPrefixes {
		if strings.HasPrefix(s, p) {
			return fault.InvalidField(pointer, "reserved", "starts with a prefix that is Temporal's own")
		}
	}
	return nil
}
