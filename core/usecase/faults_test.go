package usecase_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// TestFaults stands here because this package imports all of the core, and so
// knows every code that it declares.
func TestFaults(t *testing.T) {
	t.Parallel()

	t.Run("Should have well-formed codes, each once, and a text for people", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		form := regexp.MustCompile(`^[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)*$`)
		seen := map[string]bool{}
		for _, e := range fault.All() {
			t.Log(e.Code)
			is.True(form.MatchString(e.Code))
			is.True(!seen[e.Code])
			seen[e.Code] = true
			is.True(strings.HasSuffix(e.Public, ".") || strings.HasSuffix(e.Public, "see fields."))
			is.True(e.Kind <= fault.Timeout)
			is.True(e.Kind != fault.Internal || e == fault.ErrInternal) // one text says all there is to say
		}
		is.True(len(seen) > 20)
	})
}
