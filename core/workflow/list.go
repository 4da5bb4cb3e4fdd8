package workflow

import (
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
var ErrQuery = fault.InvalidField(queryParameter, "format", "must be a list filter of Temporal, with registered search attributes only")

// CheckQuery checks as much of a query as can be seen without Temporal: its size
// and its letters. "" chooses everything. It fails with fault.ErrInvalid.
func CheckQuery(s string) error {
	switch {
	case len(s) > MaxQueryLen:
		return fault.InvalidField(queryParameter, "max_length", "must have at most 2048 bytes")
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return fault.InvalidField(queryParameter, "characters", "must hold printable characters only")
	}
	return nil
}

// Count is how many executions there are, about: they are counted a moment after
// they change.
type Count struct {
	Total    int64
	ByStatus map[Status]int64 // nil unless it was asked for
}
