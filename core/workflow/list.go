package workflow

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// MaxQueryLen is the longest query of a list, in bytes.
const MaxQueryLen = 2048

// queryParameter is where requests have the query of a list.
const queryParameter = "query"

// ErrQuery is returned for a query that Temporal does not understand, or that
// names an attribute which is not registered.
var ErrQuery = fault.InvalidField(queryParameter, "format", badQuery)

const badQuery = "must be a list filter of Temporal, with registered search attributes only"

// CheckQuery checks as much of a query as can be seen without Temporal: its size
// and its letters. "" chooses everything. It fails with fault.ErrInvalid.
func CheckQuery(s string) error { return checkQuery(queryParameter, s) }

// checkQuery checks a query that stands at a pointer in its request.
func checkQuery(pointer, s string) error {
	switch {
	case len(s) > MaxQueryLen:
		return fault.InvalidField(pointer, "max_length", "must have at most 2048 bytes")
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return fault.InvalidField(pointer, "characters", "must hold printable characters only")
	case joinsQueries(s):
		return fault.InvalidField(pointer, "format", badQuery)
	}
	return nil
}

// joinsQueries tells whether a query has the word UNION outside of its texts and names:
// Temporal's frontend falls over it, instead of refusing it.
func joinsQueries(s string) bool {
	var (
		quote   rune // that the text began with in which s is
		escaped bool
	)
	outside := strings.Map(func(r rune) rune {
		switch {
		case escaped:
			escaped = false
		case quote != 0 && quote != '`' && r == '\\':
			escaped = true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && strings.ContainsRune("'\"`", r):
			quote = r
		case quote == 0:
			return r
		}
		return ' '
	}, s)
	words := strings.FieldsFunc(outside, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, "union") })
}

// Count is how many executions there are, about: they are counted a moment after
// they change.
type Count struct {
	Total    int64
	ByStatus map[Status]int64 // nil unless it was asked for
}
